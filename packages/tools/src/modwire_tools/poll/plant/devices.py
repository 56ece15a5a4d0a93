"""`read_devices`: the tables `[[device]]` of a plant file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from modwire import Endpoint
from modwire.planner import PlanLimits
from modwire.units.tables import BIT_TABLES

from ...client.points import item_of
from ...client.reading import limits_for
from ...endpoint_forms import check_settings, explained
from ...simulator.devices import DeviceSpec, PointSpec, UnitSpec
from ...simulator.fields import shown
from ...simulator.files import with_connection
from ...simulator.files.limits import LARGEST
from ...simulator.files.points import POINT_KEYS, read_point
from ...simulator.files.reading import read_device
from ...simulator.files.sections import DeviceFileError, Section
from .lines import lines_of
from .settings import Settings
from .spec import PlantDevice, PlantPoint

if TYPE_CHECKING:
    from .mistakes import Mistakes

DEVICE_KEYS = (
    "name",
    "endpoint",
    "file",
    "unit",
    "interval",
    "only",
    "tags",
    "stale",
    "retry",
    "node",
    "max_registers",
    "max_bits",
    "max_gap",
    "point",
)
_ANYWHERE = Endpoint.parse("tcp://0.0.0.0")  # in place of a wrong endpoint, to go on
_POINT_KEYS = tuple(key for key in POINT_KEYS if key != "value")
_LONGEST_NAME = 100
# The name of a custom resource: Ray has meanings of its own for these.
_NODE = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_RESOURCES = ("CPU", "GPU", "TPU", "memory", "object_store_memory")
_LONGEST_POINT_NAME = 200  # that of the sink `sql`

SHORTEST = 0.001
"""The shortest interval, in seconds."""


class DeviceReader:
    """Reads the devices of a plant file; `interval` is that of devices without one, 0 for none."""

    def __init__(
        self,
        mistakes: Mistakes,
        environment: Mapping[str, str],
        folder: Path,
        interval: float,
    ) -> None:
        self._mistakes = mistakes
        self._environment = environment
        self._folder = folder
        self._interval = interval
        self._files: dict[Path, DeviceSpec | None] = {}

    @property
    def files(self) -> Sequence[Path]:
        """The device files that were read."""
        return list(self._files)

    def read(self, section: Section) -> PlantDevice | None:
        """Return a device; None after a mistake because of which nothing can be said about it."""
        take = self._mistakes.take
        for error in section.wrong_keys(DEVICE_KEYS):
            self._mistakes.add(error)
        name = take(lambda: self._name(section), "")
        interval = take(lambda: read_interval(section, self._interval), 0.0)
        spec = take(lambda: self._spec(section), None)
        endpoint = take(lambda: self._endpoint(section, spec), None)
        unit = take(lambda: self._unit(section, spec, endpoint), None)
        specs = self._points(section, spec, unit)
        chosen = take(lambda: _chosen(section, specs), specs)
        tags = take(lambda: _tags(section), dict[str, str]())
        stale = take(lambda: section.seconds("stale", 0.0), 0.0)
        retry = take(lambda: section.seconds("retry", 60.0), 60.0)
        node = take(lambda: _node(section), "")
        for each in chosen:
            with self._mistakes.caught():
                checked_name(section, each.name, _LONGEST_POINT_NAME, "the name of a point")
        limits = take(lambda: _limits(section, endpoint or _ANYWHERE, unit), None)
        if not name or endpoint is None or unit is None or limits is None or not chosen:
            return None
        points = [
            PlantPoint(
                each.name,
                item_of(each),
                each.polled.interval or interval,
                each.polled.deadband,
                each.polled.on_change,
                replace(each, value=None, behaviour=None),
            )
            for each in chosen
        ]
        with self._mistakes.caught():
            longest = max(each.interval for each in points)
            if 0 < stale <= longest:
                raise section.error(
                    "stale", f"must be longer than each interval, {longest:g} s, got {stale:g} s"
                )
        return PlantDevice(name, endpoint, unit.id, points, limits, tags, stale, retry, node)

    def _name(self, section: Section) -> str:
        return checked_name(section, section.text("name"), _LONGEST_NAME)

    def _spec(self, section: Section) -> DeviceSpec | None:
        """Return the device file, None if there is none; its mistakes are added once."""
        if "file" not in section:
            if "point" not in section:
                raise section.error("", "must have a file with points, or [[device.point]]")
            return None
        if "point" in section:
            raise section.error("point", "must be left out beside file")
        path = Settings(section, self._environment, self._folder).path("file")
        if path in self._files:
            return self._files[path]
        self._files[path] = None
        try:
            self._files[path] = read_device(path)
        except DeviceFileError as error:
            self._mistakes.add(error, str(path), _lines(path) if error.path or error.key else {})
        except OSError as error:
            raise section.failure("file", str(error.strerror)) from None
        return self._files[path]

    def _endpoint(self, section: Section, spec: DeviceSpec | None) -> Endpoint | None:
        own = spec.endpoint if spec is not None else ""
        key = "endpoint" if "endpoint" in section else ""
        if not key and not own:
            if spec is None and "file" in section:
                return None  # the file has a mistake, and may have the endpoint
            raise section.error("endpoint", "is missing, such as tcp://192.0.2.7")
        settings = Settings(section, self._environment, self._folder)
        text = settings.text(key) if key else own
        try:
            found = parse_endpoint(text)
        except ValueError as error:
            raise section.failure(key, explained(text, error)) from None
        if spec is None:
            return found
        try:
            return Endpoint.parse(with_connection(text, spec.connection))
        except ValueError as error:
            raise section.failure(key, f"with the options in the file: {error}") from None

    def _unit(
        self, section: Section, spec: DeviceSpec | None, endpoint: Endpoint | None
    ) -> UnitSpec | None:
        """Return the unit, whose id is that to ask; None after a mistake elsewhere."""
        asked = section.integer("unit", 0, 255) if "unit" in section else None
        if asked is None and endpoint is not None:
            asked = endpoint.unit
        if spec is None:
            if "file" in section or endpoint is None:
                return None
            found = UnitSpec(1 if asked is None else asked)
        else:
            units = [each for each in spec.units if each.points]
            if len(units) > 1:
                units = [each for each in units if each.id == asked]
            if len(units) != 1:
                known = ", ".join(str(each.id) for each in spec.units if each.points)
                what = f"must be one of {known}, the units with points in the file"
                raise section.error("unit", what if known else "has no points in the file")
            found = units[0] if asked is None else replace(units[0], id=asked)
        if endpoint is not None and endpoint.broadcasts_zero and not found.id:
            raise section.error("unit", "must be 1..255 on this line, got 0")
        return found

    def _points(
        self, section: Section, spec: DeviceSpec | None, unit: UnitSpec | None
    ) -> Sequence[PointSpec]:
        """Return the points of the file, or those in the plant file, each with its mistakes."""
        if spec is not None:
            points: Sequence[PointSpec] = unit.points if unit is not None else ()
            self._check_intervals(section, points)
            return points
        found: dict[str, PointSpec] = {}
        tables = self._mistakes.take(
            lambda: section.sections("point", None, "name"), list[Section]()
        )
        for table in tables:
            for error in table.wrong_keys(_POINT_KEYS):
                self._mistakes.add(error)
            with self._mistakes.caught():
                point = read_point(table, self._folder)
                if point.name in found:
                    raise table.error("name", "must be that of one point only, and is there twice")
                _check_place(table, point)
                found[point.name] = point
        points = list(found.values())
        self._check_intervals(section, points)
        return points

    def _check_intervals(self, section: Section, points: Sequence[PointSpec]) -> None:
        """Add a mistake if a point has no interval at all, or too short a one."""
        for each in points:
            if 0 < each.polled.interval < SHORTEST:
                with self._mistakes.caught():
                    raise section.failure(
                        each.name, f"interval must be at least 1ms, got {each.polled.interval:g} s"
                    )
        if "interval" in section or self._interval:
            return
        missing = [each.name for each in points if not each.polled.interval]
        if missing:
            with self._mistakes.caught():
                raise section.error("interval", 'is missing, such as interval = "1s"')


def _check_place(table: Section, point: PointSpec) -> None:
    """Raise DeviceFileError if a point leads out of its table."""
    try:
        item_of(point)
    except ValueError as error:
        raise table.failure("at", error) from None


def checked_name(section: Section, name: str, longest: int, what: str = "") -> str:
    """Return a name, if all sinks can have it in topics, labels and lines.

    Raises DeviceFileError about the key `name`, or about `what`.
    """
    if not name or not name.isprintable() or len(name) > longest:
        allowed = f"must have 1..{longest} printable characters, got {name[:longest]!r}"
        raise section.failure("", f"{what} {allowed}") if what else section.error("name", allowed)
    return name


def read_interval(section: Section, default: float) -> float:
    """Return the interval of a device or a plant, in seconds; raises DeviceFileError."""
    found = section.seconds("interval", default)
    if 0 < found < SHORTEST:
        raise section.error(
            "interval", f"must be at least 1ms, got {shown(section.get('interval'))}"
        )
    return found


def parse_endpoint(text: str) -> Endpoint:
    """Return the endpoint of a device; raises ValueError."""
    found = Endpoint.parse(text)
    check_settings(found)
    if found.transport in ("tcp", "udp", "tls") and not found.port:
        raise ValueError(f"endpoint {text!r}: port must be 1..65535, got 0")
    return found


def _lines(path: Path) -> dict[tuple[tuple[str, ...], str], int]:
    if path.suffix == ".json":
        return {}
    try:
        with path.open("rb") as file:
            return dict(lines_of(file.read(LARGEST).decode("utf-8-sig")))
    except (OSError, UnicodeDecodeError):
        return {}


def _chosen(section: Section, specs: Sequence[PointSpec]) -> Sequence[PointSpec]:
    """Return the points that `only` names, or all."""
    if "only" not in section or not specs:
        return specs
    value = section.get("only")
    names: list[object] = value if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType]
    if not names:
        raise section.error(
            "only", f'must be a list of names, such as ["power"], got {shown(section.get("only"))}'
        )
    by_name = {each.name: each for each in specs}
    for name in names:
        if not isinstance(name, str) or name not in by_name:
            known = ", ".join(list(by_name)[:8])
            raise section.error(
                "only", f"must name points, of which there are {known}, got {shown(name)}"
            )
    return [by_name[str(name)] for name in dict.fromkeys(names)]


def _tags(section: Section) -> dict[str, str]:
    if "tags" not in section:
        return {}
    table = section.section("tags", None)
    return {key: table.text(key) for key in list(table.keys())}


def _node(section: Section) -> str:
    """Return the node of a Ray cluster that runs the line; "" for any."""
    if "node" not in section:
        return ""
    node = section.text("node")
    if not _NODE.fullmatch(node) or node in _RESOURCES:
        allowed = "1..100 letters, digits, '-', '_' and '.', and no resource of Ray's own"
        raise section.error("node", f"must be a name of {allowed}, got {node!r}")
    return node


def _limits(section: Section, endpoint: Endpoint, unit: UnitSpec | None) -> PlanLimits:
    """Return the limits of requests: of the link, of the device file, and of the plant file."""
    limits = limits_for(endpoint)
    known = unit.limits.items() if unit is not None else ()
    counts: dict[str, int] = {table: limit.count for table, limit in known}
    registers = [count for table, count in counts.items() if table not in BIT_TABLES]
    bits = [count for table, count in counts.items() if table in BIT_TABLES]
    changes: dict[str, object] = {
        "max_registers": section.integer("max_registers", 1, 125, min([125, *registers])),
        "max_bits": section.integer("max_bits", 1, 2000, min([2000, *bits])),
    }
    if "max_gap" in section:
        changes["max_gap"] = section.integer("max_gap", 0, 65535)
    return limits.replace(**changes)

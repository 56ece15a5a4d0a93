"""`read_plant`: reads a plant file, and says all mistakes in it at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path

from ...simulator.files.limits import LARGEST, check_keys
from ...simulator.files.sections import Section
from ..sinks import find_sink, sink_kinds
from .devices import DeviceReader, checked_name, read_interval
from .lines import lines_of
from .mistakes import Mistakes, PlantError
from .settings import Settings
from .spec import Plant, PlantDevice, SinkSpec, SpoolSpec

# Imported by name: type checkers assume the oldest Python, and tomli may not be installed.
_parse_toml: Callable[[str], dict[str, object]] = import_module(
    "tomllib" if sys.version_info >= (3, 11) else "tomli"
).loads

_KEYS = ("name", "interval", "spool", "device", "sink")
_SPOOL_KEYS = ("file", "size", "age", "sync")
_LONGEST_NAME = 100
_SPOOL_SIZE = 10**9
_SPOOL_AGE = 7 * 86400.0


def read_plant(path: Path | str, environment: Mapping[str, str] | None = None) -> Plant:
    """Return the plant in a file; secrets come from `environment`, by default that of the process.

    Raises OSError, and `PlantError` with all mistakes, those in device files too.
    """
    path = Path(path)
    text = _text(path)
    try:
        check_keys(text)
        values = _parse_toml(text)
    except (ValueError, RecursionError) as error:
        raise PlantError([f"{path}: this is no TOML: {error}"]) from None
    reader = _Reader(path, Mistakes(str(path), lines_of(text)), environment or os.environ)
    return reader.read(Section(values, None, str(path), whole="the plant"))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise PlantError([f"{path}: must have at most {LARGEST} bytes, and has more"])
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PlantError([f"{path}: must be UTF-8: {error}"]) from None
    except OSError as error:
        raise type(error)(error.errno, f"cannot read {path}: {error.strerror}") from None


class _Reader:
    def __init__(self, path: Path, mistakes: Mistakes, environment: Mapping[str, str]) -> None:
        self._path = path
        self._mistakes = mistakes
        self._environment = environment

    def read(self, plant: Section) -> Plant:
        take = self._mistakes.take
        for error in plant.wrong_keys(_KEYS):
            self._mistakes.add(error)
        name = take(
            lambda: checked_name(plant, plant.text("name", self._path.stem), _LONGEST_NAME), ""
        )
        interval = take(lambda: read_interval(plant, 0.0), 1.0)
        reader = DeviceReader(self._mistakes, self._environment, self._path.parent, interval)
        sections = take(lambda: plant.sections("device", None, "name"), list[Section]())
        if "device" not in plant:
            with self._mistakes.caught():
                raise plant.failure("device", "is missing: a plant has at least one, [[device]]")
        devices: list[PlantDevice] = []
        first: dict[object, PlantDevice] = {}  # of each line
        names: set[str] = set()
        for section in sections:
            with self._mistakes.caught():
                _check_name(section, names)
            found = reader.read(section)
            if found is not None:
                with self._mistakes.caught():
                    _check_beside(section, found, first.setdefault(found.line, found))
                    devices.append(found)
        spool = self._spool(plant)
        sinks = self._sinks(plant, devices)
        self._mistakes.check()
        return Plant(self._path, name, devices, sinks, spool, reader.files)

    def _spool(self, plant: Section) -> SpoolSpec | None:
        if "spool" not in plant:
            return None
        table = self._mistakes.take(lambda: plant.section("spool", None), None)
        if table is None:
            return None
        for error in table.wrong_keys(_SPOOL_KEYS):
            self._mistakes.add(error)
        settings = Settings(table, self._environment, self._path.parent)
        take = self._mistakes.take
        file = take(lambda: settings.path("file"), Path())
        size = take(lambda: settings.size("size", _SPOOL_SIZE), _SPOOL_SIZE)
        age = take(lambda: settings.seconds("age", _SPOOL_AGE), _SPOOL_AGE)
        sync = take(lambda: settings.one_of("sync", ("normal", "full"), "normal"), "normal")
        return SpoolSpec(file, size, age, is_synced=sync == "full")

    def _sinks(self, plant: Section, devices: Sequence[PlantDevice]) -> list[SinkSpec]:
        found: list[SinkSpec] = []
        sections = self._mistakes.take(lambda: plant.sections("sink", None), list[Section]())
        for section in sections:
            with self._mistakes.caught():
                sink = self._sink(section)
                if clash := sink.sink.clash(devices):
                    raise section.failure(sink.kind, clash)
                if sink.name in {each.name for each in found}:
                    key = "name" if "name" in section else sink.kind
                    raise section.error(
                        key,
                        f"must have a name of its own, name = ..., {sink.name!r} is there twice",
                    )
                found.append(sink)
        return found

    def _sink(self, section: Section) -> SinkSpec:
        kinds = [each for each in sink_kinds() if each in section]
        if len(kinds) != 1:
            got = " and ".join(kinds) or "none of them"
            raise section.error("", f"must have one of {', '.join(sink_kinds())}, got {got}")
        (kind,) = kinds
        try:
            made = find_sink(kind)
        except ImportError as missing:
            raise section.failure(kind, missing) from None
        for error in section.wrong_keys((kind, "name", *made.keys)):
            self._mistakes.add(error)
        settings = Settings(section, self._environment, self._path.parent)
        sink = made(settings)
        name = settings.text("name") if "name" in settings else sink.place
        return SinkSpec(name, kind, settings.values(), sink)


def _check_name(section: Section, names: set[str]) -> None:
    """Add the name of a device to `names`; raises DeviceFileError if it is there."""
    if "name" not in section:
        return
    name = str(section.get("name"))
    if name in names:
        raise section.error("name", "must be that of one device only, and is there twice")
    names.add(name)


def _check_beside(section: Section, device: PlantDevice, other: PlantDevice) -> None:
    """Raise DeviceFileError if a device cannot be polled together with `other`, on its line."""
    if _link(other) != _link(device):
        raise section.error(
            "endpoint",
            f"must have the same options as that of {other.name}, except unit and timeout: it "
            f"is the same line, got {device.endpoint} and {other.endpoint}",
        )
    if other.node != device.node:
        raise section.error(
            "node" if device.node else "",
            f"must have the node of {other.name}: it is the same line, got "
            f"{device.node or 'no node'} and {other.node or 'no node'}",
        )


def _link(device: PlantDevice) -> object:
    """Return the endpoint without what may differ between devices of one line."""
    return device.endpoint.replace(unit=None, timeout=None)

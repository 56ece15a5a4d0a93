"""What one browser shows of a `View`, and what of it has changed since it was told last.

A browser names what it shows, each by a key of its own; `Shown.changes` is called a few times a
second. Nothing here waits or is sent: `live.py` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import count as count_up
from typing import TypeGuard

from ..simulator.view import View
from . import arguments, plain

MOST_SHOWN = 24
_MOST_AT_ONCE = 200  # messages; at five pushes a second, 1,000 a second
_LOOKS_OF_A_SEARCH = 10  # for which what was found is good enough

Given = Mapping[str, object]


class _Snapshot:
    """Something that is looked at as a whole: told anew, or item by item where that is less."""

    def __init__(self, look: Callable[[], plain.Json]) -> None:
        self._look = look
        self._told: plain.Json = None
        self._is_new = True

    def change(self) -> plain.Json:
        now, before = self._look(), self._told
        if not self._is_new and now == before:
            return None
        self._told = now
        if not self._is_new and _is_list(now) and _is_list(before) and len(now) == len(before):
            changed = {
                str(index): item
                for index, (item, old) in enumerate(zip(now, before, strict=True))
                if item != old
            }
            if len(changed) * 2 <= len(now):
                return {"set": changed}
        self._is_new = False
        return {"all": now}


class _Trend:
    """Samples that were not told yet."""

    def __init__(self, view: View, device: int, unit: int, name: str) -> None:
        self._look = partial(view.trend, device, unit, name)
        self._until = float("-inf")

    def change(self) -> plain.Json:
        samples = [sample for sample in self._look() if sample[0] > self._until]
        if not samples:
            return None
        self._until = samples[-1][0]
        return {"add": plain.trend(samples)}


class _Traffic:
    """Messages that were not told yet; in a flood the oldest are left out."""

    def __init__(self, view: View, given: Given) -> None:
        wanted = arguments.traffic_filter(given)
        self._after = arguments.integer(given, "after", 0, 2**53, 0)
        self._look = partial(view.traffic, wanted=wanted, most=_MOST_AT_ONCE)

    def change(self) -> plain.Json:
        messages = self._look(self._after)
        if not messages:
            return None
        self._after = messages[-1].number
        return {"add": [plain.message(info) for info in messages]}


Part = _Snapshot | _Trend | _Traffic


class Shown:
    """The parts that one browser shows."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._parts: dict[str, Part] = {}
        self._wanted: dict[str, Given] = {}
        self._wrong: dict[str, str] = {}

    def show(self, wanted: Mapping[str, object]) -> None:
        """Show these parts and no others; what was shown already is not told anew."""
        if len(wanted) > MOST_SHOWN:
            raise ValueError(f"at most {MOST_SHOWN} parts can be shown, got {len(wanted)}")
        parts: dict[str, Part] = {}
        kept: dict[str, Given] = {}
        wrong: dict[str, str] = {}
        for key, given in wanted.items():
            if not arguments.is_object(given):
                raise ValueError(f"the part {key!r} must be an object with a kind")
            kept[key] = given
            if key in self._parts and self._wanted.get(key) == given:
                parts[key] = self._parts[key]
                continue
            try:
                parts[key] = self._part(given)
            except ValueError as error:
                wrong[key] = str(error)
        self._parts, self._wanted, self._wrong = parts, kept, wrong

    def changes(self) -> dict[str, plain.Json]:
        """What has changed, by the keys of the parts; a part that cannot be shown is told once."""
        found: dict[str, plain.Json] = {
            key: {"error": sentence} for key, sentence in self._wrong.items()
        }
        self._wrong = {}
        for key, part in list(self._parts.items()):
            try:
                change = part.change()
            except (ValueError, LookupError) as error:
                change = {"error": str(error.args[0]) if error.args else "it is not there"}
                del self._parts[key]
            if change is not None:
                found[key] = change
        return found

    def _part(self, given: Given) -> Part:
        kind = arguments.text(given, "kind")
        view = self._view
        if kind == "traffic":
            return _Traffic(view, given)
        if kind == "trend":
            device, unit = arguments.device_of(given), arguments.unit_of(given)
            return _Trend(view, device, unit, arguments.text(given, "name"))
        looks: dict[str, Callable[[Given], Callable[[], plain.Json]]] = {
            "overview": self._overview,
            "devices": self._devices,
            "device": self._device,
            "tables": self._tables,
            "values": self._values,
            "points": self._points,
            "counters": self._counters,
            "connections": self._connections,
            "faults": self._faults,
        }
        if kind not in looks:
            raise ValueError(f"kind must be {', '.join([*looks, 'trend', 'traffic'])}")
        return _Snapshot(looks[kind](given))

    def _overview(self, given: Given) -> Callable[[], plain.Json]:
        view = self._view
        return lambda: {
            "title": view.title(),
            "devices": view.device_count(),
            "problems": len(view.problems()),
        }

    def _devices(self, given: Given) -> Callable[[], plain.Json]:
        start = arguments.integer(given, "start", 0, 1_000_000, 0)
        count = arguments.integer(given, "count", 1, arguments.MOST_DEVICES, 100)
        search = arguments.text(given, "search")
        looks = count_up()
        found: list[int] | None = None

        def look() -> plain.Json:
            nonlocal found
            # To look through thousands of devices each time would keep the simulation busy.
            if next(looks) % _LOOKS_OF_A_SEARCH == 0:
                found = plain.search_devices(self._view, search)
            return plain.devices(self._view, start, count, found, units=1)

        return look

    def _device(self, given: Given) -> Callable[[], plain.Json]:
        index, view = arguments.device_of(given), self._view

        def look() -> plain.Json:
            found = view.devices(index, 1)
            if not found:
                raise LookupError(f"there is no device {index}")
            return plain.device(found[0], view.problems())

        return look

    def _tables(self, given: Given) -> Callable[[], plain.Json]:
        device, unit = arguments.device_of(given), arguments.unit_of(given)
        return lambda: [plain.table(info) for info in self._view.tables(device, unit)]

    def _values(self, given: Given) -> Callable[[], plain.Json]:
        device, unit = arguments.device_of(given), arguments.unit_of(given)
        table = arguments.text(given, "table")
        address = arguments.integer(given, "address", 0, 65535)
        count = arguments.integer(given, "count", 1, arguments.MOST_VALUES)
        return lambda: self._view.values(device, unit, table, address, count)

    def _points(self, given: Given) -> Callable[[], plain.Json]:
        device, unit = arguments.device_of(given), arguments.unit_of(given)
        return lambda: [plain.point(info) for info in self._view.points(device, unit)]

    def _counters(self, given: Given) -> Callable[[], plain.Json]:
        device, unit = arguments.device_of(given), arguments.unit_of(given)
        return lambda: self._view.counters(device, unit)

    def _connections(self, given: Given) -> Callable[[], plain.Json]:
        return lambda: [plain.connection(info) for info in self._view.connections()]

    def _faults(self, given: Given) -> Callable[[], plain.Json]:
        device, unit = arguments.device_of(given), arguments.unit_of(given)
        return lambda: plain.faults(self._view.faults(device, unit))


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)

"""`Shown`: the parts of a `ServerView` that one browser shows, and their latest changes.

A browser gives each part that it shows a key. `live.py` calls `Shown.changes` a few times a second,
and does all waiting and sending.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import count as count_up
from typing import Generic, Protocol, TypeVar

from msgspec import Struct

from modwire import ExceptionResponseError

from ..simulator.fields import is_list
from ..simulator.view import Feature, ServerView, View
from . import queries
from .models import DevicePage, Nothing, OneDevice, OnePoint, OneUnit, TableRange, TrafficQuery
from .operations import is_simulation
from .reading import is_object, read

MOST_SHOWN = 24
_MOST_AT_ONCE = 200  # messages; at five pushes a second, 1,000 a second
_PUSHES_PER_SEARCH = 10  # that use the result of one search

AskedT = TypeVar("AskedT", bound=Struct)
Given = Mapping[str, object]


class Part(Protocol):
    """A part of the view."""

    waits: bool
    """True if `look` must be called in a worker thread before each `change`."""

    def look(self) -> None:
        """Get the current state for the next `change`; never raises."""
        ...

    def change(self) -> object:
        """Return the change since the last call, or None; raises ValueError and LookupError."""
        ...


class _Now:
    """Base of the parts that never wait."""

    waits = False

    def look(self) -> None:
        """Do nothing: the state is there when it is wanted."""


class _Snapshot(Generic[AskedT]):
    """A part that is sent as a whole, or only the changed items if that is shorter."""

    def __init__(
        self, query: Callable[[ServerView, AskedT], object], view: ServerView, asked: AskedT
    ) -> None:
        self._query = partial(query, view, asked)
        self._sent: object = None
        self._is_new = True
        self.waits = isinstance(asked, TableRange) and view.waits()
        self._looked: Callable[[], object] | None = None

    def look(self) -> None:
        try:
            found = self._query()
        except Exception as error:  # noqa: BLE001 - raised by `change`
            self._looked = partial(_raise, error)
        else:
            self._looked = lambda: found

    def change(self) -> object:
        looked = self._looked if self._looked is not None else self._query
        self._looked = None
        try:
            now, before = looked(), self._sent
        except ExceptionResponseError as error:  # a store is down: it may come back
            now, before = {"error": f"the unit refuses it: {error.detail or error}"}, self._sent
            self._sent, self._is_new = now, True
            return None if now == before else now
        if not self._is_new and now == before:
            return None
        self._sent = now
        if not self._is_new and is_list(now) and is_list(before) and len(now) == len(before):
            changed = {
                str(index): item
                for index, (item, old) in enumerate(zip(now, before, strict=True))
                if item != old
            }
            if len(changed) * 2 <= len(now):
                return {"set": changed}
        self._is_new = False
        return {"all": now}


def _raise(error: Exception) -> object:
    raise error


class _Trend(_Now):
    """The samples since the last push."""

    def __init__(self, view: View, asked: OnePoint) -> None:
        self._query = partial(view.trend, asked.device, asked.unit, asked.name)
        self._until = float("-inf")

    def change(self) -> object:
        samples = [sample for sample in self._query() if sample[0] > self._until]
        if not samples:
            return None
        self._until = samples[-1][0]
        return {"add": samples}


class _Traffic(_Now):
    """The messages since the last push; if there are too many, the oldest are left out."""

    def __init__(self, view: ServerView, asked: TrafficQuery) -> None:
        self._query = partial(
            view.traffic, wanted=queries.traffic_filter(asked), most=_MOST_AT_ONCE
        )
        self._after = asked.after

    def change(self) -> object:
        messages = self._query(self._after)
        if not messages:
            return None
        self._after = messages[-1].number
        return {"add": messages}


class _Search:
    """A page of the devices, each with its first unit."""

    def __init__(self) -> None:
        self._pushes = count_up()
        self._found: list[int] | None = None

    def __call__(self, view: ServerView, asked: DevicePage) -> object:
        # A search through thousands of devices at each push would keep the simulation busy.
        if next(self._pushes) % _PUSHES_PER_SEARCH == 0:
            self._found = queries.search_devices(view, asked.search)
        return queries.device_page(view, asked, self._found, units=1)


def _overview(view: ServerView, asked: Nothing) -> object:
    return {
        "title": view.title(),
        "devices": view.device_count(),
        "problems": len(view.problems()),
        "features": sorted(view.features()),
    }


Maker = Callable[[ServerView, Given], Part]


def _whole(model: type[AskedT], query: Callable[[ServerView, AskedT], object]) -> Maker:
    return lambda view, given: _Snapshot(query, view, read(model, given))


def _simulated(model: type[AskedT], query: Callable[[View, AskedT], object]) -> Maker:
    def make(view: ServerView, given: Given) -> Part:
        assert is_simulation(view)
        return _Snapshot(lambda _, asked: query(view, asked), view, read(model, given))

    return make


def _trend(view: ServerView, given: Given) -> Part:
    assert is_simulation(view)
    return _Trend(view, read(OnePoint, given))


_KINDS: dict[str, Maker] = {
    "overview": _whole(Nothing, _overview),
    "devices": lambda view, given: _Snapshot(_Search(), view, read(DevicePage, given)),
    "device": _whole(OneDevice, queries.device),
    "modes": _whole(OneDevice, queries.modes),
    "networks": _whole(OneDevice, queries.networks),
    "tables": _whole(OneUnit, queries.tables),
    "values": _whole(TableRange, queries.values),
    "state": _whole(OneUnit, queries.state),
    "identity": _whole(OneUnit, queries.identity),
    "counters": _whole(OneUnit, queries.counters),
    "events": _whole(OneUnit, queries.events),
    "statistics": _whole(OneUnit, queries.statistics),
    "points": _simulated(OneUnit, queries.points),
    "faults": _simulated(OneUnit, queries.faults),
    "trend": _trend,
    "connections": _whole(Nothing, queries.connections),
    "traffic": lambda view, given: _Traffic(view, read(TrafficQuery, given)),
}
_ONLY_WITH: Mapping[str, Feature] = {
    "networks": "networks",
    "points": "points",
    "faults": "faults",
    "trend": "points",
    "connections": "clients",
    "traffic": "clients",
}


class Shown:
    """The parts that one browser shows."""

    def __init__(self, view: ServerView) -> None:
        self._view = view
        features = view.features()
        self._kinds = {
            kind: make
            for kind, make in _KINDS.items()
            if kind not in _ONLY_WITH or _ONLY_WITH[kind] in features
        }
        self._parts: dict[str, Part] = {}
        self._wanted: dict[str, Given] = {}
        self._wrong: dict[str, str] = {}

    def show(self, wanted: Mapping[str, object]) -> None:
        """Show only these parts; a part that was shown already is not sent again.

        Raises ValueError if `wanted` has no valid parts, or too many.
        """
        if len(wanted) > MOST_SHOWN:
            raise ValueError(f"at most {MOST_SHOWN} parts can be shown, got {len(wanted)}")
        parts: dict[str, Part] = {}
        kept: dict[str, Given] = {}
        wrong: dict[str, str] = {}
        for key, given in wanted.items():
            if not is_object(given):
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

    def _part(self, given: Given) -> Part:
        kind = given.get("kind")
        if not isinstance(kind, str) or kind not in self._kinds:
            raise ValueError(f"kind must be {', '.join(self._kinds)}")
        rest = {name: value for name, value in given.items() if name != "kind"}
        return self._kinds[kind](self._view, rest)

    def waiting(self) -> list[Part]:
        """Return the parts whose `look` must be called in a worker thread before `changes`."""
        return [part for part in self._parts.values() if part.waits]

    def changes(self) -> dict[str, object]:
        """Return the changes by the keys of the parts; an error of a part is returned once."""
        found: dict[str, object] = {
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

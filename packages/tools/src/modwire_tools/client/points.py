"""`Points`: the named values of a device file as items, for `modwire read` and `write`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from modwire.planner import Span
from modwire.values import optional, scaled
from modwire.values.orders import find_order

from ..addresses import place_meant
from ..values.item_texts import Assignment
from ..values.items import Item
from ..values.types import TypeText, parse_type

if TYPE_CHECKING:
    from modwire.values import ValueType

    from ..simulator.devices import PointSpec, UnitSpec

_MOST_SHOWN = 8  # names in an error


class Points:
    """The points of the units of the device file named `file`."""

    def __init__(self, units: Sequence[UnitSpec] = (), file: str = "") -> None:
        self._units = {unit.id: {point.name: point for point in unit.points} for unit in units}
        self._file = file

    def __bool__(self) -> bool:
        return any(self._units.values())

    def unit(self, words: Iterable[str], asked: int | None) -> int | None:
        """Return the unit whose points the words name: `asked`, unless that is None.

        The words may have values behind `=`. Returns None if none of them is the name of a point.
        Raises ValueError if the points are in several units.
        """
        if asked is not None:
            return asked
        named = [word for word in words if any(_named(word, each) for each in self._units.values())]
        if not named:
            return None
        found = [
            unit
            for unit, points in self._units.items()
            if all(_named(word, points) for word in named)
        ]
        if len(found) != 1:
            units = " and ".join(map(str, found or self._units))
            raise ValueError(
                f"{self._file} has {', '.join(named)} in the units {units}: name one with --unit"
            )
        return found[0]

    def all(self, unit: int | None) -> list[Item]:
        """Return an item for each point of a unit; None stands for the only one with points."""
        if unit is None:
            units = [number for number, points in self._units.items() if points]
            if len(units) > 1:
                known = ", ".join(map(str, units))
                raise ValueError(f"{self._file} has the units {known}: name one with --unit")
            unit = units[0]
        found = [item_of(point) for point in self._points(unit).values()]
        if not found:
            raise ValueError(f"{self._file} has no points of unit {unit}")
        return found

    def item(self, unit: int, word: str) -> Item | None:
        """Return the item of the point named `word`, None if there is none."""
        point = self._points(unit).get(word)
        return None if point is None else item_of(point)

    def assignment(self, unit: int, word: str) -> Assignment | None:
        """Return the assignment in "NAME=VALUE", None if there is no such point.

        Raises ValueError if it cannot be written, or the value does not fit.
        """
        points = self._points(unit)
        name = _named(word, points)
        if name is None:
            return None
        if name == word:
            raise ValueError(f"{word} has no value, write {word}=...")
        item = item_of(points[name])
        if not item.place.is_writable:
            table = item.place.table.replace("_", " ")
            raise ValueError(f"{name} cannot be written, it is one of the {table}")
        value = word[len(name) + 1 :]
        return Assignment(item, value, item.encode(value))

    def check_known(self, unit: int, word: str) -> None:
        """Raise ValueError, with the names that are there, if `word` seems to be such a name."""
        from difflib import get_close_matches

        names = list(self._points(unit))
        name = word.partition("=")[0]
        if not names or ":" in name or not name[:1].isalpha() or place_meant(name):
            return
        close = get_close_matches(name, names, 1)
        more = ", ..." if len(names) > _MOST_SHOWN else ""
        known = f"did you mean {close[0]}?" if close else f"it has {', '.join(names[:_MOST_SHOWN])}"
        raise ValueError(f"{self._file} has no point {name!r}; {known}{more * (not close)}")

    def _points(self, unit: int) -> dict[str, PointSpec]:
        """Return the points of a unit; a file with one unit is of any, under another id too."""
        if len(self._units) == 1:
            return next(iter(self._units.values()))
        return self._units.get(unit, {})


def _named(word: str, points: Iterable[str]) -> str | None:
    """Return the name of the point that `word` names, with or without a value; None for none."""
    found = [name for name in points if word == name or word.startswith(f"{name}=")]
    return max(found, key=len, default=None)


def item_of(point: PointSpec) -> Item:
    """Return the item of a point."""
    order = find_order(None, None, point.order)  # type: ignore[arg-type]
    kind: ValueType[Any] | None = None
    label, count, mask = "bit", 1, 0xFFFF
    if point.type == "bit":
        label, mask = f"bit:{point.bit}", 1 << point.bit
    elif not point.place.has_bits:
        text = _type_of(point)
        label = text.name
        assert text.kind is not None
        kind = text.scaled(1.0)
        if point.scale != 1.0 or point.offset:
            kind = scaled(kind, point.scale, point.offset)
        count = kind.register_count
    whole = optional(kind, point.none) if point.none and kind is not None else kind
    span = Span(point.place.table, point.place.address, count)
    return Item(
        point.place,
        point.name,
        label,
        span,
        whole,
        kind,
        None,
        order,
        mask,
        measure=point.unit,
        is_named=True,
    )


def _type_of(point: PointSpec) -> TypeText:
    is_sized = point.type in ("string", "bcd", "bits")
    return parse_type(f"{point.type}:{point.size}" if is_sized else point.type)

"""`Item`: a typed value at an address, written as "hr:16/float32", "co:3" or "hr:0x10".

`parse_item` reads one, and `parse_assignment` reads "hr:16=22.5". The commands that read, write
and serve call these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from modwire.planner import Span
from modwire.values import (
    ABCD,
    UINT16,
    Order,
    ValueType,
    array_of,
    from_registers,
    to_registers,
)

from ..addresses import Place, parse_place
from .types import BIT, TypeText, parse_type, parse_value, shown

if TYPE_CHECKING:
    from .types import Value

_UINT16 = TypeText("uint16", UINT16)
_WHOLE = 0xFFFF  # the mask of an item that is not a single bit


@dataclass(frozen=True)
class Defaults:
    """Settings of every item that does not have its own.

    `kind` is the type of registers, `count` the number of values from an address on, and `scale`
    the factor of integers and floats.
    """

    kind: TypeText = _UINT16
    count: int = 1
    order: Order = ABCD
    scale: float = 1.0


DEFAULTS = Defaults()


@dataclass(frozen=True)
class Item:
    """A typed value at a place.

    `name` is the displayed address, `type` the name of the type. `mask` has the bits of a register
    that belong to the item, 0xFFFF for all. `kind` is None for coils, discrete inputs and bits of a
    register. `single` is the type of each of several values; `repeats` is their number, or None if
    the item is not a list.
    """

    place: Place
    name: str
    type: str
    span: Span
    kind: ValueType[Any] | None
    single: ValueType[Any] | None
    repeats: int | None
    order: Order
    mask: int = _WHOLE

    def decode(self, items: Sequence[int]) -> Value:
        """Return the value in the registers or bits; raises ValueError if they are not valid."""
        if self.kind is not None:
            value: Value = from_registers(self.kind, items, order=self.order)
            return value
        if self.is_part:
            return bool(items[0] & self.mask)
        bits = tuple(map(bool, items))
        return bits if self.repeats is not None else bits[0]

    def encode(self, text: str) -> list[int]:
        """Return the registers or bits of the value in `text`; raises ValueError."""
        parts = [text] if self.repeats is None else text.split(",")
        if self.repeats is not None and len(parts) != self.repeats:
            raise ValueError(f"{self.name} takes {self.repeats} values, got {len(parts)}: {text!r}")
        values = [parse_value(self.single, part) for part in parts]
        if self.kind is None:
            on = self.mask if self.is_part else 1
            return [on if value else 0 for value in values]
        value = values[0] if self.repeats is None else tuple(values)
        return to_registers(self.kind, value, order=self.order)

    def value_spans(self) -> list[Span]:
        """Return the span of each value, or that of the item if its values share registers."""
        if self.repeats is None or self.span.count % self.repeats:
            return [self.span]
        size, table = self.span.count // self.repeats, self.span.table
        places = range(self.span.address, self.span.stop, size)
        return [Span(table, address, size) for address in places]

    def each(self) -> list[Item]:
        """Return an item for each value, or only this item if its values share registers."""
        spans = self.value_spans()
        if self.repeats is None or len(spans) != self.repeats:
            return [self]
        label = self.type.removesuffix(f"x{self.repeats}")
        found: list[Item] = []
        for span in spans:
            place = self.place._replace(address=span.address)
            found.append(
                replace(
                    self,
                    place=place,
                    name=f"{place}/{label}" if "/" in self.name else str(place),
                    type=label,
                    span=span,
                    kind=self.single,
                    repeats=None,
                )
            )
        return found

    @property
    def is_part(self) -> bool:
        """True for a bit of a register."""
        return self.mask != _WHOLE

    def shown(self, value: Value) -> str:
        """Return the value as text: "22.34", "on", "1, 2, 3"; bits:4 as "0101", lowest bit last."""
        if not self.type.startswith("bits") or not isinstance(value, tuple):
            return shown(value)
        groups = (value,) if self.repeats is None else value
        return ", ".join(_digits(group) for group in groups)


def _digits(bits: Value) -> str:
    return "".join("01"[bool(bit)] for bit in reversed(bits)) if isinstance(bits, tuple) else ""


class ItemText(NamedTuple):
    """An item as the user typed it: its place, and its own type or None for the default."""

    place: Place
    kind: TypeText | None
    name: str

    def item(self, defaults: Defaults = DEFAULTS) -> Item:
        """Return the item; raises ValueError if the type does not allow the count."""
        kind = self.kind or (TypeText("bit", BIT) if self.place.has_bits else defaults.kind)
        repeats = kind.repeats
        if kind.kind is BIT and kind.bit is None and not self.place.has_bits:
            raise ValueError(f"{self.name}: a bit of a register is bit:0 to bit:15")
        if repeats is None and defaults.count > 1:
            if kind.bit is not None:
                raise ValueError(f"{self.name}: bit:{kind.bit} is one bit, got a count of more")
            repeats = defaults.count
        label = kind.name if repeats is None else f"{kind.name}x{repeats}"
        single = whole = None
        count = repeats or 1
        if kind.kind is not BIT:
            single = kind.scaled(defaults.scale)
            whole = single if repeats is None else array_of(single, repeats)
            count = whole.register_count
        mask = _WHOLE if kind.bit is None else 1 << kind.bit
        span = Span(self.place.table, self.place.address, count)
        return Item(
            self.place, self.name, label, span, whole, single, repeats, defaults.order, mask
        )


def parse_item_text(text: str) -> ItemText:
    """Return the place and the type that `text` names; raises ValueError."""
    where, slash, type_name = text.partition("/")
    place = parse_place(where)
    if place.has_bits and slash and not type_name.startswith("bit"):
        raise ValueError(f"{text}: {where} is a bit, which has no type but bit")
    kind = parse_type(type_name) if slash else None
    if place.has_bits and kind is not None and kind.bit is not None:
        raise ValueError(f"{text}: {where} is a bit itself, bit:{kind.bit} is of registers")
    return ItemText(place, kind, f"{place}{slash}{type_name}")


def parse_item(text: str, defaults: Defaults = DEFAULTS) -> Item:
    """Return the item that `text` names; raises ValueError, which says what is allowed."""
    return parse_item_text(text).item(defaults)


class Assignment(NamedTuple):
    """An item, the text of its value, and the registers or bits of that value."""

    item: Item
    text: str
    encoded: Sequence[int]


class AssignmentText(NamedTuple):
    """An assignment as the user typed it: "hr:16", an equals sign and "22.5"."""

    target: ItemText
    value: str

    def assignment(self, defaults: Defaults = DEFAULTS) -> Assignment:
        """Return the assignment; commas separate several values.

        Raises ValueError, which says what is allowed.
        """
        item = self.target.item(defaults)
        is_text = item.single is not None and item.single.name.startswith("string")
        count = self.value.count(",") + 1
        if item.repeats is None and count > 1 and not is_text:
            item = self.target.item(replace(defaults, count=count))
        return Assignment(item, self.value, item.encode(self.value))


def parse_assignment_text(text: str, *, by_owner: bool = False) -> AssignmentText:
    """Return the address and the value in "hr:16=22.5"; raises ValueError.

    Only the owner of the values, a command that serves them, may set inputs.
    """
    where, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"write an address, = and a value, such as hr:16=22.5; got {text!r}")
    if not value:
        raise ValueError(f"{text!r} has no value after the =")
    target = parse_item_text(where)
    if not target.place.is_writable and not by_owner:
        raise ValueError(f"{where} cannot be written, only coils and holding registers can")
    return AssignmentText(target, value)


def parse_assignment(
    text: str, defaults: Defaults = DEFAULTS, *, by_owner: bool = False
) -> Assignment:
    """Return the assignment in "hr:16=22.5"; raises ValueError, which says what is allowed."""
    return parse_assignment_text(text, by_owner=by_owner).assignment(defaults)

"""`Item`: a value that is read or written, as people write it: "hr:16/float32", "co:3", "hr:0x10".

`parse_item` reads it; `parse_assignment` reads "hr:16=22.5". For the commands that read, write and
serve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from modwire.planner import Span
from modwire.values import ABCD, Order, ValueType, from_registers, to_registers

from .addresses import Place, parse_place
from .value_types import BIT, TypeText, parse_type, parse_value, shown

if TYPE_CHECKING:
    from .value_types import Value


@dataclass(frozen=True)
class Defaults:
    """What goes for every item that says nothing else.

    `kind` is a type as text, for registers only; `count` is how many values there are from an
    address on; `scale` is what integers and floats are multiplied by.
    """

    kind: str = "uint16"
    count: int = 1
    order: Order = ABCD
    scale: float = 1.0


DEFAULTS = Defaults()


@dataclass(frozen=True)
class Item:
    """A typed value at a place.

    `name` is the address as it is shown, `type` the name of the type; `mask` has the bits of a
    register that are its own, 0xFFFF for all.
    """

    place: Place
    name: str
    type: str
    span: Span
    kind: ValueType[Any] | None  # None for coils, discrete inputs and bits of a register
    single: ValueType[Any] | None  # the type of one of several values
    repeats: int | None  # how many values there are, None for one by itself
    order: Order
    mask: int = 0xFFFF

    def decode(self, items: Sequence[int]) -> Value:
        """The value in its registers or bits; raises ValueError for what is none of its type."""
        if self.kind is not None:
            value: Value = from_registers(self.kind, items, order=self.order)
            return value
        if self.mask != 0xFFFF:
            return bool(items[0] & self.mask)
        bits = tuple(map(bool, items))
        return bits if self.repeats is not None else bits[0]

    def encode(self, text: str) -> list[int]:
        """The registers or bits of the value that `text` stands for; raises ValueError."""
        parts = [text] if self.repeats is None else text.split(",")
        if self.repeats is not None and len(parts) != self.repeats:
            raise ValueError(f"{self.name} takes {self.repeats} values, got {len(parts)}: {text!r}")
        values = [parse_value(self.single, part) for part in parts]
        if self.kind is None:
            return (
                [self.mask if value else 0 for value in values]
                if self.is_part
                else ([int(bool(value)) for value in values])
            )
        return to_registers(
            self.kind, values[0] if self.repeats is None else tuple(values), order=self.order
        )

    def each(self) -> list[Item]:
        """An item for each of several values; the item alone if it is one, or they share registers.

        So what lives in one of them, or is missing, is seen there.
        """
        if self.repeats is None or self.span.count % self.repeats:
            return [self]
        size = self.span.count // self.repeats
        label = self.type.removesuffix(f"x{self.repeats}")
        found: list[Item] = []
        for address in range(self.span.address, self.span.stop, size):
            place = self.place._replace(address=address)
            name = f"{place}/{label}" if "/" in self.name else str(place)
            span = Span(place.table, address, size)
            found.append(
                replace(
                    self,
                    place=place,
                    name=name,
                    type=label,
                    span=span,
                    kind=self.single,
                    repeats=None,
                )
            )
        return found

    @property
    def is_part(self) -> bool:
        """Whether it is a bit of a register."""
        return self.mask != 0xFFFF

    def shown(self, value: Value) -> str:
        """The value as text: "22.34", "on", "1, 2, 3", and of bits:4 "0101", the lowest last."""
        if not self.type.startswith("bits") or not isinstance(value, tuple):
            return shown(value)
        groups = (value,) if self.repeats is None else value
        return ", ".join(_digits(group) for group in groups)


def _digits(bits: Value) -> str:
    return "".join("01"[bool(bit)] for bit in reversed(bits)) if isinstance(bits, tuple) else ""


def parse_item(text: str, defaults: Defaults = DEFAULTS) -> Item:
    """The item that `text` names; raises ValueError, which says what is allowed."""
    where, slash, kind = text.partition("/")
    place = parse_place(where)
    if place.has_bits:
        if slash and not kind.startswith("bit"):
            raise ValueError(f"{text}: {where} is a bit, which has no type but bit")
        type_text = parse_type(kind) if slash else TypeText("bit", BIT, None)
        if type_text.bit is not None:
            raise ValueError(
                f"{text}: {where} is a bit itself, bit:{type_text.bit} is of registers"
            )
    else:
        type_text = parse_type(kind if slash else defaults.kind)
        if type_text.kind is BIT and type_text.bit is None:
            raise ValueError(f"{text}: a bit of a register is bit:0 to bit:15")
    repeats = type_text.repeats
    if repeats is None and defaults.count > 1:
        if type_text.bit is not None:
            raise ValueError(
                f"{text}: there is one bit:{type_text.bit}, got count {defaults.count}"
            )
        repeats = defaults.count
    return _item(place, type_text, repeats, defaults, name=str(place) + (slash and slash + kind))


def _item(
    place: Place, type_text: TypeText, repeats: int | None, defaults: Defaults, name: str
) -> Item:
    label = type_text.name if repeats is None else f"{type_text.name}x{repeats}"
    if type_text.kind is BIT:
        mask = 0xFFFF if type_text.bit is None else 1 << type_text.bit
        span = Span(place.table, place.address, repeats or 1)
        return Item(place, name, label, span, None, None, repeats, defaults.order, mask)
    single = type_text.scaled(defaults.scale)
    kind = type_text.array(single, repeats)
    span = Span(place.table, place.address, kind.register_count)
    return Item(place, name, label, span, kind, single, repeats, defaults.order)


@dataclass(frozen=True)
class Assignment:
    """An item, the text of its value, and the registers or bits of it."""

    item: Item
    text: str
    encoded: Sequence[int]


def parse_assignment(
    text: str, defaults: Defaults = DEFAULTS, *, by_owner: bool = False
) -> Assignment:
    """What "hr:16=22.5" sets: several values stand with commas, as many as there are.

    Inputs can be set only `by_owner`, who serves them. Raises ValueError, which says what is
    allowed.
    """
    where, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"write an address, = and a value, such as hr:16=22.5; got {text!r}")
    if not value:
        raise ValueError(f"{text!r} has no value behind the =")
    item = parse_item(where, defaults)
    is_text = item.single is not None and item.single.name.startswith("string")
    count = value.count(",") + 1
    if item.repeats is None and count > 1 and not is_text:
        item = parse_item(where, Defaults(defaults.kind, count, defaults.order, defaults.scale))
    if not item.place.is_writable and not by_owner:
        raise ValueError(f"{where} cannot be written, only coils and holding registers can")
    return Assignment(item, value, item.encode(value))

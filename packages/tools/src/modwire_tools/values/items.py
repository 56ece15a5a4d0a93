"""`Item`: a typed value at an address; `item_texts` makes items from what users write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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

from ..addresses import Place
from .types import BIT, TypeText, parse_value, shown

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
    the item is not a list. `is_named` is True for a point of a device file, whose `name` is no
    address; `measure` is its unit of measurement, or "".
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
    measure: str = ""
    is_named: bool = False

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

    @property
    def is_packed(self) -> bool:
        """True for values of an odd number of bytes, two of which share a register."""
        return self.single is not None and bool(self.single.size % 2)

    @property
    def is_text(self) -> bool:
        """True for texts."""
        return self.single is not None and self.single.name.startswith("string")

    @property
    def has_fractions(self) -> bool:
        """True for floats, and integers with a scale."""
        return self.single is not None and self.single.name.startswith(("float", "scaled"))

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


def listed(
    place: Place, name: str, kind: TypeText, repeats: int | None, order: Order, scale: float
) -> Item:
    """Return the item with `repeats` values of a type, or with one value if that is None.

    Raises ValueError if the type cannot be scaled, or the table has not so many addresses.
    """
    label = kind.name if repeats is None else f"{kind.name}x{repeats}"
    single = whole = None
    count = repeats or 1
    if kind.kind is not BIT:
        single = kind.scaled(scale)
        whole = single if repeats is None else array_of(single, repeats)
        count = whole.register_count
    mask = _WHOLE if kind.bit is None else 1 << kind.bit
    span = Span(place.table, place.address, count)
    return Item(place, name, label, span, whole, single, repeats, order, mask)

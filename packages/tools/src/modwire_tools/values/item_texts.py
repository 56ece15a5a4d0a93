"""Items and assignments as users write them: "hr:16/float32", "hr:0..9", "hr:2/int16/0.1=22.5".

After the address, or the range of addresses, come a type, an order and a scale, each if needed and
in any order. The commands that read, write and serve call these.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, get_args

from modwire.planner import Span
from modwire.values.orders import OrderName, find_order

from ..addresses import Place, parse_places
from .items import DEFAULTS, Defaults, Item, listed
from .numbers import parse_float
from .suggesting import suggested
from .types import BIT, TypeText, parse_type

if TYPE_CHECKING:
    from modwire.values import Order

ORDER_NAMES: tuple[OrderName, ...] = get_args(OrderName)
_BIT = TypeText("bit", BIT)
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*")


class ItemText(NamedTuple):
    """An item as the user typed it: its place, and what else it names, None for the default.

    `addresses` is the number of addresses of a range, None without one.
    """

    place: Place
    addresses: int | None = None
    kind: TypeText | None = None
    order: OrderName | None = None
    scale: float | None = None

    @property
    def name(self) -> str:
        """The text in its shortest form: hr:0x10/FLOAT32 is "hr:16/float32"."""
        last = "" if self.addresses is None else f"..{self.place.address + self.addresses - 1}"
        return f"{self.place}{last}{self._suffix(self.kind)}"

    def _suffix(self, kind: TypeText | None) -> str:
        scale = None if self.scale is None else f"{self.scale:g}"
        return "".join(f"/{part}" for part in (kind, self.order, scale) if part is not None)

    def item(self, defaults: Defaults = DEFAULTS) -> Item:
        """Return one item, a list if the text has a range or the defaults have a count.

        Raises ValueError if the type does not allow that.
        """
        kind = self._kind(defaults)
        value = self._value(kind, defaults)
        number = self._number(kind, value, defaults)
        return value if number == 1 else self._list(kind, number, defaults)

    def items(self, defaults: Defaults = DEFAULTS, *, single: bool = False) -> list[Item]:
        """Return an item for each address of a range, or of the count in the defaults.

        Values that share registers are one list. With `single`, there is an item for each value
        of a type such as float32x4 too. Raises ValueError as `item` does.
        """
        kind = self._kind(defaults)
        repeats = 1
        if single and kind.repeats is not None:
            repeats, kind = kind.repeats, replace(kind, repeats=None)
        value = self._value(kind, defaults)
        number = repeats * self._number(kind, value, defaults, is_split=repeats > 1)
        if number == 1:
            return [value]
        if value.is_packed:
            return [self._list(kind, number, defaults)]
        suffix = self._suffix(None if self.kind is None else kind)
        size, table = value.span.count, self.place.table
        first = self.place.address
        _check_end(self.place, number * size)
        places = [self.place._replace(address=first + size * index) for index in range(number)]
        return [
            replace(value, place=at, name=f"{at}{suffix}", span=Span(table, at.address, size))
            for at in places
        ]

    def _kind(self, defaults: Defaults) -> TypeText:
        kind = self.kind or (_BIT if self.place.has_bits else defaults.kind)
        if kind.kind is BIT and kind.bit is None and not self.place.has_bits:
            raise ValueError(f"{self.name}: a bit of a register is bit:0 to bit:15")
        return kind

    def _order(self, defaults: Defaults) -> Order:
        return defaults.order if self.order is None else find_order(None, None, self.order)

    def _scale(self, defaults: Defaults) -> float:
        return defaults.scale if self.scale is None else self.scale

    def _value(self, kind: TypeText, defaults: Defaults) -> Item:
        """Return the item at the place, without a range or a count."""
        name = f"{self.place}{self._suffix(self.kind)}"
        return listed(
            self.place, name, kind, kind.repeats, self._order(defaults), self._scale(defaults)
        )

    def _number(
        self, kind: TypeText, value: Item, defaults: Defaults, *, is_split: bool = False
    ) -> int:
        """Return how many of `value` the range has, or the count of the defaults."""
        if self.addresses is None:
            return 1 if kind.repeats is not None or is_split else defaults.count
        number, rest = divmod(self.addresses, value.span.count)
        if value.single is not None and value.is_packed and kind.repeats is None:
            number = 2 * self.addresses // value.single.size
            rest = self.addresses - (number * value.single.size + 1) // 2
        if rest:
            last = self.place.address + max(number, 1) * value.span.count - 1
            raise ValueError(
                f"{self.name}: {self.addresses} registers hold no whole number of values of "
                f"{value.span.count} registers, take {self.place}..{last}"
            )
        return number

    def _list(self, kind: TypeText, number: int, defaults: Defaults) -> Item:
        """Return one item with all values."""
        if kind.bit is not None:
            raise ValueError(f"{self.name}: bit:{kind.bit} is one bit, got a count of more")
        repeats = number * (kind.repeats or 1)
        order, scale = self._order(defaults), self._scale(defaults)
        return listed(self.place, self.name, kind, repeats, order, scale)


def _check_end(place: Place, count: int) -> None:
    """Raise ValueError if the table has no `count` addresses from `place` on."""
    Span(place.table, place.address, count)


def parse_item_text(text: str) -> ItemText:
    """Return what `text` names; raises ValueError, which says what is allowed."""
    where, *parts = text.split("/")
    place, addresses = parse_places(where)
    kind: TypeText | None = None
    order: OrderName | None = None
    scale: float | None = None
    for part in parts:
        named: OrderName | None = next(
            (each for each in ORDER_NAMES if each == part.strip().upper()), None
        )
        number = _scale_in(part)
        given = order if named else scale if number is not None else kind
        if given is not None:
            raise ValueError(f"{text}: {part} is one too many, beside {given}")
        if named:
            order = named
        elif number is not None:
            scale = number
        else:
            kind = parse_type(part)
    if place.has_bits:
        if order is not None or scale is not None or (kind is not None and kind.kind is not BIT):
            raise ValueError(
                f"{text}: {where} is a bit, which has no type but bit, no order and no scale"
            )
        if kind is not None and kind.bit is not None:
            raise ValueError(f"{text}: {where} is a bit itself, bit:{kind.bit} is of registers")
    return ItemText(place, addresses, kind, order, scale)


def _scale_in(part: str) -> float | None:
    """Return the scale in a part of an item, None if it is no number; raises ValueError."""
    try:
        number = parse_float(part)
    except ValueError:
        return None
    if not number or not abs(number) < 1e300:
        raise ValueError(f"a scale must be a number other than 0, such as 0.1, got {part!r}")
    return float(number)


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

        Raises ValueError, which says what is allowed, and what the value would fit.
        """
        item = self.target.item(defaults)
        count = self.value.count(",") + 1
        if item.repeats is None and count > 1 and not item.is_text:
            if item.has_fractions and _DECIMAL_COMMA.fullmatch(self.value):
                raise ValueError(
                    f"{self.value} is two values or one with a decimal comma: write "
                    f"{self.value.replace(',', '.')} for one, "
                    f"{self.value.replace(',', '.0,')}.0 for two"
                )
            item = self.target.item(replace(defaults, count=count))
        try:
            return Assignment(item, self.value, item.encode(self.value))
        except ValueError as error:
            raise ValueError(
                f"{error}{suggested(str(self.target.place), item, self.value)}"
            ) from None


def parse_assignment_text(text: str, *, by_owner: bool = False) -> AssignmentText:
    """Return the address and the value in "hr:16=22.5"; raises ValueError.

    Only the owner of the values, a command that serves them, may set inputs.
    """
    where, equals, value = text.partition("=")
    if not equals:
        hint = " (without a space)" if _is_item(text) else ""
        raise ValueError(f"write an address, = and a value{hint}, such as hr:16=22; got {text!r}")
    if not value:
        raise ValueError(f"{text!r} has no value after the =")
    target = parse_item_text(where)
    if not target.place.is_writable and not by_owner:
        raise ValueError(f"{where} cannot be written, only coils and holding registers can")
    return AssignmentText(target, value)


def _is_item(text: str) -> bool:
    try:
        parse_item_text(text)
    except ValueError:
        return False
    return True


def parse_assignment(
    text: str, defaults: Defaults = DEFAULTS, *, by_owner: bool = False
) -> Assignment:
    """Return the assignment in "hr:16=22.5"; raises ValueError, which says what is allowed."""
    return parse_assignment_text(text, by_owner=by_owner).assignment(defaults)

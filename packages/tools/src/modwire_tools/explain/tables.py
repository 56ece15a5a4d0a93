"""`TableWalk`: finds the fields in the bytes of a message, with the tables of modwire.

The same code explains every function: `modwire.messages.fields` has the fields of each message and
their limits, and `meanings` explains the values in words.
"""

from __future__ import annotations

from collections.abc import Sequence

from modwire import ReportServerIdResponse
from modwire.messages.fields import Field, FieldKind

from .meanings import bits_text, number_text, register_text
from .names import text_or_hex
from .walk import Walk, count

# The fields after a sub-function that the specification does not define, in a request and in a
# response; they have two names, because such a response need not repeat its request.
_UNKNOWN, _UNKNOWN_ANSWER = (
    (Field("", 0, FieldKind.GROUPS, fields=(Field(name, 2, FieldKind.CODE),)),)
    for name in ("data", "answer")
)
Numbers = dict[str, tuple[Field, int]]


class TableWalk:
    """The fields of one message; `asked` has the fields of its request, if known."""

    def __init__(
        self, walk: Walk, asked: TableWalk | None = None, *, is_response: bool = False
    ) -> None:
        self.numbers: Numbers = {}
        self.groups: list[Numbers] = []
        self._walk = walk
        self._asked = asked
        self._is_response = is_response
        self._in_group = False
        self._group_number = 0

    def take(self, fields: Sequence[Field], prefix: str = "") -> None:
        """Take all `fields`. Raises CutOffError if bytes are missing."""
        left: int | None = None  # bytes that belong to the byte count
        for index, field in enumerate(fields):
            if left is not None and left <= 0:
                return
            before = self._walk.left
            size = left
            if size is None:
                due = self.number(field.of) if field.kind is FieldKind.REGISTERS else None
                size = before if due is None else 2 * due
            if field.kind is FieldKind.GROUPS:
                self._take_groups(field, size)
            elif not field.size:
                self._take_data(field, size, prefix)
            else:
                value = self._take_number(field, left, fields[index + 1 :], prefix)
                if field.kind is FieldKind.BYTE_COUNT:
                    left = value
                    continue
                if field.variants:
                    unknown = _UNKNOWN_ANSWER if self._is_response else _UNKNOWN
                    self.take(field.variants.get(value, unknown))
            if left is not None:
                left -= before - self._walk.left

    def number(self, name: str) -> int | None:
        """Return the value of a field of this group, this message or the request, or None."""
        for numbers in (self._level, self.numbers, self._asked_level, self._asked_numbers):
            if name in numbers:
                return numbers[name][1]
        return None

    @property
    def _level(self) -> Numbers:
        return self.groups[-1] if self._in_group else self.numbers

    @property
    def _asked_numbers(self) -> Numbers:
        return {} if self._asked is None else self._asked.numbers

    @property
    def _asked_level(self) -> Numbers:
        """Return the fields of the request in the group with the same number."""
        if self._asked is None or not self._in_group:
            return self._asked_numbers
        asked = self._asked.groups
        return asked[len(self.groups) - 1] if len(self.groups) <= len(asked) else {}

    def _take_number(
        self, field: Field, left: int | None, following: Sequence[Field], prefix: str
    ) -> int:
        def tell(data: bytes) -> str:
            value = int.from_bytes(data, "big")
            return self._told(field, value, left, following) + self._unlike(field, value)

        name = field.name.format(self._group_number)
        if field.kind is FieldKind.REGISTERS:
            name = f"{field.unit} {self.number(field.at)}"
        elif name == "event 0":
            name += ", the newest"
        value = int.from_bytes(self._walk.take(field.size, prefix + name, tell), "big")
        self._level[field.name] = field, value
        return value

    def _told(self, field: Field, value: int, left: int | None, following: Sequence[Field]) -> str:
        if field.kind is FieldKind.QUANTITY:
            return self._told_quantity(field, value, left)
        if field.kind is FieldKind.BYTE_COUNT:
            return self._told_byte_count(field, value, following)
        if field.kind is FieldKind.REGISTERS:
            return register_text(value.to_bytes(2, "big"))
        if field.name == "next object id" and not self.number("more follows"):
            return f"{value:02X}"
        sub_function = self.number("sub-function") if field.name == "data" else None
        if sub_function == 0:
            return f"{value:04X}, {'repeated' if self._is_response else 'to be repeated'}"
        if sub_function == 3:
            text = f"{value:04X}, messages end with {chr(value >> 8)!a}"
            return f"{text}; wrong, the low byte must be 00" if value & 0xFF else text
        return number_text(field, value)

    def _told_quantity(self, field: Field, value: int, left: int | None) -> str:
        text = number_text(field, value)
        first = self._level.get(field.at)
        if not field.least <= value <= field.most:
            return text
        if first is not None and first[1] + value - 1 > first[0].most:
            place = first[0].unit if first[0].kind is FieldKind.NUMBER else "address"
            return f"{text}; wrong, they would end behind {place} {first[0].most}"
        if left not in (None, field.size + 2 * value) and not self._in_group:
            return f"{text}; wrong, the byte count is {left}"
        return text

    def _told_byte_count(self, field: Field, value: int, following: Sequence[Field]) -> str:
        due = self.number(field.of)
        if due is not None:
            has_bits = following[-1].kind is FieldKind.BITS
            size = sum([each.size for each in following]) + (due + 7 >> 3 if has_bits else 2 * due)
            text = count(value, "byte")
            if value == size:
                return text
            return f"{text}; wrong, {size} would be right for {count(due, field.unit)}"
        behind = self._walk.left - field.size
        lack = "" if self._in_group or value == behind else f"; wrong, {behind} follow"
        return number_text(field, value, lack)

    def _unlike(self, field: Field, value: int) -> str:
        """Return a text if a field does not repeat that of the request; "" if it does."""
        asked = self._asked_level.get(field.name)
        if asked is None or asked[0].kind is not field.kind or asked[1] == value:
            return ""
        return f"; wrong, the request had {asked[1]}"

    def _take_groups(self, field: Field, size: int) -> None:
        found = 0
        while size > 0:
            before = self._walk.left
            self._group_number = field.least + found
            self.groups.append({})
            self._in_group = True
            self.take(field.fields, field.name.format(self._group_number))
            self._in_group = False
            size -= before - self._walk.left
            found += 1
        if field.of and found != self.number(field.of):
            told = f"{self.number(field.of)}; wrong, {found} follow"
            self._walk.amend(field.of, told)

    def _take_data(self, field: Field, size: int, prefix: str) -> None:
        first = self.number(field.at)
        if field.kind is FieldKind.BITS:
            self._take_bits(field, size, first)
        elif field.kind is FieldKind.REGISTERS:
            self._take_registers(field, size, first, prefix)
        elif size:
            name = field.name if first is None else f"{field.name} {first}"
            if field.name == "server id":
                there = self._walk.peek(size)
                size = max(1, ReportServerIdResponse.from_data(there).id_length)
            self._walk.take(size, prefix + name, text_or_hex)

    def _take_registers(self, field: Field, size: int, first: int | None, prefix: str) -> None:
        number = size >> 1
        unit = field.at if field.at == "record" and first is not None else field.unit
        for index in range(number):
            place = f"{index + 1} of {number}" if first is None else first + index
            self._walk.take(2, f"{prefix}{unit} {place}", register_text)
        if size & 1:
            self._walk.take(1, prefix + unit, "half of one")

    def _take_bits(self, field: Field, size: int, address: int | None) -> None:
        known = self.number(field.of)
        number = 8 * size if known is None else known
        first = 1 if address is None else address
        for index in range(size):
            held = max(0, min(8, number - 8 * index))
            start = first + 8 * index
            name = f"{field.unit} {start}"
            if held != 1:
                name = f"{field.unit}s {start} to {start + held - 1}"
            if not held:
                name = "padding"
            elif address is None:
                name += f" of {number}"
            self._walk.take(1, name, bits_text(held))

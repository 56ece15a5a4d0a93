"""`Place`: a table and an address in it, in the three forms that users write.

These are `hr:0x10`, `holding:16` and `40017`. Every command and every device file takes them.
"""

from __future__ import annotations

from modwire import reference
from modwire.units.tables import ADDRESSES, BIT_TABLES, TABLES, Reference

from .values.numbers import parse_whole

SHORT_NAMES: dict[str, str] = dict(zip(TABLES, ("co", "di", "hr", "ir"), strict=True))
"""The short names of the four tables, by the names of the attributes of a unit."""

_NAMES = {
    **{short: table for table, short in SHORT_NAMES.items()},
    **{table: table for table in TABLES},
    "coil": "coils",
    "discrete": "discrete_inputs",
    "holding": "holding_registers",
    "input": "input_registers",
}
_FORMS = (
    "an address is co:, di:, hr: or ir: with 0..65535 or 0x0..0xFFFF, such as hr:0x10 or "
    "holding:16, or a reference such as 40017"
)


class Place(Reference):
    """A table, by the name of the attribute of `modwire.Unit`, and an address, 0..65535.

    As text, it has the short form that `parse_place` reads, such as "hr:16".
    """

    __slots__ = ()

    @property
    def has_bits(self) -> bool:
        """True if the table holds bits, False if it holds registers."""
        return self.table in BIT_TABLES

    @property
    def is_writable(self) -> bool:
        """True if clients may write to the table."""
        return self.table in ("coils", "holding_registers")

    def __str__(self) -> str:
        return f"{SHORT_NAMES[self.table]}:{self.address}"


def parse_table(text: str) -> str:
    """Return the table for "hr", "holding" or "holding-registers"; raises ValueError."""
    table = _NAMES.get(text.strip().lower().replace("-", "_"))
    if table is None:
        raise ValueError(f"must be co, di, hr or ir, got {text!r}")
    return table


def parse_place(text: str) -> Place:
    """Return the place in `text`: "hr:0x10", "holding:16", or "40017" for "hr:16".

    Raises ValueError, which says what is allowed.
    """
    name, colon, number = text.strip().partition(":")
    try:
        if not colon:
            return Place(*reference(name))
        return Place(parse_table(name), parse_whole(number, 0, ADDRESSES - 1))
    except ValueError:
        raise ValueError(f"{_FORMS}; got {text!r}") from None

"""`Place`: a table and an address, as people write them: `hr:0x10`, `holding:16` or `40017`.

Every command and every device file takes addresses in these three forms.
"""

from __future__ import annotations

from typing import NamedTuple

from modwire import reference

TABLES = ("coils", "discrete_inputs", "holding_registers", "input_registers")
"""The four tables, by the names of the attributes of `modwire.Unit`."""

_ADDRESSES = 0x10000
_NAMES = {
    **dict.fromkeys(("co", "coil", "coils"), "coils"),
    **dict.fromkeys(("di", "discrete", "discrete_inputs"), "discrete_inputs"),
    **dict.fromkeys(("hr", "holding", "holding_registers"), "holding_registers"),
    **dict.fromkeys(("ir", "input", "input_registers"), "input_registers"),
}
_SHORT = {
    "coils": "co",
    "discrete_inputs": "di",
    "holding_registers": "hr",
    "input_registers": "ir",
}
_FORMS = (
    "an address is co:, di:, hr: or ir: with 0..65535 or 0x0..0xFFFF, such as hr:0x10 or "
    "holding:16, or a reference such as 40017"
)


class Place(NamedTuple):
    """Where a value is: a table's name, one of `TABLES`, and an address on the wire, 0..65535."""

    table: str
    address: int

    @property
    def has_bits(self) -> bool:
        """Whether the table holds bits, not registers."""
        return self.table in ("coils", "discrete_inputs")

    @property
    def is_writable(self) -> bool:
        """Whether clients may write to the table."""
        return self.table in ("coils", "holding_registers")

    def __str__(self) -> str:
        """The short form, such as "hr:16", which `parse_place` reads."""
        return f"{_SHORT[self.table]}:{self.address}"


def parse_place(text: str) -> Place:
    """The place that `text` names: "hr:0x10", "holding:16", or "40017", which is "hr:16".

    Raises ValueError, which says what is allowed.
    """
    name, colon, number = text.strip().partition(":")
    if not colon:
        try:
            return Place(*reference(name))
        except ValueError:
            raise ValueError(f"{_FORMS}; got {text!r}") from None
    table = _NAMES.get(name.strip().lower().replace("-", "_"))
    if table is None:
        raise ValueError(f"{_FORMS}; got {text!r}, and {name!r} is no table")
    address = _parse_number(number.strip())
    if address is None:
        raise ValueError(f"{_FORMS}; got {text!r}, and {number!r} is no number")
    if address >= _ADDRESSES:
        raise ValueError(f"{_FORMS}; got {text!r}, and {address} is out of range")
    return Place(table, address)


def _parse_number(text: str) -> int | None:
    """A decimal number, or a hexadecimal one behind 0x; None for anything else."""
    digits, base = (text[2:], 16) if text[:2].lower() == "0x" else (text, 10)
    try:
        return int(digits, base) if digits.isascii() and digits.isalnum() else None
    except ValueError:
        return None

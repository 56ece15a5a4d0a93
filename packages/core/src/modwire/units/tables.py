"""The four tables of a device (section 4.3), and the two ways to name a place in one."""

from __future__ import annotations

from typing import NamedTuple

TABLES = ("coils", "discrete_inputs", "holding_registers", "input_registers")
BIT_TABLES = ("coils", "discrete_inputs")

ADDRESSES = 0x10000
"""Addresses of a table: 0..65535."""


class Reference(NamedTuple):
    """A place in a `Datastore`: the name of the table and the address on the wire."""

    table: str
    address: int


_BY_DIGIT = {"0": "coils", "1": "discrete_inputs", "3": "input_registers", "4": "holding_registers"}


def reference(number: int | str) -> Reference:
    """The place that 40001 notation names: `reference(40001)` is `("holding_registers", 0)`.

    The first digit is the table (0 coils, 1 discrete inputs, 3 input registers, 4 holding
    registers), the other four or five the address counted from 1: 00001..49999 and
    000001..465536. An integer has lost its leading zeros: up to 99999 it has five digits, so a
    coil from 10000 on is written as a string, "010000". Raises ValueError.
    """
    digits = f"{number:05}" if isinstance(number, int) else number
    if len(digits) in (5, 6) and digits.isascii() and digits.isdigit():
        table = _BY_DIGIT.get(digits[0])
        address = int(digits[1:]) - 1
        if table is not None and 0 <= address < ADDRESSES:
            return Reference(table, address)
    raise ValueError(
        "reference must be 0, 1, 3 or 4 and 0001..9999 or 00001..65536, such as 40001 or "
        f"400001, got {number!r}"
    )

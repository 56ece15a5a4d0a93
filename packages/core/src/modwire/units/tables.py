"""The four tables of a device (section 4.3), and the two ways to name an address in one."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

TABLES = ("coils", "discrete_inputs", "holding_registers", "input_registers")
BIT_TABLES = ("coils", "discrete_inputs")

ADDRESSES = 0x10000
"""Number of addresses of a table: 0..65535."""


class Reference(NamedTuple):
    """An address in a `Datastore`: the name of the table, and the address on the wire, 0..65535."""

    table: str
    address: int


_BY_DIGIT = {"0": "coils", "1": "discrete_inputs", "3": "input_registers", "4": "holding_registers"}


def reference(number: int | str) -> Reference:
    """Translate the 40001 notation: `reference(40001)` is `("holding_registers", 0)`.

    The first digit is the table (0 coils, 1 discrete inputs, 3 input registers, 4 holding
    registers), the other four or five the address counted from 1: 00001..49999 and
    000001..465536. Integers have no leading zeros, so up to 99999 they count as five digits: write
    coils from 10000 on as strings, such as "010000". Raises ValueError for anything else.
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


def as_range(name: str, addresses: int | range) -> range:
    """Return `addresses` as a range with step 1 within 0..65536."""
    if isinstance(addresses, int):
        addresses = range(addresses, addresses + 1)
    if not isinstance(addresses, range) or addresses.step != 1:
        raise ValueError(f"{name} must have addresses or ranges with step 1, got {addresses!r}")
    if not 0 <= addresses.start <= addresses.stop <= ADDRESSES:
        raise ValueError(f"{name} must be in 0..65535, got {addresses!r}")
    return addresses


def as_ranges(addresses: Collection[int]) -> list[range]:
    """Return `addresses` as ranges in ascending order, neighbours together."""
    if isinstance(addresses, range):
        return [addresses]
    found: list[range] = []
    for address in sorted(addresses):
        if found and found[-1].stop == address:
            found[-1] = range(found[-1].start, address + 1)
        else:
            found.append(range(address, address + 1))
    return found


def as_span(addresses: int | slice) -> tuple[int, int]:
    """Return the first address and the number of addresses."""
    if not isinstance(addresses, slice):
        return addresses, 1
    start, stop = addresses.start, addresses.stop
    if addresses.step not in (None, 1) or start is None or stop is None or start > stop:
        raise IndexError(f"a slice must be [first address:stop], got {addresses}")
    return start, stop - start

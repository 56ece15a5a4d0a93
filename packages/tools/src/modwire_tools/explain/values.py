"""Fields that several functions have: addresses, quantities, byte counts, registers and bits."""

from __future__ import annotations

from collections.abc import Callable

from .walk import Walk, count

_LAST = 0xFFFF


def address_text(table: str = "") -> Callable[[int], str]:
    """What an address says; `table` is the first digit of its reference, "" for no table."""

    def tell(address: int) -> str:
        if not table:
            return str(address)
        number = address + 1
        return f"{address}, reference {table}{number:0{4 if number <= 9999 else 5}}"

    return tell


def quantity_text(most: int, what: str, address: int) -> Callable[[int], str]:
    """What a quantity from `address` on says, and whether it is allowed."""

    def tell(quantity: int) -> str:
        text = count(quantity, what)
        if not 1 <= quantity <= most:
            return f"{text}; wrong, 1 to {most} are allowed"
        if address + quantity - 1 > _LAST:
            return f"{text}; wrong, they would end behind address {_LAST}"
        return text

    return tell


def byte_count_text(due: int, why: str) -> Callable[[int], str]:
    """What a byte count says that should be `due`."""

    def tell(size: int) -> str:
        text = count(size, "byte")
        return text if size == due else f"{text}; wrong, {due} would be right for {why}"

    return tell


def of_data_text(walk: Walk, header: int = 0) -> Callable[[int], str]:
    """What a byte count says to which no quantity is known; it is behind `header` + 1 bytes."""

    def tell(size: int) -> str:
        following = walk.left - 1 - header
        text = count(size, "byte")
        return text if size == following else f"{text}; wrong, {following} follow"

    return tell


def register_text(data: bytes) -> str:
    """A register as a number, and as a signed one where that differs."""
    value = int.from_bytes(data, "big")
    return f"{value}, signed {value - 0x10000}" if value & 0x8000 else str(value)


def take_registers(walk: Walk, size: int, address: int | None, what: str = "register") -> None:
    """Take `size` bytes of registers, those from `address` on where that is known."""
    number = size >> 1
    for index in range(number):
        name = f"{what} {index + 1} of {number}" if address is None else f"{what} {address + index}"
        walk.take(2, name, register_text)
    if size & 1:
        walk.take(1, what, "half of one")


def take_bits(walk: Walk, size: int, address: int | None, number: int | None, what: str) -> None:
    """Take `size` bytes of `number` bits, those from `address` on where that is known."""
    first = 1 if address is None else address
    known = size * 8 if number is None else number
    for index in range(size):
        held = max(0, min(8, known - index * 8))
        start = first + index * 8
        name = f"{what} {start}" if held == 1 else f"{what}s {start} to {start + held - 1}"
        if not held:
            name = "padding"
        elif address is None:
            name += f" of {known}"
        walk.take(1, name, _bits_text(held))


def _bits_text(held: int) -> Callable[[bytes], str]:
    def tell(data: bytes) -> str:
        bits = [str(data[0] >> bit & 1) for bit in range(held)]
        text = " ".join(bits)
        if held == 8:
            return text
        padding = data[0] >> held
        rest = f"the {count(8 - held, 'bit')} above it pad" if held == 1 else "the rest pads"
        text = f"{text}, {rest}" if held else "no bits that were asked for"
        return f"{text}; wrong, padding must be 0" if padding else text

    return tell

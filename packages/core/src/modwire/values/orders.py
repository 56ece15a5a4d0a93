"""Byte order and word order of values in registers.

The specification only defines the order of the two bytes of a register (section 4.2), so devices
differ in the rest.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypedDict

# Not under TYPE_CHECKING: programs that build unions of them need them at run time.
Endian = Literal["big", "little"]
OrderName = Literal["ABCD", "CDAB", "BADC", "DCBA", "MODICON", "LITTLE"]

__all__ = ["ABCD", "BADC", "CDAB", "DCBA", "LITTLE", "MODICON", "Order", "Ordering"]

_ENDIANS = ("big", "little")


class Order(NamedTuple):
    """The order of the two bytes in a register, and of the registers of one number.

    "big" is most significant first. "little" for `word_order` reverses the registers of a number,
    not those of a text; for `byte_order` it swaps the two bytes of every register, or with
    `numbers_only` those of the numbers alone: texts and single bytes stay as they are.
    """

    byte_order: Endian = "big"
    word_order: Endian = "big"
    numbers_only: bool = False

    @property
    def swaps_registers(self) -> bool:
        """True if the two bytes of every register are swapped."""
        return self.byte_order == "little" and not self.numbers_only

    def swaps(self, number_size: int) -> bool:
        """Return True if the bytes of values with numbers of that many bytes are swapped."""
        return self.byte_order == "little" and (number_size > 1 or not self.numbers_only)


# Named by the order of the four bytes of a 32-bit number; A is the most significant.
ABCD = Order("big", "big")
CDAB = Order("big", "little")
BADC = Order("little", "big")
DCBA = Order("little", "little")
MODICON = CDAB  # Modicon controllers send the low register first
# Each number is little-endian, as by "<" in `struct` or in the payloads of pymodbus 1.x.
LITTLE = Order("little", "little", numbers_only=True)
_ORDERS = {
    "ABCD": ABCD,
    "CDAB": CDAB,
    "BADC": BADC,
    "DCBA": DCBA,
    "MODICON": MODICON,
    "LITTLE": LITTLE,
}


class Ordering(TypedDict, total=False):
    """The keyword arguments of all functions that put values into registers.

    `order` is an `Order` or its name, such as "CDAB"; the default is "ABCD". `byte_order`,
    `word_order` and `numbers_only` take precedence unless they are None.
    """

    byte_order: Endian | None
    word_order: Endian | None
    numbers_only: bool | None
    order: Order | OrderName


class OwnOrder(TypedDict, total=False):
    """The keyword arguments for one of several values; None is the order of all."""

    byte_order: Endian | None
    word_order: Endian | None


def find_order(
    byte_order: Endian | None = None,
    word_order: Endian | None = None,
    order: Order | OrderName = ABCD,
    numbers_only: bool | None = None,
) -> Order:
    """Return the order for the arguments of an `Ordering`; raises ValueError for wrong ones."""
    found = order if isinstance(order, Order) else None
    if isinstance(order, str):
        found = _ORDERS.get(order)
    if found is None:
        raise ValueError(f"order must be an Order or one of {', '.join(_ORDERS)}, got {order!r}")
    if byte_order is not None:
        found = found._replace(byte_order=byte_order)
    if word_order is not None:
        found = found._replace(word_order=word_order)
    if numbers_only is not None:
        found = found._replace(numbers_only=numbers_only)
    for name, value in (("byte_order", found.byte_order), ("word_order", found.word_order)):
        if value not in _ENDIANS:
            raise ValueError(f'{name} must be "big" or "little", got {value!r}')
    if not isinstance(found.numbers_only, bool):
        raise ValueError(f"numbers_only must be True or False, got {found.numbers_only!r}")
    return found


def swap_words(data: bytes, number_size: int) -> bytes:
    """Reverse the 16-bit words of each number of `number_size` bytes; its own inverse."""
    if number_size <= 2:
        return data
    return b"".join(
        data[at - 2 : at]
        for end in range(number_size, len(data) + 1, number_size)
        for at in range(end, end - number_size, -2)
    )


def swap_bytes(data: bytes) -> bytes:
    """Swap the two bytes of each word of `data`, which has an even size."""
    swapped = bytearray(data)
    swapped[::2] = data[1::2]
    swapped[1::2] = data[::2]
    return bytes(swapped)

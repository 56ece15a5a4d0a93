"""Byte order and word order of values in registers.

The specification only defines the order of the two bytes of a register (section 4.2), so devices
differ in the rest.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypedDict

# Not under TYPE_CHECKING: programs that build unions of them need them at run time.
Endian = Literal["big", "little"]
OrderName = Literal["ABCD", "CDAB", "BADC", "DCBA", "MODICON"]

__all__ = ["ABCD", "BADC", "CDAB", "DCBA", "MODICON", "Order", "Ordering"]

_ENDIANS = ("big", "little")


class Order(NamedTuple):
    """The order of the two bytes in a register, and of the registers of one number.

    "big" is most significant first. "little" for `word_order` reverses the registers of a number,
    not those of a text; for `byte_order` it swaps the two bytes of every register.
    """

    byte_order: Endian = "big"
    word_order: Endian = "big"


# Named by the order of the four bytes of a 32-bit number; A is the most significant.
ABCD = Order("big", "big")
CDAB = Order("big", "little")
BADC = Order("little", "big")
DCBA = Order("little", "little")
MODICON = CDAB  # Modicon controllers send the low register first
_ORDERS = {"ABCD": ABCD, "CDAB": CDAB, "BADC": BADC, "DCBA": DCBA, "MODICON": MODICON}


class Ordering(TypedDict, total=False):
    """The keyword arguments of all functions that put values into registers.

    `order` is an `Order` or its name, such as "CDAB"; the default is "ABCD". `byte_order` and
    `word_order` take precedence unless they are None.
    """

    byte_order: Endian | None
    word_order: Endian | None
    order: Order | OrderName


def find_order(
    byte_order: Endian | None = None,
    word_order: Endian | None = None,
    order: Order | OrderName = ABCD,
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
    for name, value in zip(found._fields, found, strict=True):
        if value not in _ENDIANS:
            raise ValueError(f'{name} must be "big" or "little", got {value!r}')
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

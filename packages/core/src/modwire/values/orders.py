"""Byte order and word order: how a value that is wider than a byte lies in registers.

The specification orders the two bytes of a register and nothing else, so each maker chose.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

# Not behind TYPE_CHECKING: who builds a union of them needs them when the program runs.
Endian = Literal["big", "little"]
OrderName = Literal["ABCD", "CDAB", "BADC", "DCBA", "MODICON"]

_ENDIANS = ("big", "little")


class Order(NamedTuple):
    """The order of the two bytes in a register, and of the registers of one number.

    "big" puts what counts most first. `word_order` turns the registers of a number round, not
    those of a text; `byte_order` turns the two bytes of every register round.
    """

    byte_order: Endian = "big"
    word_order: Endian = "big"


# By where the four bytes of a 32-bit number lie, A the one that counts most.
ABCD = Order("big", "big")
CDAB = Order("big", "little")
BADC = Order("little", "big")
DCBA = Order("little", "little")
MODICON = CDAB  # of the Modicon controllers: the low register first
_ORDERS: dict[str, Order] = {
    "ABCD": ABCD,
    "CDAB": CDAB,
    "BADC": BADC,
    "DCBA": DCBA,
    "MODICON": MODICON,
}


def find_order(
    byte_order: Endian | None, word_order: Endian | None, order: Order | OrderName
) -> Order:
    """`order`, with the two others in place of its own where they are given; ValueError."""
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
    """Turn the 16-bit words round in each number of `number_size` bytes; it undoes itself."""
    if number_size <= 2:
        return data
    return b"".join(
        data[at - 2 : at]
        for end in range(number_size, len(data) + 1, number_size)
        for at in range(end, end - number_size, -2)
    )


def swap_bytes(data: bytes) -> bytes:
    """Turn the two bytes of each word round; `data` has an even size. It undoes itself."""
    swapped = bytearray(data)
    swapped[::2] = data[1::2]
    swapped[1::2] = data[::2]
    return bytes(swapped)

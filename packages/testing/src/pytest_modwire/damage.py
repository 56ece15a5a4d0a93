"""Framings that damage single answers: the damage travels with the PDU of the answer."""

from __future__ import annotations

from collections.abc import Callable

from modwire import (
    AsciiFraming,
    BinaryFraming,
    Framing,
    Response,
    RtuFraming,
    TcpFraming,
)
from modwire.immutable import set_field

Damage = Callable[[Framing, int, int, bytes], bytes]
"""Returns the bytes of an answer, from its framing, unit, transaction and PDU."""

_OTHER_TRANSACTION = 0x8000  # far from those of other open requests


class _DamagedPdu(bytes):
    """A PDU with the damage that its frame gets."""

    damage: Damage


class DamagedResponse(Response):
    """`response`, whose frame gets the `damage`; for a `FaultyResponse` that is damaged."""

    __slots__ = ("damage", "response")
    __match_args__ = ("response", "damage")
    response: Response
    damage: Damage

    def __init__(self, response: Response, damage: Damage) -> None:
        set_field(self, "response", response)
        set_field(self, "damage", damage)

    def encode(self) -> bytes:
        pdu = _DamagedPdu(self.response.encode())
        pdu.damage = self.damage
        return pdu


class _Damaging(Framing):
    """Applies the damage of a PDU; without one, the checksum is wrong."""

    def wrap_damaged(self, unit: int, transaction: int, pdu: bytes) -> bytes:
        if isinstance(pdu, _DamagedPdu):
            return pdu.damage(self, unit, transaction, bytes(pdu))
        return super().wrap_damaged(unit, transaction, pdu)


class _DamagingTcp(_Damaging, TcpFraming):
    pass


class _DamagingRtu(_Damaging, RtuFraming):
    pass


class _DamagingAscii(_Damaging, AsciiFraming):
    pass


class _DamagingBinary(_Damaging, BinaryFraming):
    pass


DAMAGING: dict[str, type[Framing]] = {
    each.name: each for each in (_DamagingTcp, _DamagingRtu, _DamagingAscii, _DamagingBinary)
}
"""The framings by name."""


def other_transaction(framing: Framing, unit: int, transaction: int, pdu: bytes) -> bytes:
    """Return the frame with the transaction id of no request."""
    return framing.wrap(unit, transaction ^ _OTHER_TRANSACTION, pdu)


def one_byte_less(framing: Framing, unit: int, transaction: int, pdu: bytes) -> bytes:
    """Return a frame that is one byte shorter than it says.

    With MBAP that is the length in its header; serial frames have a right checksum, but their data
    ends early.
    """
    if framing.is_serial:
        return framing.wrap(unit, transaction, pdu[:-1])
    return framing.wrap(unit, transaction, pdu)[:-1]


def first_half(framing: Framing, unit: int, transaction: int, pdu: bytes) -> bytes:
    """Return a frame without its second half."""
    frame = framing.wrap(unit, transaction, pdu)
    return frame[: len(frame) // 2]

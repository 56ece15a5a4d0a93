"""`Frame`: the content of one ADU. Framings make frames, protocols process them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import TypeAlias


class Frame(NamedTuple):
    """A unit id, a transaction id (0 in all framings except TCP) and a PDU."""

    unit: int
    transaction: int
    pdu: bytes


# Framings make plain tuples, because that takes a third of the time.
Raw: TypeAlias = "tuple[int, int, bytes]"


class OverheardFrame(Frame):
    """A frame on a shared serial line that is not for this side.

    It can only be a response if a server received it, or a request if a client received it.
    """

    __slots__ = ()

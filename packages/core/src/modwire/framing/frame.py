"""`Frame`: one ADU without its envelope. Framings make them, protocols take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import TypeAlias


class Frame(NamedTuple):
    """A unit id, a transaction id (0 on all framings but TCP) and a PDU."""

    unit: int
    transaction: int
    pdu: bytes


# A frame as framings keep it: making a plain tuple takes a third of the time.
Raw: TypeAlias = "tuple[int, int, bytes]"


class OverheardFrame(Frame):
    """A frame on a shared serial line that cannot be meant for this side.

    It can only be a response where a server listens, or only a request where a client does.
    """

    __slots__ = ()

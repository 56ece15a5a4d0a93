"""`Frame`: one ADU without its envelope. Framings make them, protocols take them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Frame(NamedTuple):
    """A unit id, a transaction id (0 on all framings but TCP) and a PDU."""

    unit: int
    transaction: int
    pdu: bytes


# Frame(...) without the Python function that NamedTuple adds: one is made per message.
new_frame: Callable[[type[Frame], tuple[int, int, bytes]], Frame] = tuple.__new__  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


class OverheardFrame(Frame):
    """A frame on a shared serial line that cannot be meant for this side.

    It can only be a response where a server listens, or only a request where a client does.
    """

    __slots__ = ()

"""The four framings, which carry a PDU over TCP, RTU, ASCII and Binary links."""

from .ascii import AsciiFraming
from .base import Framing
from .binary import BinaryFraming
from .frame import Frame, OverheardFrame
from .rtu import RtuFraming
from .tcp import TcpFraming

FRAMINGS: dict[str, type[Framing]] = {
    framing.name: framing for framing in (TcpFraming, RtuFraming, AsciiFraming, BinaryFraming)
}

__all__ = [
    "FRAMINGS",
    "AsciiFraming",
    "BinaryFraming",
    "Frame",
    "Framing",
    "OverheardFrame",
    "RtuFraming",
    "TcpFraming",
]

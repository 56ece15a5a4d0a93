"""The four framings, which carry a PDU over TCP, RTU, ASCII and Binary links.

`PymodbusBinaryFraming` is another form of the last one; `FRAMINGS`, by name, has only ours.
"""

from .ascii import AsciiFraming
from .base import Framing
from .binary import BinaryFraming
from .frame import Frame, OverheardFrame
from .pymodbus_binary import PymodbusBinaryFraming
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
    "PymodbusBinaryFraming",
    "RtuFraming",
    "TcpFraming",
]

"""`SerialSettings`: the settings of a serial line, for endpoints and every client and server."""

from __future__ import annotations

from typing import Protocol, TypedDict

from .arguments import explained
from .framing.ascii import AsciiFraming
from .framing.base import Framing
from .immutable import Immutable, set_field
from .options import silent_interval

SERIAL_TOLERANCE = 0.02
"""Seconds of silence that operating systems and USB adapters may cause inside a frame."""


_NATIVE_URLS = ("spy", "alt", "hwgrep")  # other ways to name a port of this machine
_FOREIGN_URLS = ("rfc2217", "socket", "loop", "cp2110")


def port_scheme(port: str) -> str:
    """Return the scheme of a port that is one of pyserial's URLs, "" for a name."""
    scheme, separator, _ = port.partition("://")
    return scheme.lower() if separator else ""


def check_port(port: str, *, rs485: bool) -> str:
    """Return the name of the device that `port`, a name or a pyserial URL, stands for.

    Programs may add schemes of their own to pyserial's `protocol_handler_packages`. Raises
    ValueError for an endpoint, and for RS-485 mode of a port that is not of this machine.
    """
    scheme, rest = port_scheme(port), port.partition("://")[2]
    hint = ""
    if scheme in ("tcp", "udp", "tls", "unix"):
        hint = f"for serial frames over a network use the endpoint rtu+{scheme}://{rest}"
    elif scheme.partition("+")[0] in ("rtu", "ascii", "binary"):
        hint = "it is an endpoint, which connect() takes"
    if hint:
        raise ValueError(f"{port!r} is no serial port: {hint}")
    if rs485 and scheme in _FOREIGN_URLS:
        raise ValueError(f"rs485 is for ports of this machine, {scheme}:// has no such mode")
    return rest.partition("?")[0].partition("#")[0] if scheme in _NATIVE_URLS else port


class Rs485Settings(Protocol):
    """The attributes of pyserial's `RS485Settings`; the core does not import pyserial."""

    rts_level_for_tx: bool
    rts_level_for_rx: bool
    loopback: bool
    delay_before_tx: float | None
    delay_before_rx: float | None


class PortArguments(TypedDict):
    """The settings of a line under the names that pyserial uses."""

    baudrate: int
    bytesize: int
    parity: str
    stopbits: int


class SerialSettings(Immutable):
    """The settings of a serial line, immutable; None for `bytesize` or `stopbits` is the default.

    - `framing`: a framing class for serial lines, such as `RtuFraming`.
    - `baudrate`: bit/s, a whole number above 0.
    - `bytesize`: data bits, 8 for RTU and Binary, 7 (the default) or 8 for ASCII.
    - `parity`: "N", "E" or "O". `stopbits`: 1, or 2 (the default without parity).
    - `silence`: t3.5, seconds that the line must be silent between RTU frames.
    - `character_time`: seconds that one character takes on the line.

    The defaults are those of MODBUS over Serial Line V1.02, section 2.5. Raises ValueError for a
    setting out of range, and TypeError unless `framing` is a subclass of Framing.
    """

    __match_args__ = ("framing", "baudrate", "bytesize", "parity", "stopbits")
    framing: type[Framing]
    baudrate: int
    bytesize: int
    parity: str
    stopbits: int
    silence: float
    character_time: float

    @explained
    def __init__(
        self,
        framing: type[Framing],
        *,
        baudrate: int = 19200,
        bytesize: int | None = None,
        parity: str = "E",
        stopbits: int | None = None,
    ) -> None:
        Framing.check_class(framing)
        if framing.has_transactions:
            raise ValueError(f"framing must be one for serial lines, got {framing.__name__}")
        if parity not in ("N", "E", "O"):
            raise ValueError(f"parity must be N, E or O, got {parity!r}")
        silence = silent_interval(baudrate)
        # RTU and Binary frames have all 256 byte values, which 7 bits cannot carry.
        sizes = (7, 8) if issubclass(framing, AsciiFraming) else (8,)
        bits = sizes[0] if bytesize is None else bytesize
        if not isinstance(bits, int) or bits not in sizes:
            raise ValueError(
                f"bytesize must be 7 or 8 for ascii, 8 for rtu and binary, got {bytesize!r}"
            )
        # Without parity a second stop bit keeps the character at 11 bits (section 2.5.1).
        stops = 1 + (parity == "N") if stopbits is None else stopbits
        if isinstance(stops, bool) or not isinstance(stops, int) or stops not in (1, 2):
            raise ValueError(f"a serial line must have stopbits 1 or 2, got {stopbits!r}")
        set_field(self, "framing", framing)
        set_field(self, "baudrate", baudrate)
        set_field(self, "bytesize", bits)
        set_field(self, "parity", parity)
        set_field(self, "stopbits", stops)
        set_field(self, "silence", silence)
        set_field(self, "character_time", (1 + bits + (parity != "N") + stops) / baudrate)

    def port_arguments(self, device: str) -> PortArguments:
        """Return pyserial's arguments for these settings; `device` is a path without links.

        A pseudo-terminal has neither parity nor 7 bits, and glibc reports an error for settings
        without effect, so a second opening would fail. Therefore it gets 8 bits and no parity.
        """
        is_terminal = device.startswith("/dev/pts/")
        return {
            "baudrate": self.baudrate,
            "bytesize": 8 if is_terminal else self.bytesize,
            "parity": "N" if is_terminal else self.parity,
            "stopbits": self.stopbits,
        }

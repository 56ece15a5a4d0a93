"""`SerialClient`: a client on a serial port, opened with pyserial when it is first needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modwire.framing.ascii import AsciiFraming
from modwire.framing.rtu import RtuFraming
from modwire.options import ClientOptions, silent_interval

from .client import Client

if TYPE_CHECKING:
    from serial.rs485 import RS485Settings

    from modwire.framing import Framing

    from .links import Link

_TOLERANCE = 0.02  # seconds by which an operating system or a USB adapter may tear a frame apart
_MAX_ADU = 256


class SerialClient(Client):
    """A client on a serial line: RTU, ASCII or Binary.

    - `port` is a device such as "/dev/ttyUSB0" or "COM3", or a pyserial URL.
    - `baudrate`, `bytesize` (8, and 7 for ASCII), `parity` "N", "E" or "O", `stopbits` (1, and 2
      without parity) have the defaults of MODBUS over Serial Line V1.02, section 2.5.
    - `unit` (1..247) is asked where a call names none; unit 0 is a broadcast.
    - `timeout` is how many seconds the answer may take from the request's last bit to its own;
      by default 1 second and the time that 256 characters take at this `baudrate`.
    - `retries` is how often a read is sent again.
    - `suppress_echo` drops what an RS-485 adapter hears of its own sending.
    - `rs485` switches the driver's RS-485 mode on: True, or pyserial's `RS485Settings`.
    - `exclusive` keeps other programs from opening the port.
    - `options` replaces `unit`, `timeout`, `retries` and `suppress_echo`, and has the rest; its
      `silence` should be `silent_interval(baudrate)` and its `tolerance` about 0.02.
    """

    def __init__(
        self,
        port: str,
        *,
        framing: type[Framing] = RtuFraming,
        baudrate: int = 19200,
        bytesize: int | None = None,
        parity: str = "E",
        stopbits: int | None = None,
        unit: int = 1,
        timeout: float | None = None,
        retries: int = 0,
        suppress_echo: bool = False,
        options: ClientOptions | None = None,
        rs485: RS485Settings | bool | None = None,
        exclusive: bool = True,
    ) -> None:
        if framing.has_transactions:
            raise ValueError(f"framing must be one for serial lines, got {framing.__name__}")
        if parity not in ("N", "E", "O"):
            raise ValueError(f"parity must be N, E or O, got {parity!r}")
        self._baudrate = baudrate
        self._parity = parity
        self._bytesize = bytesize or (7 if framing is AsciiFraming else 8)
        self._stopbits = stopbits or (2 if parity == "N" else 1)
        if self._bytesize not in (7, 8) or self._stopbits not in (1, 2):
            raise ValueError(
                f"bytesize must be 7 or 8 and stopbits 1 or 2, got {bytesize} and {stopbits}"
            )
        self._port = port
        self._rs485 = rs485
        self._exclusive = exclusive
        silence = silent_interval(baudrate)
        bits = 1 + self._bytesize + (parity != "N") + self._stopbits
        self._character_time = bits / baudrate
        if options is None:
            options = ClientOptions(
                unit=unit,
                response_timeout=timeout or 1.0 + _MAX_ADU * self._character_time,
                retries=retries,
                suppress_echo=suppress_echo,
                silence=silence,
                tolerance=_TOLERANCE,
            )
        elif (unit, timeout, retries, suppress_echo) != (1, None, 0, False):
            raise ValueError(
                "unit, timeout, retries and suppress_echo must be left out beside options, "
                "which have them"
            )
        super().__init__(f"{framing.name}://{port}", framing, options)

    def _open_link(self) -> Link:
        from .serial_link import SerialLink, open_port

        port = open_port(
            self._port,
            baudrate=self._baudrate,
            bytesize=self._bytesize,
            parity=self._parity,
            stopbits=self._stopbits,
            rs485=self._rs485,
            exclusive=self._exclusive,
        )
        return SerialLink(port, self._character_time)

"""`SerialClient`: a client on a serial port, opened with pyserial when it is first needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modwire.endpoint import path_name
from modwire.framing.rtu import RtuFraming
from modwire.serial_settings import SerialSettings

from .client import Client

if TYPE_CHECKING:
    from serial.rs485 import RS485Settings

    from modwire.client.options import ClientOptions
    from modwire.framing import Framing

    from .links import Link


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
      `silence` and `tolerance` are raised to what the line needs.
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
        settings = SerialSettings(
            framing, baudrate=baudrate, bytesize=bytesize, parity=parity, stopbits=stopbits
        )
        options = settings.client_options(
            unit=unit,
            timeout=timeout,
            retries=retries,
            suppress_echo=suppress_echo,
            options=options,
        )
        self._settings = settings
        self._port = port
        self._rs485 = rs485
        self._exclusive = exclusive
        self._set_up(path_name("serial", framing, port), framing, options)

    async def _open_link(self) -> Link:
        from .serial_link import open_link

        return await open_link(
            self._port, self._settings, rs485=self._rs485, exclusive=self._exclusive
        )

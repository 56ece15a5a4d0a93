"""Serial ports: opening one with pyserial, its descriptor and its overruns.

Imported, with pyserial, when the first port is opened; modwire-trio and modwire-gevent use it too.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from struct import Struct
from typing import TYPE_CHECKING

import serial
import serial.rs485

if TYPE_CHECKING:
    from modwire.serial_settings import Rs485Settings, SerialSettings

_LINE_COUNTERS = Struct("@20i")  # Linux: struct serial_icounter_struct
_OVERRUNS = (7, 10)  # indexes of the hardware and the buffer overruns


def open_port(
    port: str,
    settings: SerialSettings,
    *,
    rs485: Rs485Settings | bool | None,
    exclusive: bool,
    write_timeout: float | None = None,
) -> serial.Serial:
    """Open a port whose reads do not wait; `write_timeout` is in seconds.

    Raises OSError, and ValueError for settings that the driver does not support.
    """
    opened: serial.Serial = serial.serial_for_url(
        port,
        **settings.port_arguments(os.path.realpath(port)),
        timeout=0,
        write_timeout=write_timeout,
        exclusive=True if exclusive else None,
    )
    if rs485:
        try:
            mode = serial.rs485.RS485Settings() if rs485 is True else rs485
            if not isinstance(mode, serial.rs485.RS485Settings):
                raise TypeError(f"rs485 must be True or pyserial's RS485Settings, got {rs485!r}")
            opened.rs485_mode = mode
        except BaseException:
            opened.close()
            raise
    return opened


def descriptor(port: serial.Serial) -> int | None:
    """Return the descriptor of the port for `select` and `poll`; None if it has none.

    It does not block: reading raises BlockingIOError if no bytes have arrived, and returns b""
    only if the port has hung up.
    """
    if os.name != "posix":
        return None
    import termios

    try:
        number: int = port.fileno()
    except (AttributeError, io.UnsupportedOperation):
        return None
    os.set_blocking(number, False)
    with suppress(termios.error):  # a URL may be a socket
        # pyserial sets VMIN to 0, and then a read without bytes looks like a hang-up.
        attributes = termios.tcgetattr(number)
        attributes[6][termios.VMIN] = 1
        termios.tcsetattr(number, termios.TCSANOW, attributes)
    return number


def count_overruns(number: int) -> int | None:
    """Number of times that the port has lost characters; None if the system does not count it."""
    if sys.platform != "linux":
        return None
    import fcntl
    import termios

    try:
        counters = fcntl.ioctl(number, termios.TIOCGICOUNT, bytes(_LINE_COUNTERS.size))
    except OSError:
        return None
    values: tuple[int, ...] = _LINE_COUNTERS.unpack(counters)
    return sum([values[index] for index in _OVERRUNS])

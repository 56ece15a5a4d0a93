"""Serial ports: opening one with pyserial, reading and closing it, its descriptor, its overruns.

Imported, with pyserial, when the first port is opened; modwire-trio and modwire-gevent use it too.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from _thread import allocate_lock, start_new_thread
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from struct import Struct
from time import monotonic
from typing import TYPE_CHECKING, Any

import serial
import serial.rfc2217
import serial.rs485

from modwire.client.aside import call_aside
from modwire.forks import forget_after_fork
from modwire.serial_settings import check_port, port_scheme

if TYPE_CHECKING:
    from modwire.serial_settings import Rs485Settings, SerialSettings

WRITE_TIMEOUT = 5.0  # seconds after the transmission time until a server's port is stuck
_LINE_COUNTERS = Struct("@20i")  # Linux: struct serial_icounter_struct
_OVERRUNS = (7, 10)  # indexes of the hardware and the buffer overruns
_SLICE = 0.02  # seconds of one read of an RFC 2217 port


def open_port(
    port: str,
    settings: SerialSettings,
    *,
    rs485: Rs485Settings | bool | None,
    exclusive: bool,
    write_timeout: float | None = WRITE_TIMEOUT,
) -> serial.Serial:
    """Open a port whose reads do not wait; `write_timeout` is in seconds.

    `port` is a name ("/dev/ttyUSB0", "COM3") or one of pyserial's URLs. Raises OSError, and
    ValueError for an unknown URL and for settings that the driver does not support.
    """
    device = check_port(port, rs485=bool(rs485))
    scheme = port_scheme(port)
    if scheme == "cp2110" and find_spec("hid") is None:
        raise ValueError("cp2110:// needs the package hidapi, which is not installed")
    is_rfc2217 = scheme == "rfc2217"
    opened: serial.Serial = serial.serial_for_url(
        port,
        **settings.port_arguments(os.path.realpath(device)),
        # Each change of a setting is negotiated with the RFC 2217 server, which takes 0.3 s, so
        # its timeout is set once; pyserial supports no timeout for its writes.
        timeout=_SLICE if is_rfc2217 else 0,
        write_timeout=None if is_rfc2217 else write_timeout,
        exclusive=True if exclusive else None,
    )
    forget_after_fork(opened, forget_port, getattr(os, "register_at_fork", None))
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


def open_aside(port: str, settings: SerialSettings, **more: Any) -> serial.Serial:
    """Do what `open_port` does where no interrupt can leave a port open, and locked, for good."""
    return call_aside(partial(open_port, port, settings, **more), start_new_thread, allocate_lock)


def read_port(port: serial.Serial, seconds: float) -> bytes:
    """Wait up to `seconds` for bytes; return those that have arrived, b"" if there are none.

    For ports without a descriptor, where only a read can wait. Raises OSError if the port is lost;
    if another thread closes the port, drivers may raise any error.
    """
    if seconds <= 0:
        waiting: bytes = port.read(count) if (count := port.in_waiting) else b""
        return waiting
    data: bytes
    if isinstance(port, serial.rfc2217.Serial):
        until = monotonic() + seconds
        while not (data := port.read(1)) and monotonic() < until:
            pass
    else:
        if port.timeout != seconds:  # a change sets up the whole port anew
            port.timeout = seconds
        data = port.read(1)
    return data + port.read(port.in_waiting) if data else b""


def close_aside(port: serial.Serial) -> None:
    """Discard unsent bytes and close a port; those on a network in a thread: it takes 0.3 s."""
    if isinstance(port, serial.Serial):
        with suppress(Exception):  # if the port is gone, drivers raise any error
            if port.out_waiting:  # Linux would wait for up to 30 s until they are sent
                port.reset_output_buffer()
    if type(port).__module__.endswith((".rfc2217", ".protocol_socket")):
        threading.Thread(target=port.close, name="modwire-close", daemon=True).start()
    else:
        port.close()


def forget_port(port: serial.Serial) -> None:
    """Make a port that another process has opened unusable in this one; then it may be closed.

    Closing it may shut its connection down, discard bytes or release its lock, for both processes.
    So its descriptor is replaced: the port seems to have hung up.
    """
    with suppress(Exception):  # of a port in any state
        number = getattr(port, "_socket", port).fileno()
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, number)
        os.close(null)


def descriptor(port: serial.Serial) -> int | None:
    """Return the descriptor of the port for `select` and `poll`; None if it has none.

    None also for spy://, which shows only what passes through pyserial's methods. The descriptor
    does not block: reading raises BlockingIOError if no bytes have arrived, and returns b""
    only if the port has hung up.
    """
    if os.name != "posix" or type(port).__module__.endswith(".protocol_spy"):
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

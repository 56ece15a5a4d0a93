"""The links of a device: a loopback port, or two pseudo-terminals in place of a serial line."""

from __future__ import annotations

import os
import select
import socket
import threading
from functools import partial
from typing import TYPE_CHECKING

from modwire_sync import TcpServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

_CHUNK = 4096


class Tear:
    """Holds the place and the pause of the next answer that is sent in two pieces.

    `pause(seconds)` waits, unless the device is closed.
    """

    def __init__(self, pause: Callable[[float], object]) -> None:
        self._pause = pause
        self._next: tuple[int, float] | None = None

    def set_next(self, at: int, seconds: float) -> None:
        """Tear the next answer after `at` bytes, for `seconds`."""
        self._next = at, seconds

    def send(self, send: Callable[[bytes], int], data: bytes) -> int:
        """Send `data`, or its first piece and wait; return the number of bytes sent."""
        if self._next is None:
            return send(data)
        (at, seconds), self._next = self._next, None
        sent = send(data[:at])
        self._pause(seconds)
        return sent


class TearingTcpServer(TcpServer):
    """A server whose answers may be torn; `tear` is set after its construction."""

    tear: Tear

    def wrap_socket(self, accepted: socket.socket) -> socket.socket:
        return _TearingSocket(accepted, self.tear)


class _TearingSocket(socket.socket):
    """Takes the place of an accepted socket."""

    def __init__(self, accepted: socket.socket, tear: Tear) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, accepted.detach())
        self.setblocking(False)
        self._tear = tear

    def send(self, data: Buffer, flags: int = 0, /) -> int:
        return self._tear.send(super().send, bytes(data))


class SerialCable:
    """Two serial ports that are joined as if by a cable: `client_port` and `device_port`.

    Only one end of a pseudo-terminal has a name, so there are two of them, and a thread copies the
    bytes. Raises RuntimeError if this system has no pseudo-terminals.
    """

    def __init__(self, tear: Tear) -> None:
        if not hasattr(os, "openpty"):
            raise RuntimeError(
                "this system has no pseudo-terminals for a serial line: take rtu+tcp or ascii+tcp"
            )
        import tty

        self._tear = tear
        self._client, client_port = os.openpty()
        self._device, device_port = os.openpty()
        self._wake, self._waker = os.pipe()
        # The named ends stay open here: without them, a client that closes its port ends the line.
        self._open = (client_port, device_port, self._client, self._device, self._wake, self._waker)
        for port in (client_port, device_port):
            tty.setraw(port)
        for end in (self._client, self._device):
            os.set_blocking(end, False)  # `select` says that a byte fits, not how many
        self.client_port, self.device_port = os.ttyname(client_port), os.ttyname(device_port)
        self._thread = threading.Thread(target=self._carry, name="modbus-cable", daemon=True)
        self._thread.start()

    def _carry(self) -> None:
        while True:
            ready, _, _ = select.select([self._client, self._device, self._wake], [], [])
            if self._wake in ready:
                return
            if self._client in ready:
                self._write(self._device, os.read(self._client, _CHUNK))
            if self._device in ready:
                data = os.read(self._device, _CHUNK)
                sent = self._tear.send(partial(self._write, self._client), data)
                self._write(self._client, data[sent:])

    def _write(self, end: int, data: bytes) -> int:
        """Write all of `data`, unless the cable is closed meanwhile: nobody may read there."""
        left = data
        while left:
            ready, _, _ = select.select([self._wake], [end], [])
            if self._wake in ready:
                break
            left = left[os.write(end, left) :]
        return len(data) - len(left)

    def close(self) -> None:
        """End the thread and close both ports."""
        os.write(self._waker, b".")
        self._thread.join()
        for each in self._open:
            os.close(each)

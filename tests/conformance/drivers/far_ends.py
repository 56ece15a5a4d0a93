"""Scripted peers on sockets and pseudo-terminals, for every driver that can wait for a descriptor.

They do not respond by themselves, so that a script can simulate every fault.
"""

from __future__ import annotations

import os
import socket
import tty
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .base import Driver

_PATIENCE = 20.0  # seconds
_MOMENT = 0.001  # seconds until a full buffer is tried again
_NO_DELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
_LINGER_NOT = (socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


class End:
    """The peer's end of one link."""

    async def receive(self, size: int) -> bytes:
        """Receive `size` bytes; fewer if the link ends or no more bytes arrive."""
        raise NotImplementedError

    async def receive_for(self, seconds: float) -> bytes:
        """Return the first bytes that arrive within `seconds`, or b""."""
        raise NotImplementedError

    async def send(self, data: bytes) -> None:
        raise NotImplementedError

    async def ends(self) -> bool:
        """Return True if the other side closes the link without sending anything before."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def reset(self) -> None:
        """Close the connection with RST instead of FIN."""
        raise NotImplementedError

    def end_sending(self) -> None:
        """Close a connection in one direction."""
        raise NotImplementedError


class Listener:
    """Accepts the connections of a client; `address` is the address for the client."""

    address: Any

    async def accept(self) -> End:
        raise NotImplementedError

    def go_away(self) -> None:
        """Refuse every connection from now on."""
        raise NotImplementedError

    def come_back(self) -> None:
        """Listen at the same address again."""
        raise NotImplementedError

    def be_busy(self) -> None:
        """Neither accept nor refuse connections, until `be_free` or `go_away`."""
        raise NotImplementedError

    def be_free(self) -> None:
        """Accept connections again, also those that were attempted meanwhile."""
        raise NotImplementedError

    def has_visitor(self) -> bool:
        """True if a connection waits to be accepted."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class DescriptorEnd(End):
    """The common part of sockets and terminals: they wait for the descriptor."""

    def __init__(self, driver: Driver, descriptor: int) -> None:
        self._driver = driver
        self._descriptor = descriptor

    def _read(self, size: int) -> bytes:
        """Read available bytes; b"" at the end; raises OSError if the link was reset."""
        raise NotImplementedError

    def _write(self, data: bytes) -> int:
        """Send as much of `data` as the buffer takes; raises BlockingIOError if it is full."""
        raise NotImplementedError

    async def send(self, data: bytes) -> None:
        for _ in range(int(_PATIENCE / _MOMENT)):
            with suppress(BlockingIOError):
                data = data[self._write(data) :]
                if not data:
                    return
            await self._driver.sleep(_MOMENT)
        raise AssertionError(f"{len(data)} bytes cannot be sent: nobody reads them")

    async def receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            if not await self._driver.readable(self._descriptor, _PATIENCE):
                break
            piece = self._read(size - len(data))
            if not piece:
                break
            data += piece
        return data

    async def receive_for(self, seconds: float) -> bytes:
        if not await self._driver.readable(self._descriptor, seconds):
            return b""
        return self._read(4096)

    async def ends(self) -> bool:
        if not await self._driver.readable(self._descriptor, _PATIENCE):
            return False
        try:
            return self._read(4096) == b""
        except OSError:
            return True


class SocketEnd(DescriptorEnd):
    """The peer's end of a connection."""

    def __init__(self, driver: Driver, link: socket.socket) -> None:
        super().__init__(driver, link.fileno())
        link.setblocking(False)
        if link.family != socket.AF_UNIX and link.type == socket.SOCK_STREAM:
            link.setsockopt(*_NO_DELAY)
        self._socket = link

    def _read(self, size: int) -> bytes:
        return self._socket.recv(size)

    def _write(self, data: bytes) -> int:
        return self._socket.send(data)

    def close(self) -> None:
        self._socket.close()

    def reset(self) -> None:
        self._socket.setsockopt(*_LINGER_NOT)
        self._socket.close()

    def end_sending(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)


class DatagramEnd(SocketEnd):
    """A datagram socket that sends to the address it last received from, first to `peer`."""

    def __init__(self, driver: Driver, link: socket.socket, peer: Any = None) -> None:
        super().__init__(driver, link)
        self._peer = peer

    def _read(self, size: int) -> bytes:
        data, self._peer = self._socket.recvfrom(4096)
        return data

    def _write(self, data: bytes) -> int:
        return self._socket.sendto(data, self._peer)


class PtyEnd(DescriptorEnd):
    """The peer's end of a serial line."""

    def __init__(self, driver: Driver, descriptor: int) -> None:
        super().__init__(driver, descriptor)
        os.set_blocking(descriptor, False)

    def _read(self, size: int) -> bytes:
        return os.read(self._descriptor, size)

    def _write(self, data: bytes) -> int:
        return os.write(self._descriptor, data)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    reset = close  # the adapter is pulled out


class SocketListener(Listener):
    """A listening socket; at `path`, or at a port of the loopback address."""

    def __init__(self, driver: Driver, path: str | None) -> None:
        self._driver = driver
        self._fillers: list[socket.socket] = []
        self._accepted: list[socket.socket] = []
        # Keeps the port for this listener while it is away.
        self._place = socket.socket()
        if path is None:
            self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._place.bind(("127.0.0.1", 0))
        self.address = self._place.getsockname() if path is None else path
        self._socket = self._open(self.address)

    def _open(self, address: Any) -> socket.socket:
        if isinstance(address, str):
            link = socket.socket(socket.AF_UNIX)
            link.bind(address)
            link.listen()
        else:
            link = socket.create_server(address)
        link.setblocking(False)
        return link

    async def accept(self) -> End:
        if self._accepted:
            return SocketEnd(self._driver, self._accepted.pop())
        ready = await self._driver.readable(self._socket.fileno(), _PATIENCE)
        assert ready, "the client did not connect"
        return SocketEnd(self._driver, self._socket.accept()[0])

    def has_visitor(self) -> bool:
        try:
            accepted, _ = self._socket.accept()
        except OSError:
            return False
        accepted.close()
        return True

    def go_away(self) -> None:
        self._socket.close()
        for each in self._fillers:
            each.close()
        self._fillers = []
        if isinstance(self.address, str) and os.path.exists(self.address):
            os.unlink(self.address)

    def come_back(self) -> None:
        self._socket = self._open(self.address)

    def be_busy(self) -> None:
        # The system answers no more handshakes when the queue is full, and clients wait.
        self._socket.listen(0)
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(self.address)
            self._fillers.append(filler)

    def be_free(self) -> None:
        fillers = [each.getsockname() for each in self._fillers]
        for each in self._fillers:
            each.close()
        self._fillers = []
        with suppress(BlockingIOError):
            while True:
                link, address = self._socket.accept()
                if address in fillers:
                    link.close()
                else:
                    self._accepted.append(link)
        self._socket.listen()

    def close(self) -> None:
        self.go_away()
        self._place.close()
        for each in self._accepted:
            each.close()


class DatagramListener(Listener):
    """A datagram socket, which is the far end too."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = self._socket.getsockname()

    async def accept(self) -> End:
        return DatagramEnd(self._driver, self._socket)

    def go_away(self) -> None:
        self._socket.close()

    def close(self) -> None:
        self._socket.close()


class PtyListener(Listener):
    """A pseudo-terminal; `address` is the device, which this side keeps open too."""

    def __init__(self, driver: Driver) -> None:
        far, self._near = os.openpty()
        tty.setraw(self._near)
        self._end = PtyEnd(driver, far)
        self.address = os.ttyname(self._near)

    async def accept(self) -> End:
        return self._end

    def close(self) -> None:
        self._end.close()
        os.close(self._near)


def dial(driver: Driver, link: str, address: Any) -> End:
    """A connection to a server; a terminal's far end is its own address."""
    if isinstance(address, End):
        return address
    if link == "udp":
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.connect(address)
        return SocketEnd(driver, made)
    made = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    made.settimeout(_PATIENCE)
    try:
        made.connect(address)
    except OSError:
        made.close()
        raise
    return SocketEnd(driver, made)

"""Links: open sockets, on which a client sends and receives bytes with timeouts.

The client in `client.py` has one link at a time. A link decides nothing and is not thread-safe:
one thread at a time may send and one may receive; any thread may call `interrupt`.
"""

from __future__ import annotations

import select
import socket
from contextlib import suppress
from threading import RLock
from time import monotonic
from typing import TYPE_CHECKING

from modwire.client.threads import ThreadLink

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from modwire.tls.channel import Channel

    NewChannel: TypeAlias = "Callable[[Callable[[int], bytes], Callable[[bytes], int]], Channel]"

_CHUNK = 4096  # bytes per receive: 16 answers of the largest size
LONGEST_WAIT = 3600.0  # seconds; system calls refuse very long timeouts, so the client waits again


class Link(ThreadLink):
    """The interface of an open link. OSError from any method means that the link is lost.

    `send` sends all of `data`. All waits end in time, however many signals arrive meanwhile.
    """

    is_datagram = False
    is_connection = False
    is_sending = False  # `send` returns when all is sent

    def withdraw(self, adu: bytes) -> bool:
        return True  # `send` has sent all

    def receive(self, seconds: float) -> bytes | OSError | None:
        """Return the bytes that arrive within `seconds`; None for none, b"" at the end.

        An error is returned, not raised, because the client passes it on like bytes.
        May return early, or after `LONGEST_WAIT`; with 0 or less, at once or soon.
        """
        raise NotImplementedError


class SocketLink(Link):
    """A connected stream or datagram socket, which the link owns from now on.

    `send_timeout` is in seconds. The socket never blocks. Waiting is apart from receiving, so that
    signals do not prolong it, and an interrupt tells whether bytes were taken.
    """

    def __init__(self, sock: socket.socket, send_timeout: float) -> None:
        self._sock = sock
        self.is_datagram = sock.type == socket.SOCK_DGRAM
        self.is_connection = not self.is_datagram
        self._recv: Callable[[int], bytes] = sock.recv
        self._send: Callable[[bytes], int] = sock.send
        self._send_timeout = send_timeout
        sock.setblocking(False)
        self._has_bytes = _waiting(sock, is_reading=True)

    def send(self, data: bytes, now: float) -> float:
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            limit = self._send_timeout
            send_rest(data[sent:], self._send, self._sock, now + limit, limit)
        return 0.0

    def receive(self, seconds: float) -> bytes | OSError | None:
        if not 0.0 <= seconds <= LONGEST_WAIT:
            seconds = min(max(seconds, 0.0), LONGEST_WAIT)
        self.has_taken = False
        try:
            if not self._has_bytes(seconds * 1000.0):
                return None
            self.has_taken = True
            return self._recv(_CHUNK)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno is None:
                raise  # the system's errors have one, so this is from a signal handler
            return error
        except ValueError as error:  # the socket was closed by another thread
            return OSError(str(error))

    def receive_now(self) -> bytes | None:
        try:
            return self._recv(_CHUNK)
        except BlockingIOError:
            return None

    def interrupt(self) -> None:
        with suppress(OSError):  # the peer has closed it already
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._sock.close()


class TlsLink(SocketLink):
    """A socket with TLS on it, on which one thread may send while another one receives."""

    def __init__(self, sock: socket.socket, send_timeout: float, new_channel: NewChannel) -> None:
        super().__init__(sock, send_timeout)
        channel = new_channel(sock.recv, sock.send)
        self.shake_hands, lock = channel.shake_hands, RLock()

        def recv(size: int) -> bytes:
            with lock:
                return channel.recv(size)

        def send(data: bytes) -> int:
            with lock:
                return channel.send(data)

        self._recv, self._send = recv, send

    def wait(self, seconds: float) -> bool:
        """Wait for bytes; True if there are some."""
        return bool(self._has_bytes(min(max(seconds, 0.0), LONGEST_WAIT) * 1000.0))


def _waiting(end: socket.socket | int, is_reading: bool) -> Callable[[float], object]:
    """Return a function that waits some milliseconds for bytes, or for room.

    Its result is true if there are some.
    """
    if hasattr(select, "poll"):
        poller = select.poll()
        poller.register(end, select.POLLIN if is_reading else select.POLLOUT)
        return poller.poll
    reading, writing = ((end,), ()) if is_reading else ((), (end,))
    return lambda milliseconds: any(select.select(reading, writing, (), milliseconds / 1000))


def send_rest(
    data: bytes, send: Callable[[bytes], int], end: socket.socket | int, until: float, limit: float
) -> None:
    """Send `data` on a socket or descriptor that was full; raise OSError if it is at `until`.

    `limit` is the time in seconds that the error names.
    """
    has_room = _waiting(end, is_reading=False)
    while data:
        seconds = min(max(until - monotonic(), 0.0), LONGEST_WAIT)
        if not has_room(seconds * 1000.0):
            raise OSError(f"could not send within {limit:g} s")
        with suppress(BlockingIOError):
            data = data[send(data) :]

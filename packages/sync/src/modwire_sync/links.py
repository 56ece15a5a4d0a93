"""Links: open sockets, on which a client sends and receives bytes with timeouts.

The client in `client.py` has one link at a time. A link decides nothing and is not thread-safe:
one thread at a time may send and one may receive; any thread may call `interrupt`.
"""

from __future__ import annotations

import os
import select
import socket
from contextlib import suppress
from struct import pack
from time import monotonic

from modwire.client.threads import ThreadLink

_CHUNK = 4096  # bytes per receive: 16 answers of the largest size
_QUICK = pack("@ll", 0, 1000)  # a timeval of a millisecond, which the system rounds up
_AT_ONCE = getattr(socket, "MSG_DONTWAIT", 0)
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

    def receive(self, until: float) -> bytes | OSError | None:
        """Return the bytes that arrive before `until`; None for none, b"" at the end.

        An error is returned, not raised, because the client passes it on like bytes.
        May return early, or after `LONGEST_WAIT`; if `until` is over, at once or soon.
        """
        raise NotImplementedError


class SocketLink(Link):
    """A connected stream or datagram socket, which the link owns from now on.

    `send_timeout` is in seconds. If the socket allows it, receiving waits for a moment in the
    kernel (SO_RCVTIMEO), because waiting apart from receiving costs a tenth of the rate. Longer
    waits are apart from it: the kernel's would begin anew after each signal, and an interrupt
    would not tell whether bytes were taken.
    """

    def __init__(self, sock: socket.socket, send_timeout: float) -> None:
        self._sock = sock
        self.is_datagram = sock.type == socket.SOCK_DGRAM
        self.is_connection = not self.is_datagram
        self._recv = sock.recv
        self._send = sock.send
        self._send_timeout = send_timeout
        sock.settimeout(None)
        # Not for subclasses (TLS), and for the sockets of gevent's or eventlet's monkey-patching,
        # which never block in the kernel.
        self._is_quick = type(sock) is socket.socket and _AT_ONCE and os.get_blocking(sock.fileno())
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _QUICK)
        except OSError:  # Windows, or a C library whose timeval is not two longs
            self._is_quick = False
        if not self._is_quick:
            sock.setblocking(False)

    def send(self, data: bytes, now: float) -> float:
        sent = self._send_some(data)
        while sent < len(data):
            rest = now + self._send_timeout - monotonic()
            if rest <= 0 or not _wait(self._sock, False, rest):
                raise OSError(f"could not send within {self._send_timeout:g} s")
            sent += self._send_some(data[sent:])
        return 0.0

    def _send_some(self, data: bytes) -> int:
        try:
            return self._send(data, _AT_ONCE)
        except BlockingIOError:
            return 0

    def receive(self, until: float) -> bytes | OSError | None:
        try:
            if self._is_quick:
                self.has_taken = True
                try:
                    return self._recv(_CHUNK)
                except BlockingIOError:
                    self.has_taken = False
            if not _wait(self._sock, True, until - monotonic()):
                return None
            self.has_taken = True
            return self._recv(_CHUNK, _AT_ONCE)
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
            return self._recv(_CHUNK, _AT_ONCE)
        except BlockingIOError:
            return None

    def interrupt(self) -> None:
        with suppress(OSError):  # the peer has closed it already
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._sock.close()


def _wait(sock: socket.socket, is_reading: bool, seconds: float) -> object:
    """Wait for bytes, or for room; the result is true if there are some."""
    seconds = min(max(seconds, 0.0), LONGEST_WAIT)
    if hasattr(select, "poll"):
        poller = select.poll()
        poller.register(sock, select.POLLIN if is_reading else select.POLLOUT)
        return poller.poll(seconds * 1000)
    reading, writing = ((sock,), ()) if is_reading else ((), (sock,))
    return any(select.select(reading, writing, (), seconds))

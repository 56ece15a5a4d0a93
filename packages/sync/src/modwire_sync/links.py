"""Links: open sockets, on which a client sends and receives bytes with timeouts.

The client in `client.py` has one link at a time. A link decides nothing and is not thread-safe:
one thread at a time may send and one may receive; any thread may call `interrupt`.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from struct import Struct
from time import monotonic

_CHUNK = 4096  # bytes per receive: 16 answers of the largest size
_TIMEVAL = Struct("@ll")
_LEAST = 0.00001  # seconds; 0 would mean no timeout
LONGEST_WAIT = 3600.0  # seconds; system calls refuse very long timeouts, so the client waits again


class Link:
    """The interface of an open link. OSError from any method means that the link is lost."""

    is_datagram = False
    is_connection = False
    is_sending = False  # `send` returns when all is sent

    def send(self, data: bytes, now: float) -> float:
        """Send all of `data`. Return the seconds that the line is busy with it, or 0.0."""
        raise NotImplementedError

    def withdraw(self, adu: bytes) -> bool:
        return True  # `send` has sent all

    def receive(self, seconds: float) -> bytes | OSError | None:
        """Return the bytes that arrive within `seconds`; None for none, b"" at the end.

        An error is returned, not raised, because the client passes it on like bytes.
        May return a little early, or after `LONGEST_WAIT`; with 0 or less, at once or soon.
        """
        raise NotImplementedError

    def receive_now(self) -> bytes | None:
        """Return the bytes that have arrived, without waiting; None and b"" as for `receive`."""
        raise NotImplementedError

    def interrupt(self) -> None:
        """Make a `receive` in another thread return soon. The link is unusable afterwards."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the link; to be called once, while no thread receives."""
        raise NotImplementedError


class SocketLink(Link):
    """A connected stream or datagram socket, which the link owns from now on.

    `send_timeout` is in seconds. If the socket allows it, the kernel applies the timeouts
    (SO_RCVTIMEO): an exchange then needs two system calls; with `settimeout` it needs four. A
    signal whose handler returns restarts the wait.
    """

    def __init__(self, sock: socket.socket, send_timeout: float) -> None:
        self._sock = sock
        self.is_datagram = sock.type == socket.SOCK_DGRAM
        self.is_connection = not self.is_datagram
        self._recv = sock.recv
        self._send = sock.send
        self._send_timeout = send_timeout
        self._least = self._most = 0.0
        sock.settimeout(None)
        self._kernel_waits = _kernel_can_wait(sock)
        if self._kernel_waits:
            try:
                set_timeout(sock, socket.SO_SNDTIMEO, min(send_timeout, LONGEST_WAIT))
                self._set_timeout(send_timeout)
            except OSError:  # a C library whose timeval is not two longs
                self._kernel_waits = False

    def send(self, data: bytes, now: float) -> float:
        if not self._kernel_waits:
            self._set_timeout(self._send_timeout)
        try:
            sent = self._send(data)
            while sent < len(data):
                if monotonic() - now >= self._send_timeout:  # the peer takes a few bytes at a time
                    raise TimeoutError
                data = data[sent:]
                sent = self._send(data)
        except (BlockingIOError, TimeoutError):
            raise OSError(f"could not send within {self._send_timeout:g} s") from None
        return 0.0

    def receive(self, seconds: float) -> bytes | OSError | None:
        if not self._least <= seconds <= self._most:
            self._set_timeout(seconds)
        try:
            return self._recv(_CHUNK)
        except (BlockingIOError, TimeoutError):
            return None
        except OSError as error:
            return error

    def receive_now(self) -> bytes | None:
        if not self._kernel_waits:
            self._least = self._most = 0.0
            self._sock.settimeout(0.0)
        try:
            return self._recv(_CHUNK, socket.MSG_DONTWAIT if self._kernel_waits else 0)
        except BlockingIOError:
            return None

    def _set_timeout(self, seconds: float) -> None:
        """Set the timeout, and the range `_least`..`_most` in which it need not be set again."""
        # Setting it costs as much as receiving, so an error of 1 % is accepted. If the wait ends
        # too early, the client waits again.
        self._least = seconds * 0.99 - 0.0005
        self._most = seconds * 1.01 + 0.0005
        seconds = min(max(seconds, _LEAST), LONGEST_WAIT)
        if self._kernel_waits:
            set_timeout(self._sock, socket.SO_RCVTIMEO, seconds)
        else:
            self._sock.settimeout(seconds)

    def interrupt(self) -> None:
        with suppress(OSError):  # the peer has closed it already
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._sock.close()


def _kernel_can_wait(sock: socket.socket) -> bool:
    """True if SO_RCVTIMEO makes `sock.recv` return in time.

    False on Windows, for subclasses (TLS), and for the sockets of gevent's or eventlet's
    monkey-patching, which never block in the kernel.
    """
    return os.name == "posix" and type(sock) is socket.socket and os.get_blocking(sock.fileno())


def set_timeout(sock: socket.socket, option: int, seconds: float) -> None:
    """Set SO_RCVTIMEO or SO_SNDTIMEO, with which the kernel ends waits, of `connect` too."""
    whole = int(seconds)
    sock.setsockopt(socket.SOL_SOCKET, option, _TIMEVAL.pack(whole, int((seconds - whole) * 1e6)))

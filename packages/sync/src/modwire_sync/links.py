"""Links: an open socket that bytes are sent on and received from, with a time limit.

The client in `client.py` holds one at a time. A link decides nothing and is not thread-safe: one
thread at a time sends and one receives; `interrupt` may be called from any.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from struct import Struct

_CHUNK = 4096  # bytes per receive: 16 answers of the largest size
_TIMEVAL = Struct("@ll")
_LEAST = 0.00001  # seconds; 0 would mean for ever
LONGEST_WAIT = 3600.0  # seconds, for system calls know no very great ones; the client goes on


class Link:
    """What the client needs of an open link. OSError from any method means that it is lost."""

    is_datagram = False
    is_sending = False  # `send` returns when all is sent

    def send(self, data: bytes, now: float) -> float:
        """Send all of `data`. Return the seconds that the line is busy with it, 0.0 if none."""
        raise NotImplementedError

    def withdraw(self, adu: bytes) -> bool:
        return True  # nothing ever waits for room

    def receive(self, seconds: float) -> bytes | OSError | None:
        """Return the bytes that come within `seconds`, None if none do, b"" at the end.

        An error is returned too, not raised: the client hands it on like bytes.
        It may give up a little early, or at `LONGEST_WAIT`; with 0 or less, at once or soon.
        """
        raise NotImplementedError

    def receive_now(self) -> bytes | None:
        """Return the bytes that have arrived; None and b"" as for `receive`."""
        raise NotImplementedError

    def interrupt(self) -> None:
        """Make a `receive` in another thread return soon. The link is of no more use."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the link, once, when nobody receives."""
        raise NotImplementedError


class SocketLink(Link):
    """A connected stream or datagram socket, which the link owns from here on.

    `send_timeout` is in seconds. If the socket allows it, the kernel keeps the time
    (SO_RCVTIMEO): an exchange is then two system calls, where `settimeout` needs four. A signal
    whose handler returns starts the waiting anew.
    """

    def __init__(self, sock: socket.socket, send_timeout: float) -> None:
        self._sock = sock
        self.is_datagram = sock.type == socket.SOCK_DGRAM
        self._recv = sock.recv
        self._send = sock.send
        self._send_timeout = send_timeout
        self._least = self._most = 0.0
        sock.settimeout(None)
        self._kernel_waits = _kernel_can_wait(sock)
        if self._kernel_waits:
            try:
                _set_timeout(sock, socket.SO_SNDTIMEO, min(send_timeout, LONGEST_WAIT))
                self._set_timeout(send_timeout)
            except OSError:  # a C library whose timeval is not two longs
                self._kernel_waits = False

    def send(self, data: bytes, now: float) -> float:
        if not self._kernel_waits:
            self._set_timeout(self._send_timeout)
        try:
            sent = self._send(data)
            while sent < len(data):
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
        """Set the timeout, and `_least` to `_most`, the times for which it need not be set."""
        # Setting it costs as much as receiving, so one that is 1 % off will do; if it ends the
        # waiting too soon, the client waits again.
        self._least = seconds * 0.99 - 0.0005
        self._most = seconds * 1.01 + 0.0005
        seconds = min(max(seconds, _LEAST), LONGEST_WAIT)
        if self._kernel_waits:
            _set_timeout(self._sock, socket.SO_RCVTIMEO, seconds)
        else:
            self._sock.settimeout(seconds)

    def interrupt(self) -> None:
        with suppress(OSError):  # the peer has closed it already
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._sock.close()


def _kernel_can_wait(sock: socket.socket) -> bool:
    """Whether SO_RCVTIMEO makes `sock.recv` return in time.

    Not on Windows, nor for subclasses (TLS), nor for sockets that gevent or eventlet has patched
    in, which never block in the kernel.
    """
    return os.name == "posix" and type(sock) is socket.socket and os.get_blocking(sock.fileno())


def _set_timeout(sock: socket.socket, option: int, seconds: float) -> None:
    whole = int(seconds)
    sock.setsockopt(socket.SOL_SOCKET, option, _TIMEVAL.pack(whole, int((seconds - whole) * 1e6)))

"""Links: open sockets, on which a client sends and receives bytes without blocking the hub.

The client in `client.py` holds one link at a time; the link decides nothing. Only its method
`wait` lets other greenlets run, and only one greenlet at a time may be in it.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from gevent.hub import Waiter
from gevent.monkey import get_original

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from gevent.hub import Hub
    from gevent.socket import socket as GreenSocket  # noqa: N812

    from modwire.tls.channel import Channel

    NewChannel: TypeAlias = Callable[[Callable[[int], bytes], Callable[[bytes], int]], Channel]

    class Watcher(Protocol):
        """The methods of gevent's watchers, whose classes are not public."""

        def start(self, callback: Callable[..., object], *args: object) -> None: ...
        def stop(self) -> None: ...
        def close(self) -> None: ...


_CHUNK = 4096  # bytes per receive: 16 answers of the largest size
_READ, _WRITE = 1, 2  # events of the loop's io watchers
LONGEST_WAIT = 3600.0  # seconds; event loops refuse very long times, so the client waits again
NEVER = float("inf")
PlainSocket: type[socket.socket] = get_original("socket", "socket")


class Link:
    """An open link, as the client uses it.

    OSError from any method except `wait` means that the link is lost. An error from `wait` was
    thrown into the greenlet by other code.
    """

    is_datagram = False
    is_connection = False
    has_taken = False  # True if bytes may be read, which are lost if the greenlet is interrupted
    is_sending = False  # True while unsent bytes wait for room; `receive` sends more of them

    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    def send(self, data: bytes, now: float) -> float:
        """Send `data`, or begin to. Return the seconds for which the line is busy, or 0.0."""
        raise NotImplementedError

    def withdraw(self, adu: bytes) -> bool:
        """Remove `adu` from the bytes that wait for room; False if a part of it was sent."""
        raise NotImplementedError

    def wait(self, until: float) -> bool:
        """Let other greenlets run until bytes have arrived; True if they have.

        False at `until` (seconds, monotonic) or shortly before, after `LONGEST_WAIT` or `wake`, if
        there is room for unsent bytes, or if the link was closed.
        """
        raise NotImplementedError

    def wake(self) -> None:
        """Make the greenlet that is in `wait`, if any, return soon."""
        raise NotImplementedError

    def receive(self) -> bytes | None:
        """Return the bytes after a `wait`; None if there are none, b"" at the stream's end.

        If `is_sending`, it sends more first; raises OSError if that takes too long.
        """
        raise NotImplementedError

    def receive_now(self) -> bytes | None:
        """Return the bytes that arrived without a `wait` before; None and b"" as in `receive`."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the link; may be called again. A greenlet in `wait` returns."""
        raise NotImplementedError

    def forget(self) -> None:
        """Close the descriptors in a forked process; the link of the other process stays open."""
        raise NotImplementedError


class DescriptorLink(Link):
    """A descriptor that does not block, and its functions `read` and `write`.

    `write` may take a part of the bytes; the rest is sent while a greenlet waits, within
    `send_timeout` seconds. `character_time` is the seconds that the line needs for one byte.
    """

    def __init__(
        self,
        hub: Hub,
        descriptor: int,
        read: Callable[[int], bytes],
        write: Callable[[bytes], int],
        send_timeout: float,
        character_time: float = 0.0,
    ) -> None:
        super().__init__(hub)
        self._descriptor = descriptor
        self._read = read
        self._write = write
        self._send_timeout = send_timeout
        self._character_time = character_time
        self._readable = hub.loop.io(descriptor, _READ)
        self._writable: Watcher | None = None
        self._waiter: Waiter[bool] | None = None
        self._timer: Watcher | None = None
        self._rings_at = NEVER
        self._is_watched = self._is_closed = False
        self._batch = b""  # bytes being sent, of which `_sent` are sent
        self._sent = 0
        self._send_until = 0.0

    def send(self, data: bytes, now: float) -> float:
        try:
            sent = self._write(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data) and not self.is_datagram:  # a datagram is lost then
            self._batch = data
            self._sent = sent
            self._send_until = now + len(data) * self._character_time + self._send_timeout
            self.is_sending = True
        return len(data) * self._character_time

    def send_more(self, now: float) -> None:
        """Send more of the unsent bytes; raise OSError if they have waited too long."""
        with suppress(BlockingIOError):
            self._sent += self._write(self._batch[self._sent :])
        self._end_batch()
        if self.is_sending and now >= self._send_until:
            raise OSError(f"could not send within {self._send_timeout:g} s")

    def withdraw(self, adu: bytes) -> bool:
        start = self._batch.find(adu)
        end = start + len(adu)
        if start < 0 or end <= self._sent:
            return True
        if start < self._sent:
            return False
        self._batch = self._batch[:start] + self._batch[end:]
        self._end_batch()
        return True

    def _end_batch(self) -> None:
        if self._sent == len(self._batch):
            self._batch = b""
            self.is_sending = False

    def wait(self, until: float) -> bool:
        if self._is_watched:
            self._stop_watching()  # a greenlet was interrupted before it could
        self._is_watched = True
        # A new waiter for each wait: a late switch of an old one has no effect.
        waiter: Waiter[bool] = Waiter(self.hub)
        if self.is_sending:
            until = min(until, self._send_until)
            self._watch_room(waiter)
        if until < self._rings_at:
            self._set_timer(until)
        self._waiter = waiter
        self._readable.start(waiter.switch, True)
        try:
            return waiter.get()
        finally:
            self._waiter = None
            self._readable.stop()
            if self._writable is not None:
                self._writable.stop()
            self._is_watched = False

    def _stop_watching(self) -> None:
        for each in (self._readable, self._writable):
            if each is not None:
                each.stop()

    def _watch_room(self, waiter: Waiter[bool]) -> None:
        if self._writable is not None:
            self._writable.close()
        watcher = self._writable = self.hub.loop.io(self._descriptor, _WRITE)
        watcher.start(waiter.switch, False)

    def _set_timer(self, until: float) -> None:
        """Set the timer to ring at `until`.

        It is not stopped when the answer has arrived, so most calls need not set it. For the next
        call, which may wait longer, it rings too early at most once.
        """
        self._rings_at = NEVER  # until it is set: an interrupt must not leave a false promise
        if self._timer is not None:
            self._timer.close()
        now = monotonic()
        until = min(until, now + LONGEST_WAIT)
        loop = self.hub.loop
        # libuv warns of times below a millisecond.
        seconds = max(until - now, loop.approx_timer_resolution)
        timer = self._timer = loop.timer(seconds, ref=False)
        timer.start(self._ring, update=True)
        self._rings_at = until

    def _ring(self) -> None:
        self._rings_at = NEVER
        if self._waiter is not None:
            self._waiter.switch(False)

    def wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            self.hub.loop.run_callback(waiter.switch, False)

    def receive(self) -> bytes | None:
        if self.is_sending:
            self.send_more(monotonic())
        try:
            return self._read(_CHUNK)
        except BlockingIOError:
            return None

    receive_now = receive

    def close(self) -> None:
        self._end(self._close)

    def forget(self) -> None:
        self._end(self._forget)

    def _end(self, close: Callable[[], None]) -> None:
        if self._is_closed:
            return
        for watcher in (self._readable, self._writable, self._timer):
            if watcher is not None:
                watcher.close()
        with suppress(Exception):  # a lost port may raise any
            close()
        self._is_closed = True
        self.wake()

    def _close(self) -> None:
        """Close the descriptor."""
        raise NotImplementedError

    def _forget(self) -> None:
        """Close the descriptor in a forked process."""
        self._close()


class SocketLink(DescriptorLink):
    """A connected stream or datagram socket, owned by the link; `send_timeout` is in seconds."""

    def __init__(self, hub: Hub, sock: GreenSocket, send_timeout: float) -> None:
        plain = self._sock = plain_socket(sock)
        super().__init__(hub, plain.fileno(), plain.recv, plain.send, send_timeout)
        self.is_datagram = plain.type == socket.SOCK_DGRAM
        self.is_connection = not self.is_datagram

    def _close(self) -> None:
        self._sock.close()


class TlsLink(SocketLink):
    """A socket with TLS on it, once `shake_hands` has returned."""

    def shake_hands(self, new_channel: NewChannel) -> None:
        """End the handshake; raise OSError if it fails."""
        channel = new_channel(self._read, self._write)
        self._read, self._write = channel.recv, channel.send
        while not channel.shake_hands():
            self.wait(NEVER)


def plain_socket(sock: socket.socket | GreenSocket) -> socket.socket:
    """Return an ordinary socket that does not block, in place of a gevent socket.

    A gevent socket starts a watcher for each call that waits; `wait` starts one for many calls.
    """
    if type(sock) is PlainSocket:
        return sock
    family, kind, protocol = sock.family, sock.type, sock.proto
    made = PlainSocket(family, kind, protocol, fileno=sock.detach())
    made.setblocking(False)
    return made

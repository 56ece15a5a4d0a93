"""Links: transports and descriptors on which a client sends, and which keep what has arrived.

The client in `client.py` has one link at a time, and makes all decisions. The loop calls the link
when bytes arrive; one task at a time waits for that.
"""

from __future__ import annotations

import asyncio
import os
import select
from collections import deque
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from modwire.tls.channel import Channel

    NewChannel: TypeAlias = Callable[[Callable[[int], bytes], Callable[[bytes], int]], Channel]

# What somebody else has opened.
Stream: TypeAlias = asyncio.Transport | tuple[asyncio.StreamReader, asyncio.StreamWriter]

CHUNK = 4096  # bytes per receive: 16 answers of the largest size
MOST_KEPT = 16  # chunks or datagrams that nobody has asked for; then the peer has to wait
_PASSES = 3  # of the loop: to see that a socket is readable, to read it, and to tell the link
_LONGEST_WAIT = 3600.0  # seconds; loops refuse very long times, so the client waits again
_NEVER = float("inf")


class Link:
    """The interface of an open link, and what has arrived on it.

    - `is_blind`: True if `receive_now` only returns bytes that the loop has brought.
    - `is_sending`: True while bytes wait for room in the system's buffer.
    - `has_news`: returns true if bytes, or the end of the stream, may be there that the loop has
      not seen.
    - `closed`: done when the link has been closed, and nothing of it is left in the loop.
    """

    is_datagram = False
    is_connection = False
    is_blind = False
    is_sending = False

    def __init__(self, send_timeout: float) -> None:
        self.loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = self.loop.create_future()
        self._arrived: deque[bytes | OSError] = deque()
        self._is_paused = False
        self.has_news: Callable[[], object] = lambda: False
        self._send_timeout = send_timeout
        self._send_until = _NEVER
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = _NEVER

    def send(self, data: bytes, now: float) -> float:
        """Send `data`, or begin to. Return the seconds for which the line is busy, or 0.0."""
        raise NotImplementedError

    def withdraw(self, adu: bytes) -> bool:
        """Return True: a request that waits for room is sent, and its answer is a late one."""
        return True

    def close(self) -> None:
        """Close the link at once; may be called again. The task that waits is woken."""
        raise NotImplementedError

    def abandon(self) -> None:
        """Close what a loop that was closed has left open; a transport does that itself."""

    def forget(self) -> None:
        """Close the descriptor in a forked process; the link of the other process stays open."""
        raise NotImplementedError

    # What has arrived.

    def wait(self, until: float, now: float) -> asyncio.Future[None]:
        """Return a future that is done when something has arrived, or at `until`; or earlier."""
        waiter = self._waiter = self.loop.create_future()
        if self.is_sending:
            until = min(until, self._send_until)
        if self._arrived:
            waiter.set_result(None)
        elif not now < self._rings_at <= until:  # an interrupt may have cut the ringing short
            self._set_timer(until)
        return waiter

    def take(self) -> bytes | OSError | None:
        """Return what has arrived: bytes, an error, b"" at the end, or None for nothing.

        Also an error if the peer has taken no bytes for too long.
        """
        if self._arrived:
            found = self._arrived.popleft()
            if self._is_paused and not self._arrived:
                self._resume()
            return found
        if self.is_sending and monotonic() >= self._send_until:
            return OSError(f"could not send within {self._send_timeout:g} s")
        return None

    def receive_now(self) -> bytes | None:
        """Return the bytes that have arrived, None for none; b"" at the end, or raise its error."""
        found = self.take() if self._arrived else None
        if isinstance(found, OSError):
            raise found
        return found

    def _resume(self) -> None:
        """Read again, after too much had arrived."""
        self._is_paused = False

    async def look(self) -> None:
        """Let the loop see what has come."""
        for _ in range(_PASSES):
            await asyncio.sleep(0)

    def arrive(self, found: bytes | OSError) -> None:
        """Keep what has arrived, and wake the task that waits for it."""
        self._arrived.append(found)
        self.wake()

    def wake(self) -> None:
        """Make the task that waits, if there is one, look again."""
        waiter = self._waiter  # uvloop goes on after an interrupt, so it must not be forgotten here
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def hasten(self, until: float) -> None:
        """Make the task that waits look again at `until`, or earlier."""
        if until < self._rings_at:
            self._set_timer(until)

    def _set_timer(self, until: float) -> None:
        """Set the timer to ring at `until`.

        It is not stopped when an answer has arrived, so most calls need not set it. For the next
        call, which may wait longer, it rings too early at most once.
        """
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = until
        seconds = min(max(until - monotonic(), 0.0), _LONGEST_WAIT)
        self._timer = self.loop.call_later(seconds, self._ring)

    def _ring(self) -> None:
        self.wake()
        self._timer = None
        self._rings_at = _NEVER

    def _end(self, error: Exception | None = None) -> None:
        """Record that the link has been closed."""
        self.has_news = lambda: False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.arrive(b"" if error is None else as_oserror(error))
        if not self.closed.done():
            self.closed.set_result(None)


class TransportLink(Link):
    """A link on a transport, which it owns from `connection_made` on.

    `transport` is None until then; it is set last, so an interrupt of `connection_made` shows.
    """

    transport: Any = None
    _write: Callable[[bytes], object]  # of the transport
    _is_given_up = False

    def send(self, data: bytes, now: float) -> float:
        # uvloop raises RuntimeError if it closes, asyncio sends nothing. If the end has not arrived
        # by now, an interrupt may have cut `connection_lost` short.
        if not self.transport.is_closing():
            self._write(data)
        elif not self._arrived:
            raise OSError("it was closed")
        return 0.0

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc)

    def close(self) -> None:
        self._is_given_up = True
        if self.transport is not None:
            self.transport.abort()  # if it is lost, too: Python 3.10's TLS transports ask for it

    def connection_made(self, transport: Any) -> None:
        if self._is_given_up:
            transport.abort()
        else:
            self._use(transport)
            self.transport = transport

    def _use(self, transport: Any) -> None:
        """Prepare a transport."""
        raise NotImplementedError

    def forget(self) -> None:
        sock = self.transport.get_extra_info("socket")
        if sock is not None:
            # The loop is that of the other process, too, and so must not be told.
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, sock.fileno())
            os.close(null)

    def pause_writing(self) -> None:
        self.is_sending = True
        self._send_until = monotonic() + self._send_timeout

    def resume_writing(self) -> None:
        self.is_sending = False
        self.wake()


class StreamLink(TransportLink, asyncio.BufferedProtocol):
    """A link on a stream transport; `send_timeout` is in seconds."""

    is_connection = is_blind = True

    def __init__(self, send_timeout: float) -> None:
        super().__init__(send_timeout)
        self._buffer = memoryview(bytearray(CHUNK))
        self._former: asyncio.BaseProtocol | None = None

    def adopt(self, transport: asyncio.Transport) -> None:
        """Take a transport over from its protocol, which is told only when it is lost."""
        self._former = transport.get_protocol()
        transport.set_protocol(self)
        self.connection_made(transport)
        transport.resume_reading()

    def _use(self, transport: Any) -> None:
        transport.set_write_buffer_limits(0)
        self._write = transport.write
        sock = transport.get_extra_info("socket")
        self.has_news = (lambda: True) if sock is None else readiness(sock.fileno())

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._former is not None:
            self._former.connection_lost(exc)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.arrive(self._buffer[:nbytes].tobytes())
        if len(self._arrived) >= MOST_KEPT:
            self._is_paused = True
            self.transport.pause_reading()

    def eof_received(self) -> None:
        self.arrive(b"")

    def _resume(self) -> None:
        super()._resume()
        self.transport.resume_reading()


class TlsLink(StreamLink):
    """A link with TLS on its transport, once `shake_hands` has returned."""

    def __init__(self, send_timeout: float, new_channel: NewChannel) -> None:
        super().__init__(send_timeout)
        self._records: deque[bytes | OSError] = deque()
        self._channel = new_channel(self._take_record, self._send_record)
        self._is_open = False

    async def shake_hands(self, until: float) -> bool:
        """End the handshake; False if it takes longer. Raises OSError if it fails."""
        while not self._channel.shake_hands():
            if monotonic() >= until:
                return False
            await self.wait(until, monotonic())
        self._is_open = True
        self._decrypt()
        return True

    def arrive(self, found: bytes | OSError) -> None:
        self._records.append(found)
        if self._is_open:
            self._decrypt()
        else:
            self.wake()

    def _decrypt(self) -> None:
        try:
            while data := self._channel.recv(CHUNK):
                super().arrive(data)
            super().arrive(b"")
        except BlockingIOError:
            return
        except OSError as error:
            super().arrive(error)

    def _take_record(self, size: int) -> bytes:
        if not self._records:
            raise BlockingIOError
        found = self._records.popleft()
        if isinstance(found, OSError):
            raise found
        return found

    def _send_record(self, data: bytes) -> int:
        super().send(data, 0.0)
        return len(data)

    def send(self, data: bytes, now: float) -> float:
        self._channel.send(data)
        return 0.0


class DatagramLink(TransportLink, asyncio.DatagramProtocol):
    """A link on a connected UDP socket."""

    is_datagram = True

    def _use(self, transport: Any) -> None:
        self._write = transport.sendto

    def datagram_received(self, data: bytes, addr: object) -> None:
        if len(self._arrived) < MOST_KEPT and data:
            self.arrive(data)

    def error_received(self, exc: Exception) -> None:
        self.arrive(as_oserror(exc))


def transport_of(stream: Stream) -> asyncio.Transport:
    """Return the transport of what somebody else has opened."""
    transport: Any = getattr(stream[1], "transport", None) if isinstance(stream, tuple) else stream
    if not hasattr(transport, "set_protocol") or not hasattr(transport, "write"):
        raise TypeError(f"stream must be a transport or (reader, writer), got {stream!r}")
    found: asyncio.Transport = transport
    return found


def readiness(number: int) -> Callable[[], object]:
    """Return a function that is true if a descriptor has bytes, has ended, or is broken."""
    if not hasattr(select, "poll"):
        return lambda: select.select((number,), (), (), 0)[0]
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return partial(poll.poll, 0)


def as_oserror(error: Exception) -> OSError:
    """Return the error of a link as OSError."""
    return error if isinstance(error, OSError) else OSError(str(error) or type(error).__name__)

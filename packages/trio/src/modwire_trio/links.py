"""Links: an open socket, descriptor or stream that bytes are sent on and received from.

The client in `client.py` holds one at a time. A link decides nothing. One task at a time is in
`receive` or `look`, and one in `flush`; what `send` could not send at once waits for `flush`.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import trio
from trio.lowlevel import notify_closing, wait_readable, wait_writable

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK = 4096  # bytes per receive: 16 answers of the largest size
_PASSES = 10  # of trio's loop, in which a stream that has bytes gets to say so
_MOMENT = 0.05  # seconds

BROKEN = (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError)


class Link:
    """What the client needs of an open link.

    OSError from any method means that the link is lost. Methods that wait may be cancelled;
    `receive` and `look` have taken nothing then.
    """

    is_datagram = False
    is_sending = False
    """Whether a part of what was sent still has to be flushed; nothing else may be sent then."""

    def send(self, data: bytes) -> float:
        """Send `data`, or begin to; the seconds that the line is busy with it from now on.

        0.0 where bytes need no time worth counting.
        """
        raise NotImplementedError

    async def flush(self) -> None:
        """Wait until all that was sent has gone out."""
        raise NotImplementedError

    def retract(self, adu: bytes, *, was_flushing: bool) -> bool:
        """Take back `adu`, whose caller is gone, if it still has to be sent.

        `was_flushing` tells whether a `flush` of that caller was interrupted. False if `adu` was
        sent in part, or may have been: the link is of no more use then.
        """
        raise NotImplementedError

    async def receive(self) -> bytes | None:
        """Wait for bytes; b"" at the end of the stream, None for no reason."""
        raise NotImplementedError

    def arrived(self) -> bytes | None:
        """The bytes that are there already; None if there are none, or only a wait can tell."""
        raise NotImplementedError

    async def look(self) -> bytes | None:
        """The bytes that are there already; None if there are none, b"" at the end."""
        return self.arrived()

    async def close(self) -> None:
        """Close the link in good order; `ClosedResourceError` for those who wait."""
        raise NotImplementedError

    def cut(self) -> bool:
        """Close the link without waiting, as `close` does; False if that needs a `close`."""
        raise NotImplementedError


class DescriptorLink(Link):
    """What trio can wait for, with the functions that `read` and `write` it and never block.

    `number` is its descriptor, on Windows the handle of a socket. `character_time`, in seconds,
    is what the line needs for one byte.
    """

    def __init__(
        self,
        number: int,
        read: Callable[[int], bytes],
        write: Callable[[bytes], int],
        character_time: float = 0.0,
    ) -> None:
        self._number = number
        self._read = read
        self._write = write
        self._character_time = character_time
        self._batch = b""  # what is being sent, and how much of it has been
        self._sent = 0

    def send(self, data: bytes) -> float:
        try:
            sent = self._write(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data) and not self.is_datagram:  # a datagram without room is a lost one
            self._batch = data
            self._sent = sent
            self.is_sending = True
        return len(data) * self._character_time

    async def flush(self) -> None:
        while self._sent < len(self._batch):
            await wait_writable(self._number)
            if rest := self._batch[self._sent :]:  # it may have been retracted meanwhile
                with suppress(BlockingIOError):
                    self._sent += self._write(rest)
        self._all_sent()

    def _all_sent(self) -> None:
        self._batch = b""
        self._sent = 0
        self.is_sending = False

    def retract(self, adu: bytes, *, was_flushing: bool) -> bool:
        start = self._batch.find(adu)
        end = start + len(adu)
        if start < self._sent:
            return start < 0 or end <= self._sent
        self._batch = self._batch[:start] + self._batch[end:]
        if self._sent == len(self._batch):
            self._all_sent()
        return True

    async def receive(self) -> bytes | None:
        await wait_readable(self._number)
        try:
            return self._read(CHUNK)
        except BlockingIOError:
            return None

    def arrived(self) -> bytes | None:
        try:
            return self._read(CHUNK)
        except BlockingIOError:
            return None

    async def close(self) -> None:
        self.cut()

    def cut(self) -> bool:
        notify_closing(self._number)
        self._close()
        return True

    def _close(self) -> None:
        """Close the descriptor."""
        raise NotImplementedError


class SocketLink(DescriptorLink):
    """A connected stream or datagram socket, which the link takes over.

    Waiting once for an answer, and for nothing else, is less than a socket of trio's would do.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self.is_datagram = sock.type == socket.SOCK_DGRAM
        super().__init__(sock.fileno(), sock.recv, sock.send)

    def _close(self) -> None:
        self._socket.close()


class StreamLink(Link):
    """Any stream of trio's, which the link owns: a memory stream, TLS, a proxy's."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._batch = b""
        self._is_flushing = False

    def send(self, data: bytes) -> float:
        self._batch = data
        self.is_sending = True
        return 0.0

    async def flush(self) -> None:
        # Nobody knows how much an interrupted send_all() has sent, so the stream is of no use after
        # it. Nearly always it ends at once: it is left in peace until the caller's own deadline,
        # and for a moment where that is near.
        self._is_flushing = True
        deadline = max(trio.current_effective_deadline(), trio.current_time() + _MOMENT)
        with trio.CancelScope(deadline=deadline, shield=True) as scope:
            try:
                await self._stream.send_all(self._batch)
            except BROKEN as error:
                raise _lost(error) from error
        if scope.cancelled_caught:
            await trio.lowlevel.checkpoint_if_cancelled()
            raise OSError("could not send in time")
        self._is_flushing = self.is_sending = False

    def retract(self, adu: bytes, *, was_flushing: bool) -> bool:
        if self._is_flushing:
            return not was_flushing
        self._batch = self._batch.replace(adu, b"", 1)
        self.is_sending = bool(self._batch)
        return True

    async def receive(self) -> bytes | None:
        try:
            return bytes(await self._stream.receive_some(CHUNK))
        except BROKEN as error:
            raise _lost(error) from error

    def arrived(self) -> bytes | None:
        return None

    async def look(self) -> bytes | None:
        with trio.CancelScope() as scope:
            passes = _Passes(scope.cancel)
            try:
                return await self.receive()
            finally:
                passes.stop()
        return None

    async def close(self) -> None:
        with suppress(*BROKEN, OSError):
            await self._stream.aclose()

    def cut(self) -> bool:
        return False


def _lost(
    error: trio.BrokenResourceError | trio.ClosedResourceError | trio.BusyResourceError,
) -> OSError:
    return OSError(str(error.__cause__ or error) or "the stream is broken")


class _Passes:
    """Calls `function` when every task that can run has been run a few times, unless stopped.

    A time would not do: on a busy machine it is over before a stream has had its turn.
    """

    def __init__(self, function: Callable[[], None]) -> None:
        self._function: Callable[[], None] | None = function
        self._left = _PASSES
        self._token = trio.lowlevel.current_trio_token()
        self._count()

    def stop(self) -> None:
        self._function = None

    def _count(self) -> None:
        if self._function is None:
            return
        if not self._left:
            self._function()
            return
        self._left -= 1
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self._count)

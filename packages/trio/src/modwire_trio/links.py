"""Links: an open socket, descriptor or stream that bytes are sent on and received from.

The client in `client.py` holds one at a time. A link decides nothing. One task at a time is in
`receive` or `look`, and one in `flush`.
"""

from __future__ import annotations

import socket
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

import trio
from trio import CancelScope
from trio.lowlevel import (
    cancel_shielded_checkpoint,
    checkpoint_if_cancelled,
    notify_closing,
    wait_readable,
    wait_writable,
)

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK = 4096  # bytes per receive: 16 answers of the largest size
_PASSES = 10  # of trio's loop, in which a stream that has bytes can deliver them
_MOST_READS = 8  # of what has arrived before a call, so that a peer that floods cannot hold it up
_MOMENT = 0.05  # seconds

_BROKEN = (OSError, trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError)


class Link:
    """What the client needs of an open link.

    OSError from any method means that the link is lost. Methods that wait may be cancelled;
    `receive` and `look` have taken nothing then.
    """

    is_datagram = False
    is_sending = False
    """True while a part of what was sent waits for `flush`; nothing else may be sent then."""
    is_blind = False
    """True if `receive_now` only knows what `look` found."""

    def __init__(self) -> None:
        self._scope = CancelScope()  # in which somebody receives

    def send(self, data: bytes, now: float) -> float:
        """Send `data`, or begin to. Return the seconds that the line is busy with it, or 0.0."""
        raise NotImplementedError

    async def flush(self) -> OSError | None:
        """Wait until all that was sent has gone out; return an error if the link is lost."""
        return None

    def forget_unsent(self) -> None:
        """Send nothing more of what waits for `flush`."""

    def withdraw(self, adu: bytes) -> bool:
        """Take `adu` out of what waits for room; False if a part of it was sent.

        False too if nobody knows how much was sent: the link is of no more use then.
        """
        raise NotImplementedError

    async def receive(self, until: float) -> bytes | OSError | None:
        """Wait for bytes until a time; None if none come, b"" at the end of the stream.

        An error is returned too, not raised: the client hands it on like bytes.
        """
        raise NotImplementedError

    def hasten(self, until: float) -> None:
        """Let the task in `receive`, if there is one, wait no longer than `until`."""
        if until < self._scope.deadline:
            self._scope.deadline = until

    def receive_now(self) -> bytes | None:
        """Return the bytes that have arrived; None and b"" as for `receive`."""
        raise NotImplementedError

    async def look(self) -> None:
        """Find out what `receive_now` has to return."""

    async def close(self) -> None:
        """Close the link in good order; `ClosedResourceError` for tasks that wait for it."""
        self.cut()

    def cut(self) -> bool:
        """Close the link without waiting, as `close` does; False if that needs a `close`."""
        raise NotImplementedError


class DescriptorLink(Link):
    """Something that trio can wait for, with functions that `read` and `write` it at once.

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
        super().__init__()
        self._number = number
        self._read = read
        self._write = write
        self._character_time = character_time
        self._batch = b""  # what is being sent, and how much of it has been
        self._sent = 0

    def send(self, data: bytes, now: float) -> float:
        try:
            sent = self._write(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data) and not self.is_datagram:  # a datagram without room is lost
            self._batch = data
            self._sent = sent
            self.is_sending = True
        return len(data) * self._character_time

    async def flush(self) -> OSError | None:
        try:
            while self._sent < len(self._batch):
                await wait_writable(self._number)
                if rest := self._batch[self._sent :]:  # it may have been withdrawn meanwhile
                    with suppress(BlockingIOError):
                        self._sent += self._write(rest)
        except (OSError, trio.ClosedResourceError) as error:
            return _lost(error)
        self.forget_unsent()
        return None

    def forget_unsent(self) -> None:
        self._batch = b""
        self._sent = 0
        self.is_sending = False

    def withdraw(self, adu: bytes) -> bool:
        start = self._batch.find(adu)
        end = start + len(adu)
        if start < self._sent:
            return start < 0 or end <= self._sent
        self._batch = self._batch[:start] + self._batch[end:]
        if self._sent == len(self._batch):
            self.forget_unsent()
        return True

    async def receive(self, until: float) -> bytes | OSError | None:
        try:
            # An answer from the same machine has often come by now, and waiting for it would take
            # longer than all the rest of a call.
            data = self._read(CHUNK)
        except BlockingIOError:
            pass
        except OSError as error:
            return error
        else:
            await cancel_shielded_checkpoint()
            return data
        try:
            with CancelScope(deadline=until) as self._scope:
                await wait_readable(self._number)
                return self._read(CHUNK)
        except BlockingIOError:
            return None
        except (OSError, trio.ClosedResourceError) as error:
            return _lost(error)
        return None

    def receive_now(self) -> bytes | None:
        try:
            return self._read(CHUNK)
        except BlockingIOError:
            return None

    def cut(self) -> bool:
        notify_closing(self._number)
        self._close()
        return True

    def _close(self) -> None:
        """Close the descriptor."""
        raise NotImplementedError


class SocketLink(DescriptorLink):
    """A connected stream or datagram socket, which the link owns; faster than one of trio's."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self.is_datagram = sock.type == socket.SOCK_DGRAM
        super().__init__(sock.fileno(), sock.recv, sock.send)

    def _close(self) -> None:
        self._socket.close()


class StreamLink(Link):
    """Any stream of trio's, which the link owns: a memory stream, TLS, that of a proxy."""

    is_blind = True

    def __init__(self, stream: trio.abc.Stream) -> None:
        super().__init__()
        self._stream = stream
        self._batch = b""
        self._is_flushing = False
        self._is_torn = False  # a caller was interrupted while it sent
        self._found: deque[bytes | OSError] = deque()

    def send(self, data: bytes, now: float) -> float:
        self._batch = data
        self.is_sending = True
        return 0.0

    async def flush(self) -> OSError | None:
        # Nobody knows how much an interrupted send_all() has sent, so the stream is of no use after
        # it. Nearly always it ends at once: it is left in peace until the caller's own deadline,
        # and for a moment if that is near.
        self._is_flushing = True
        deadline = max(trio.current_effective_deadline(), trio.current_time() + _MOMENT)
        try:
            with CancelScope(deadline=deadline, shield=True):
                await self._stream.send_all(self._batch)
                self._is_flushing = self.is_sending = False
        except _BROKEN as error:
            return _lost(error)
        finally:
            self._is_torn = self._is_flushing
        if self._is_torn:
            await checkpoint_if_cancelled()
            return OSError("could not send in time")
        return None

    def withdraw(self, adu: bytes) -> bool:
        if self._is_flushing:
            return not self._is_torn
        self._batch = self._batch.replace(adu, b"", 1)
        self.is_sending = bool(self._batch)
        return True

    async def receive(self, until: float) -> bytes | OSError | None:
        with CancelScope(deadline=until) as self._scope:
            try:
                return bytes(await self._stream.receive_some(CHUNK))
            except _BROKEN as error:
                return _lost(error)
        return None

    def receive_now(self) -> bytes | None:
        found = self._found.popleft() if self._found else None
        if isinstance(found, OSError):
            raise found
        return found

    async def look(self) -> None:
        with CancelScope() as scope:
            _cancel_later(scope, trio.lowlevel.current_trio_token(), _PASSES)
            while len(self._found) < _MOST_READS:
                found = await self.receive(float("inf"))
                self._found.append(found or b"")
                if not isinstance(found, bytes) or not found:
                    return

    async def close(self) -> None:
        with suppress(*_BROKEN):
            await self._stream.aclose()

    def cut(self) -> bool:
        return False


def _lost(error: Exception) -> OSError:
    """Return the error of a link as OSError."""
    if isinstance(error, OSError):
        return error
    return OSError(str(error.__cause__ or error) or "the stream is broken")


def _cancel_later(scope: CancelScope, token: trio.lowlevel.TrioToken, passes: int) -> None:
    """Cancel `scope` when all tasks that can run have run so many times.

    A time would not do: on a busy machine it is over before a stream has had its turn.
    """
    if not passes:
        scope.cancel()
        return
    with suppress(trio.RunFinishedError):
        token.run_sync_soon(_cancel_later, scope, token, passes - 1)

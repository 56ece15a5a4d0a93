"""Links: open sockets, descriptors or streams, on which a client sends and receives bytes.

The client in `client.py` has one link at a time, and makes all decisions. One task at a time may
be in `receive` or `look`, and one in `flush`.
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
    from typing import TypeAlias

    from modwire.tls.channel import Channel

    NewChannel: TypeAlias = Callable[[Callable[[int], bytes], Callable[[bytes], int]], Channel]

CHUNK = 4096  # bytes per receive: 16 answers of the largest size
_PASSES = 10  # of trio's loop: enough for a stream to deliver the bytes that it has
_MOST_READS = 8  # before a call, so that a peer that floods cannot delay it without limit
_MOMENT = 0.05  # seconds that a cancelled `send_all` has at least

_BROKEN = (OSError, trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError)


class Link:
    """The interface of an open link.

    OSError from any method means that the link is lost. Methods that wait may be cancelled; then
    `receive` and `look` have consumed no bytes.
    """

    is_datagram = False
    is_connection = False
    is_sending = False
    """True while unsent bytes wait for `flush`; nothing else may be sent until then."""
    is_blind = False
    """True if `receive_now` only returns bytes that `look` has read."""

    def __init__(self) -> None:
        self._scope = CancelScope()  # of the task that receives

    def send(self, data: bytes, now: float) -> float:
        """Send `data`, or a part of it. Return the seconds that the line is busy, or 0.0."""
        raise NotImplementedError

    async def flush(self) -> OSError | None:
        """Wait until all unsent bytes are sent; return an error if the link is lost."""
        return None

    def forget_unsent(self) -> None:
        """Discard the bytes that wait for `flush`."""

    def withdraw(self, adu: bytes) -> bool:
        """Remove `adu` from the unsent bytes; False if a part of it was sent.

        Also False if it is unknown how much was sent: then the link cannot be used any more.
        """
        raise NotImplementedError

    async def receive(self, until: float) -> bytes | OSError | None:
        """Return the bytes that arrive before `until`; None for none, b"" at the stream's end.

        An error is returned, not raised: the client passes it on in the same way as bytes.
        """
        raise NotImplementedError

    def hasten(self, until: float) -> None:
        """Make the task in `receive`, if there is one, return at `until` or earlier."""
        if until < self._scope.deadline:
            self._scope.deadline = until

    def receive_now(self) -> bytes | None:
        """Return the bytes that have arrived; None and b"" as for `receive`."""
        raise NotImplementedError

    async def look(self) -> None:
        """Read the bytes that have arrived, which `receive_now` then returns."""

    async def close(self) -> None:
        """Close the link properly; tasks that wait for it get `ClosedResourceError`."""
        self.cut()

    def cut(self) -> bool:
        """Close the link without waiting; False if it can only be closed by `close`."""
        raise NotImplementedError

    def forget(self) -> None:
        """Close the descriptor in a forked process, if possible; the other's link stays open."""


class DescriptorLink(Link):
    """A descriptor that trio can wait for, with functions that `read` and `write` without waiting.

    `number` is the descriptor, on Windows the handle of a socket. `character_time` is the time
    that the line needs for one byte, in seconds.
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
        self._batch = b""  # the bytes being sent; `_sent` of them are sent already
        self._sent = 0

    def send(self, data: bytes, now: float) -> float:
        try:
            sent = self._write(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data) and not self.is_datagram:  # without room, a datagram is lost
            self._batch = data
            self._sent = sent
            self.is_sending = True
        return len(data) * self._character_time

    async def flush(self) -> OSError | None:
        try:
            while self._sent < len(self._batch):
                await wait_writable(self._number)
                if rest := self._batch[self._sent :]:  # empty if withdrawn meanwhile
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
            # An answer from the same machine has often arrived by now, and waiting for it would
            # take longer than the rest of a call.
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

    def forget(self) -> None:
        self._close()  # `notify_closing` would change what the other process waits for

    def _close(self) -> None:
        """Close the descriptor."""
        raise NotImplementedError


class SocketLink(DescriptorLink):
    """A connected stream or datagram socket, which the link owns; faster than a trio socket."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self.is_datagram = sock.type == socket.SOCK_DGRAM
        self.is_connection = not self.is_datagram
        super().__init__(sock.fileno(), sock.recv, sock.send)

    async def shake_hands(self, new_channel: NewChannel) -> None:
        """Put TLS on the socket; raise OSError if the handshake fails."""
        channel = new_channel(self._read, self._write)
        self._read, self._write = channel.recv, channel.send
        while not channel.shake_hands():
            await wait_readable(self._number)

    def _close(self) -> None:
        self._socket.close()


class StreamLink(Link):
    """Any trio stream, which the link owns: a memory stream, TLS or a proxy's stream."""

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
        # It is unknown how much an interrupted send_all() has sent, so the stream is unusable then.
        # Nearly always send_all() ends at once, so it is shielded until the caller's deadline, and
        # for `_MOMENT` at least.
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
    """Cancel `scope` after so many `passes` of trio's loop, in each of which all ready tasks run.

    A timeout would not work: on a busy machine it may expire before a stream's task has run.
    """
    if not passes:
        scope.cancel()
        return
    with suppress(trio.RunFinishedError):
        token.run_sync_soon(_cancel_later, scope, token, passes - 1)

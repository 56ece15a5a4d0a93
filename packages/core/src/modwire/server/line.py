"""`LineServer`: the whole server side of a serial line, without I/O.

Part of the adapter kit: the adapter reads and writes the port, and executes calls to units that
wait while it continues to read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import FrameError
from ..messages.base import RawRequest
from .call import Call, busy_call
from .protocol import ServerProtocol

if TYPE_CHECKING:
    from ..framing import Framing
    from ..messages.base import Response
    from ..units.units import Units
    from .options import ServerOptions

_MAX_BROADCASTS = 16  # to units that wait


class LineServer:
    """A server for `units` on a serial line, on which there may be other devices.

    An answer is sent after the silent interval, 3.5 characters. If another request comes before,
    to any device, the client has given up: the older answer is dropped, because it would collide
    on the line. While a request to a unit that waits is executed, a second one gets exception 06,
    server device busy.

    - `options`: with the silence and the tolerance that the line needs; the idle timeout is
      ignored.
    - `peer`: passed to the hooks.
    - `count_overruns()`: returns the number of character overruns of the port, None if unknown.
    - `on_drop(text)`: logs each answer or request that is dropped.

    After each `receive_data`, `handle_timeout` and `finish`, execute the `calls` and end each with
    `finish` or `failed`. Call `handle_timeout` at `deadline()`, and write the bytes that it
    returns. At most one call with an answer is open at a time, and 16 broadcasts. They are in the
    order of the line; an adapter keeps it if it executes them one after the other. Times are in
    seconds, monotonic.
    """

    def __init__(
        self,
        framing: type[Framing],
        options: ServerOptions,
        units: Units,
        *,
        peer: object,
        on_drop: Callable[[str], object],
        count_overruns: Callable[[], int | None] = lambda: None,
    ) -> None:
        self.protocol = ServerProtocol(framing, options, peer=peer)
        self.protocol.follow(units)
        self.units = units
        self._on_drop = on_drop
        self._count_overruns = count_overruns
        self._overruns = count_overruns()
        self.calls: deque[Call] = deque()
        self._call: Call | None = None
        self._is_given_up = False
        self._broadcasts = 0
        self._answer = b""
        self._silence_ends_at: float | None = None
        self._send_after = self.protocol.options.silence if framing.needs_silence else 0.0

    # The line.

    def receive_data(self, data: bytes, now: float) -> None:
        """Process bytes received at `now`, and execute the requests that are complete."""
        protocol = self.protocol
        framing = protocol.framing
        if data:
            protocol.heard = now
            framing.receive_data(data, now)
        frames = framing.frames
        while frames:
            if isinstance(frames[0], FrameError):
                self._note_overruns()
            try:
                answers = protocol.answers(self.units, only_one=True)
            except Exception as error:  # noqa: BLE001 - a user's unit must not stop the server
                protocol.executor.report(RawRequest(0), error)
                continue
            if not (answers or protocol.has_call):
                return
            # Also after a request to another device, because the answer would disturb that one.
            self._is_given_up = True
            if self._answer:
                self._on_drop("an answer was not sent: another request came first")
            self._answer = answers[0] if answers else b""
            if not answers:
                self._take_call()

    def deadline(self) -> float | None:
        """Time to call `handle_timeout`; None if there is no deadline."""
        # Not the deadline of the protocol, because a line has no idle timeout.
        deadline = self._silence_ends_at = self.protocol.framing.deadline()
        if not self._answer:
            return deadline
        send_at = self.protocol.heard + self._send_after
        return send_at if deadline is None else min(deadline, send_at)

    def handle_timeout(self, now: float) -> bytes:
        """Process what is due at `now`: the end of a frame by silence. Return the bytes to write.

        That is b"" if there is nothing to write, or the line must still be silent.
        """
        if self._silence_ends_at is not None:
            self.protocol.framing.handle_timeout(now)
            self.receive_data(b"", now)
        if not self._answer or now < self.protocol.heard + self._send_after:
            return b""
        answer, self._answer = self._answer, b""
        return answer

    # Calls to units that wait.

    def finish(self, call: Call, response: Response | None) -> None:
        """End `call` with `response`."""
        if call.broadcast:
            self._broadcasts -= 1
            return
        self._call = None
        if self._is_given_up:
            self._on_drop(f"{call.request!r} took longer than the client waits")
        else:
            self._answer = self.protocol.answer(call, response)

    def failed(self, call: Call, error: BaseException) -> None:
        """End `call`, whose execution raised `error`, with exception 04."""
        self.finish(call, self.protocol.executor.failed(call, error))

    @property
    def is_idle(self) -> bool:
        """True if no call is open and no answer is unsent."""
        return self._call is None and not self._broadcasts and not self._answer

    def _take_call(self) -> None:
        protocol = self.protocol
        call = protocol.next_call()
        if call is None:
            return
        if call.broadcast:
            self._queue_broadcast(call)
        elif self._call is None:
            self._call = call
            self._is_given_up = False
            self.calls.append(call)
        else:
            busy = busy_call(call)
            self._answer = protocol.answer(busy, protocol.executor.execute(busy, self.units))

    def _queue_broadcast(self, call: Call) -> None:
        if self._broadcasts < _MAX_BROADCASTS:
            self._broadcasts += 1
            self.calls.append(call)
        else:
            self._on_drop(f"the broadcast {call.request!r} finds too many others waiting")

    def _note_overruns(self) -> None:
        """Check if the port has lost characters, after a damaged frame."""
        overruns = self._count_overruns()
        if overruns is not None and overruns != self._overruns:
            self._overruns = overruns
            self.protocol.overrun()

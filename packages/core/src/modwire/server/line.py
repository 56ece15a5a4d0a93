"""`LineServer`: the whole server side of a serial line, where time decides what may be sent.

Adapters feed it what the port brings and write what `data_to_send` gives. Units in memory are
executed at once; calls to units that block come out of `next_call`, to be executed elsewhere
while the line is listened to.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from .call import Call, busy_call
from .protocol import ServerProtocol

if TYPE_CHECKING:
    from ..framing import Framing
    from ..messages.base import Response
    from ..units.units import Units
    from .options import ServerOptions

_MAX_BROADCASTS = 16  # that wait for units which block


class LineServer:
    """Answers for `units` on a serial line, as one of several devices on it.

    An answer is sent after 3.5 characters of silence. If another request is heard before, to
    whatever device, the client has given up: the older answer is dropped, for it would collide
    on the line. A second request to units that block gets exception 06, server device busy,
    while the first is executed.

    After each `receive_data`, `handle_timeout`, `finish` and `failed`, execute what `next_call`
    gives, write what `data_to_send` gives, and come back at `deadline()`.

    `options` give the silence and the tolerance that the line needs; their idle timeout means
    nothing here. `peer` is handed to the hooks. `on_drop` gets a text for the log about each
    answer or request that is dropped. Times are in seconds, monotonic.
    """

    def __init__(
        self,
        framing: type[Framing],
        options: ServerOptions,
        units: Units,
        *,
        peer: object,
        on_drop: Callable[[str], None],
    ) -> None:
        self.protocol = ServerProtocol(framing, options, peer=peer)
        self.units = units
        self._on_drop = on_drop
        self._to_execute: deque[Call] = deque()
        self._call: Call | None = None
        self._is_given_up = False
        self._broadcasts = 0
        self._answer = b""

    # The line.

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes that came at `now`, and execute the requests that they complete."""
        self.protocol.receive_data(data, now)
        self._take()

    def overrun(self) -> None:
        """Characters were lost: the next damaged frame counts as a character overrun."""
        self.protocol.overrun()

    def deadline(self) -> float | None:
        """When to call `handle_timeout`, then `data_to_send`; None if only bytes matter."""
        # Not that of the protocol: no line is closed because it is idle.
        deadline = self.protocol.framing.deadline()
        if not self._answer:
            return deadline
        send_at = self.protocol.send_at()
        return send_at if deadline is None else min(deadline, send_at)

    def handle_timeout(self, now: float) -> None:
        """Do what is due at `now`: silence ends a frame."""
        self.protocol.handle_timeout(now)
        self._take()

    def data_to_send(self, now: float) -> bytes:
        """What to write to the port at once; b"" while the line must stay silent."""
        if not self._answer or now < self.protocol.send_at():
            return b""
        answer, self._answer = self._answer, b""
        return answer

    # Calls to units that block.

    def next_call(self) -> Call | None:
        """A call to be executed elsewhere, then told to `finish` or `failed`; None if none waits.

        At most one call that wants an answer is out at a time, and 16 broadcasts. The line said
        them in this order: an adapter that executes one after the other keeps it.
        """
        return self._to_execute.popleft() if self._to_execute else None

    def finish(self, call: Call, response: Response | None, now: float) -> None:
        """The execution of `call` gave `response`."""
        if call.broadcast:
            self._broadcasts -= 1
            return
        self._call = None
        if self._is_given_up:
            self._on_drop(f"{call.request!r} took longer than the client waits")
        else:
            self._answer = self.protocol.answer(call, response)

    def failed(self, call: Call, error: BaseException, now: float) -> None:
        """The execution of `call` raised `error`: it is answered with exception 04."""
        self.finish(call, self.protocol.failed(call, error), now)

    @property
    def is_idle(self) -> bool:
        """Whether no call is out and no answer unsent."""
        return self._call is None and not self._broadcasts and not self._answer

    # Executing.

    def _take(self) -> None:
        """Execute the requests that were heard."""
        while (call := self.protocol.next_call()) is not None:
            try:
                self._take_call(call)
            except Exception as error:  # noqa: BLE001 - somebody's own units cannot stop the server
                self.protocol.failed(call, error)
        try:
            self.protocol.answer_all(self.units)  # only damaged frames are left, to be counted
        except Exception as error:  # noqa: BLE001 - as above
            self._on_drop(f"damaged frames were not counted: {error!r}")

    def _take_call(self, call: Call) -> None:
        # Even a request to another device: this one's answer would go into that exchange.
        self._is_given_up = True
        if self._answer:
            self._on_drop("an answer was not sent: another request came first")
            self._answer = b""
        protocol = self.protocol
        if not protocol.blocks(call, self.units):
            self._answer = protocol.answer(call, protocol.execute(call, self.units))
        elif call.broadcast:
            self._queue_broadcast(call)
        elif self._call is None:
            self._call = call
            self._is_given_up = False
            self._to_execute.append(call)
        else:
            busy = protocol.execute(busy_call(call), self.units)
            self._answer = protocol.answer(call, busy)

    def _queue_broadcast(self, call: Call) -> None:
        if self._broadcasts < _MAX_BROADCASTS:
            self._broadcasts += 1
            self._to_execute.append(call)
        else:
            self._on_drop(f"the broadcast {call.request!r} finds too many others waiting")

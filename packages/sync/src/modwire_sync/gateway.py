"""`RemoteUnit` and `Gateway`: other devices as units of a server, each request in a thread."""

from __future__ import annotations

import os
from _thread import allocate_lock, get_ident
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING

from modwire.forks import forget_after_fork
from modwire.gateway.queue import GatewayLine, Ticket
from modwire.gateway.remote import BlockingRemoteUnit, failed_answer, passed_on
from modwire.gateway.units import GatewayUnits
from modwire.units.unit import QueuedUnit

from .client import Client
from .threads import Threads

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from modwire.gateway.queue import Rules
    from modwire.messages.base import AnyRequest

    OnOutcome: TypeAlias = Callable[[object], None]  # a response, None, or an error

_SPARE_THREADS = 8  # for each line


class RemoteUnit(BlockingRemoteUnit):
    """Another device as a unit of a server, which makes the server a gateway."""


class Gateway(GatewayUnits[Client]):
    """The units of a server that are devices on other lines: `TcpServer(Gateway(line), address)`.

    `GatewayUnits` describes the arguments and the answers.
    """

    def _new_line(self, client: Client, rules: Rules) -> Line:
        if not isinstance(client, Client):
            raise TypeError(f"line must be a client of modwire_sync, got {client!r}")
        return Line(client, rules)


class Pending(Ticket):
    """A request that waits in the queue of its line, or is being sent to its device.

    `on_outcome` gets the outcome, once, in any thread and perhaps before `when_done` returns.
    """

    __slots__ = ("broadcast", "device", "on_outcome", "sent")

    def __init__(
        self, device: Device, client: object, request: AnyRequest, sent: AnyRequest, broadcast: bool
    ) -> None:
        super().__init__(client, device.target, request)
        self.device = device
        self.sent = sent
        self.broadcast = broadcast

    def when_done(self, on_outcome: OnOutcome) -> None:
        """Join the queue of the line; to be called once."""
        self.on_outcome = on_outcome
        self.device.line.enter(self)

    def wait(self) -> object:
        """Wait for the outcome: return the response or None, or raise the error."""
        outcomes: list[object] = []
        alarm = allocate_lock()
        alarm.acquire()

        def on_outcome(outcome: object) -> None:
            outcomes.append(outcome)
            alarm.release()

        self.when_done(on_outcome)
        try:
            alarm.acquire()
        except BaseException:
            self.withdraw()
            raise
        outcome = outcomes.pop()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def withdraw(self) -> None:
        """Leave the queue: nobody waits for the answer. A request that was sent continues."""
        self.device.line.leave(self)


class Device(QueuedUnit):
    """The unit `target` on a line, 0 for all units; its requests wait in the line's queue."""

    def __init__(self, line: Line, target: int, timeout: float | None) -> None:
        super().__init__()
        self.line = line
        self.target = target
        self.remote = BlockingRemoteUnit(line.client, target, timeout=timeout)

    def execute(
        self, request: AnyRequest, *, broadcast: bool = False, client: object = None
    ) -> object:
        """Return a `Pending` for the queue of `client`; None if nothing is to be sent.

        Servers name the client. Without one, wait here and return the response.
        """
        sent = passed_on(request, broadcast=broadcast)
        if sent is None:
            return None
        if client is not None:
            return Pending(self, client, request, sent, broadcast)
        return Pending(self, get_ident(), request, sent, broadcast).wait()


class Line:
    """The threads that send requests to one line: one for each that may be open at once.

    A few more threads are for hooks that take long, or that call devices on this line.
    """

    def __init__(self, client: Client, rules: Rules) -> None:
        self.client = client
        self._rules = rules
        self._begin()
        forget_after_fork(self, Line._begin, getattr(os, "register_at_fork", None))

    def _begin(self) -> None:
        """Begin with an empty queue, also after a fork: the other process has the threads."""
        queue = self._queue = GatewayLine[Pending].of_client(self.client, self._rules)
        self._lock = allocate_lock()  # guards the queue
        self._threads = Threads(queue.most_open + _SPARE_THREADS, "modwire-gateway")

    def unit(self, target: int, timeout: float | None) -> Device:
        """Return a unit that passes requests on to `target`, 0 for all units on the line."""
        return Device(self, target, timeout)

    def enter(self, pending: Pending) -> None:
        """Put a request into the queue."""
        with self._lock:
            decided = self._queue.enter(pending, monotonic())
        self._go_on(decided)

    def leave(self, pending: Pending) -> None:
        """Withdraw a request, because nobody waits for its answer any more."""
        with self._lock:
            if pending.is_decided:
                return  # a request that is being sent ends by itself
            decided = self._queue.leave(pending, monotonic())
        self._go_on(decided)

    def hung_up(self, client: object) -> None:
        """Withdraw the requests of `client` from the queue: it will take no answers."""
        with self._lock:
            decided = self._queue.hung_up(client, monotonic())
        self._go_on(decided)

    def _ask(self, pending: Pending) -> None:
        """Send a request to its device, then start the requests whose turn is next."""
        outcome: object
        try:
            outcome = pending.device.remote.execute(pending.sent, broadcast=pending.broadcast)
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
            outcome = error
        with self._lock:
            decided = self._queue.finished(pending, outcome, monotonic())
            texts = self._queue.take_log()
        self._go_on(decided, (pending, outcome))
        if texts:
            from logging import getLogger  # slow to import, and most programs never need it

            for text in texts:
                getLogger("modwire.server").warning("%s", text)

    def _go_on(self, decided: list[Pending], *ended: tuple[Pending, object]) -> None:
        """Start the requests whose turn it is; then report the other outcomes, also to hooks."""
        left = deque(decided)
        told = deque(ended)
        while left:
            pending = left.popleft()
            refusal = pending.refusal
            if refusal is not None:
                answer = failed_answer(pending.request, refusal, broadcast=pending.broadcast)
                told.append((pending, answer))
                continue
            try:
                self._threads.run(self._ask, pending)
            except RuntimeError as error:
                told.append((pending, error))
                with self._lock:
                    left += self._queue.finished(pending, error, monotonic())
        _tell(told)


def _tell(told: deque[tuple[Pending, object]]) -> None:
    while told:
        pending, outcome = told.popleft()
        try:
            pending.on_outcome(outcome)
        except BaseException:
            _tell(told)  # only one request was interrupted; the others still wait
            raise

"""The devices on a line behind a gateway, for packages with an event loop.

A package passes in its clock, its events and its log. `AsyncLine` is for packages whose units are
awaited, `GreenLine` for those whose units switch to other greenlets while they wait.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from ..units.unit import QueuedUnit
from .queue import GatewayLine, Ticket
from .remote import AsyncRemoteUnit, BlockingRemoteUnit, failed_answer, passed_on

if TYPE_CHECKING:
    from ..messages.base import AnyRequest, Response
    from .queue import LineClient, Rules
    from .remote import AsyncCaller, BlockingCaller


class Event(Protocol):
    """An event that a task or greenlet waits for with `wait()`."""

    def set(self) -> None:
        """Wake all that wait; later calls of `wait` return at once."""
        raise NotImplementedError

    def wait(self) -> object:
        """Wait until it is set; async packages await this."""
        raise NotImplementedError


class AsyncEvent(Event, Protocol):
    """An event that is awaited."""

    def wait(self) -> Awaitable[object]:
        """Wait until it is set."""
        raise NotImplementedError


class EventTicket(Ticket):
    """A request, and the event that is set when the request is decided."""

    __slots__ = ("decided",)

    def __init__(self, client: object, unit: int, request: AnyRequest, decided: Event) -> None:
        super().__init__(client, unit, request)
        self.decided = decided


def queue_of(client: LineClient, kind: type, rules: Rules) -> GatewayLine[EventTicket]:
    """Return the queue of the line of `client`. Raises TypeError unless that is a `kind`."""
    if not isinstance(client, kind):
        package = kind.__module__.partition(".")[0]
        raise TypeError(f"line must be a client of {package}, got {client!r}")
    return GatewayLine[EventTicket].of_client(client, rules)


class _Line:
    """A line whose requests wait in its queue for their turn."""

    def __init__(
        self,
        queue: GatewayLine[EventTicket],
        now: Callable[[], float],
        log: Callable[[str], object],
    ) -> None:
        self.queue = queue
        self.now = now
        self.log = log

    def hung_up(self, client: object) -> None:
        """Withdraw the queued requests of `client`, which has disconnected."""
        _tell(self.queue.hung_up(client, self.now()))

    def enter(self, ticket: EventTicket) -> None:
        """Queue a request until it is decided."""
        _tell(self.queue.enter(ticket, self.now()))

    def finished(self, ticket: EventTicket, outcome: object) -> None:
        """Record the `outcome` of a request to a device."""
        _tell(self.queue.finished(ticket, outcome, self.now()))
        for text in self.queue.take_log():
            self.log(text)

    def leave(self, ticket: EventTicket) -> None:
        """Withdraw `ticket`, because its answer is no longer needed."""
        _tell(self.queue.leave(ticket, self.now()))


def _tell(decided: list[EventTicket]) -> None:
    for ticket in decided:
        ticket.decided.set()


class AsyncLine(_Line):
    """A line whose units are awaited; `new_event()` makes an event of the package's loop."""

    def __init__(
        self,
        client: AsyncCaller,
        queue: GatewayLine[EventTicket],
        *,
        now: Callable[[], float],
        new_event: Callable[[], AsyncEvent],
        log: Callable[[str], object],
    ) -> None:
        super().__init__(queue, now, log)
        self.client = client
        self.new_event = new_event

    def unit(self, target: int, timeout: float | None) -> AsyncDevice:
        """Return a unit that passes requests on to unit `target`; 0 is all units on the line."""
        return AsyncDevice(self, target, timeout)


class AsyncDevice(QueuedUnit):
    """The unit `target` on a line; its requests wait in the queue, and are awaited."""

    def __init__(self, line: AsyncLine, target: int, timeout: float | None) -> None:
        super().__init__()
        self._line = line
        self._target = target
        self._remote = AsyncRemoteUnit(line.client, target, timeout=timeout)

    async def execute(
        self, request: AnyRequest, *, broadcast: bool = False, client: object = None
    ) -> Response | None:
        """Wait for the turn of `client`, then for the response."""
        sent = passed_on(request, broadcast=broadcast)
        if sent is None:
            return None
        line = self._line
        decided = line.new_event()
        ticket = EventTicket(client, self._target, request, decided)
        try:
            line.enter(ticket)
            await decided.wait()
            if ticket.refusal is not None:
                return failed_answer(request, ticket.refusal, broadcast=broadcast)
            response = await self._remote.execute(sent, broadcast=broadcast)
            line.finished(ticket, response)
            return response
        finally:
            line.leave(ticket)  # no effect unless it was cancelled


class GreenLine(_Line):
    """A line whose units let other greenlets run while they wait, as in gevent."""

    def __init__(
        self,
        client: BlockingCaller,
        queue: GatewayLine[EventTicket],
        *,
        now: Callable[[], float],
        new_event: Callable[[], Event],
        log: Callable[[str], object],
    ) -> None:
        super().__init__(queue, now, log)
        self.client = client
        self.new_event = new_event

    def unit(self, target: int, timeout: float | None) -> GreenDevice:
        """Return a unit that passes requests on to unit `target`; 0 is all units on the line."""
        return GreenDevice(self, target, timeout)


class GreenDevice(QueuedUnit):
    """The unit `target` on a line; its requests wait in the queue, in their greenlets."""

    def __init__(self, line: GreenLine, target: int, timeout: float | None) -> None:
        super().__init__()
        self._line = line
        self._target = target
        self._remote = BlockingRemoteUnit(line.client, target, timeout=timeout)

    def execute(
        self, request: AnyRequest, *, broadcast: bool = False, client: object = None
    ) -> Response | None:
        """Wait for the turn of `client`, then for the response."""
        sent = passed_on(request, broadcast=broadcast)
        if sent is None:
            return None
        line = self._line
        decided = line.new_event()
        ticket = EventTicket(client, self._target, request, decided)
        try:
            line.enter(ticket)
            decided.wait()
            if ticket.refusal is not None:
                return failed_answer(request, ticket.refusal, broadcast=broadcast)
            response = self._remote.execute(sent, broadcast=broadcast)
            line.finished(ticket, response)
            return response
        finally:
            line.leave(ticket)  # no effect unless it was killed

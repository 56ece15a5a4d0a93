"""`GatewayLine`: the queue for a line behind a gateway. It sets the order and refuses requests.

A gateway enters a `Ticket` for each request, waits until it is decided, sends the request to the
device, and reports the outcome. Nothing here waits or reads a clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from ..errors import (
    ConnectionLostError,
    ExceptionCode,
    ExceptionResponseError,
    GatewayPathUnavailableError,
    GatewayTargetFailedError,
    InvalidResponseError,
    ResponseTimeoutError,
    ServerDeviceBusyError,
)
from ..messages.base import ExceptionResponse, Response
from .changes import Changes
from .silences import Silences

if TYPE_CHECKING:
    from ..client.options import ClientOptions
    from ..messages.base import AnyRequest
    from .silences import Silence, Silenced

_MOST_WAITING = 1024  # requests of all clients together, because UDP has no limit of clients
_LOSSES = 2  # in a row; after the first loss the link may be back at once


class LineClient(Protocol):
    """The part of a client on a line that its queue needs."""

    name: str

    @property
    def options(self) -> ClientOptions:
        """Options of the client."""
        raise NotImplementedError

    @property
    def broadcasts_zero(self) -> bool:
        """True if requests to unit 0 are broadcasts."""
        raise NotImplementedError


class Rules(NamedTuple):
    """The arguments of a gateway that apply to each of its lines."""

    queue: int
    patience: float
    pause: float
    longest_pause: float


class State(Enum):
    """Stage of a ticket."""

    NEW = auto()
    WAITING = auto()
    OPEN = auto()  # the device executes it
    OVER = auto()  # done, refused or withdrawn


class Ticket:
    """One request for `unit` on its way through a gateway; unit 0 is all units on the line.

    `client` is the hashable identity used for fair queuing. `is_decided` becomes True once. Then
    `refusal` is the reason of a refusal, or None if the request may be sent to the device. The
    other attributes belong to the line.
    """

    __slots__ = ("client", "entered", "probes", "refusal", "request", "state", "unit")

    def __init__(self, client: object, unit: int, request: AnyRequest) -> None:
        self.client = client
        self.unit = unit
        self.request = request
        self.refusal: ExceptionResponseError | None = None
        self.state = State.NEW
        self.entered = 0.0  # time at which it began to wait
        self.probes: list[Silence] = []  # the silences that its answer may end

    @property
    def is_decided(self) -> bool:
        """True if the request is refused, or the line is free for it."""
        return self.state in (State.OPEN, State.OVER)


TicketT = TypeVar("TicketT", bound=Ticket)


class GatewayLine(Generic[TicketT]):
    """The queue for one line, and the state of the units on it.

    - Clients take turns: one request of each, in the order they came. At most `queue` requests of
      one client wait, and 1024 of all. Further requests are refused with exception 06, and so are
      those that have waited longer than `patience` seconds.
    - At most `most_open` requests are open at once. A broadcast has the line for itself.
    - A unit that does not answer gets no request for `pause` seconds, doubled each time up to
      `longest_pause`. Requests to it, queued ones too, are refused with 0B. Then the next request
      is sent as a probe; the first answer ends the back-off.
    - A unit whose late reply may come within `late` seconds is served after the others, because
      the line would have to wait for that reply.
    - If the line is lost twice in a row, all queued requests are refused with 0A.

    Each method returns the tickets that it has decided, in order: send those without a `refusal`
    to the device, then call `finished`. Times are in seconds, monotonic. `take_log` returns texts
    for the log, which contain the line's `name`.
    """

    def __init__(
        self,
        *,
        most_open: int = 1,
        queue: int = 16,
        patience: float = 10.0,
        pause: float = 1.0,
        longest_pause: float = 30.0,
        late: float = 0.0,
        most_waiting: int = _MOST_WAITING,
        name: str = "line",
    ) -> None:
        self.name = name
        self.most_open = most_open
        self._most_queued = queue
        self._most_waiting = most_waiting
        self._patience = patience
        self._changes = Changes()
        self._silences = Silences(pause, longest_pause, self._changes.note)
        self._queues: dict[object, deque[TicketT]] = {}  # by client, in the order of their turns
        self._open: set[TicketT] = set()
        self._late = late
        self._owing: dict[int, float] = {}  # by unit: end of the time for a late reply
        self._losses = 0
        self.waiting = 0

    @classmethod
    def of_client(cls, line_client: LineClient, rules: Rules) -> GatewayLine[TicketT]:
        """Return the queue for a client.

        The pause is at least as long as the client waits for a late reply, because until then a
        request to the unit would block the line.
        """
        options = line_client.options
        window = options.late_reply_window
        late = options.response_timeout if window is None else window
        pause = max(rules.pause, late)
        return cls(
            most_open=options.max_in_flight,
            queue=rules.queue,
            patience=rules.patience,
            pause=pause,
            longest_pause=max(rules.longest_pause, pause),
            late=late,
            name=line_client.name,
        )

    @property
    def is_idle(self) -> bool:
        """True if no request waits, and none is open."""
        return not self._open and not self.waiting

    def enter(self, ticket: TicketT, now: float) -> list[TicketT]:
        """Queue a new request, or refuse it."""
        decided: list[TicketT] = []
        silences = self._silences.concerning(ticket.unit, ticket.request.function_code)
        if any(each.lasts(now) for each in silences):
            return [self._refuse(ticket, _target_failed(ticket))]
        queue = self._queues.get(ticket.client, deque[TicketT]())
        count = len(queue)
        if count >= self._most_queued:
            return [self._refuse(ticket, _busy(ticket, f"{count} requests of this client wait"))]
        if self.waiting >= self._most_waiting:
            longest = max(self._queues.values(), key=len)
            detail = f"{self.waiting} requests wait"
            if len(longest) <= count + 1:
                return [self._refuse(ticket, _busy(ticket, detail))]
            # Evict from the longest queue.
            self.waiting -= 1
            last = longest.pop()
            decided.append(self._refuse(last, _busy(last, detail)))
        for each in silences:
            each.probe = ticket
        ticket.probes = silences
        ticket.entered = now
        ticket.state = State.WAITING
        queue.append(ticket)
        self._queues[ticket.client] = queue
        self.waiting += 1
        self._grant(now, decided)
        return decided

    def leave(self, ticket: TicketT, now: float) -> list[TicketT]:
        """Withdraw a request whose answer is no longer needed: if it is queued, it is refused.

        If it is open, it ends without information about the device. Otherwise nothing changes.
        """
        if ticket.state is State.OPEN:
            return self.finished(ticket, None, now)
        decided: list[TicketT] = []
        if ticket.state is State.WAITING:
            queue = self._queues[ticket.client]
            queue.remove(ticket)
            if not queue:
                del self._queues[ticket.client]
            self.waiting -= 1
            decided.append(self._refuse(ticket, _busy(ticket, "it was withdrawn")))
            self._grant(now, decided)
        return decided

    def hung_up(self, client: object, now: float) -> list[TicketT]:
        """Refuse all queued requests of `client`, which has disconnected."""
        queue = self._queues.pop(client, None)
        if queue is None:
            return []
        self.waiting -= len(queue)
        decided = [self._refuse(each, _busy(each, "it was withdrawn")) for each in queue]
        self._grant(now, decided)
        return decided

    def finished(self, ticket: TicketT, outcome: object, now: float) -> list[TicketT]:
        """End an open request; `outcome` is the response, None, or an error that was raised."""
        if ticket.state is not State.OPEN:
            return []
        ticket.state = State.OVER
        self._open.discard(ticket)
        decided: list[TicketT] = []
        news = _news_in(outcome)
        if news is _News.LOST:
            self._losses += 1
            if self._losses >= _LOSSES:
                self._refuse_waiting(None, _path_unavailable, decided)
        elif news is not _News.NONE:
            self._losses = 0
        if ticket.unit:
            self._learn(ticket, news, now, decided)
        self._release(ticket)
        self._grant(now, decided)
        return decided

    def take_log(self) -> list[str]:
        """Return the texts to log: units that have stopped answering, or answer again.

        They are not logged while a request is decided, because a log may block or fail.
        """
        return [f"gateway to {self.name}: {text}" for text in self._changes.take()]

    def _learn(self, ticket: TicketT, news: _News, now: float, decided: list[TicketT]) -> None:
        """Record if the unit answers; if it does not, refuse the requests queued for it."""
        unit, function = ticket.unit, ticket.request.function_code
        self._owing.pop(unit, None)
        if news in (_News.SILENT, _News.NONE):
            self._owing[unit] = now + self._late
        if news is _News.ANSWERED:
            self._silences.answered(unit, function, now)
        elif news is _News.SILENT:
            silenced = self._silences.unanswered(unit, function, ticket.probes, now)
            if silenced is not None:
                self._refuse_waiting(silenced, _target_failed, decided)

    # Turns.

    def _grant(self, now: float, decided: list[TicketT]) -> None:
        """Open the requests whose turn it is, up to `most_open`."""
        while self._queues and len(self._open) < self.most_open:
            client, queue = self._next(now)
            ticket = queue[0]
            if self._open and (not ticket.unit or not next(iter(self._open)).unit):
                return  # a broadcast has the line for itself
            queue.popleft()
            self.waiting -= 1
            del self._queues[client]
            if queue:
                self._queues[client] = queue  # behind the others
            waited = now - ticket.entered
            if waited > self._patience:
                self._refuse(ticket, _busy(ticket, f"it has waited {waited:.1f} s for its turn"))
            else:
                ticket.state = State.OPEN
                self._open.add(ticket)
            decided.append(ticket)

    def _next(self, now: float) -> tuple[object, deque[TicketT]]:
        """Return the client whose turn it is, and its queue."""
        if self._owing:
            for client, queue in self._queues.items():
                if self._owing.get(queue[0].unit, now) <= now:
                    return client, queue
        return next(iter(self._queues.items()))

    def _refuse(self, ticket: TicketT, refusal: ExceptionResponseError) -> TicketT:
        ticket.state = State.OVER
        ticket.refusal = refusal
        self._release(ticket)
        return ticket

    def _refuse_waiting(
        self,
        silenced: Silenced | None,
        refusal: Callable[[Ticket], ExceptionResponseError],
        decided: list[TicketT],
    ) -> None:
        """Refuse the queued requests that `silenced` covers; None stands for all."""
        for client, queue in list(self._queues.items()):
            left: deque[TicketT] = deque()
            for ticket in queue:
                function = ticket.request.function_code
                if silenced is None or silenced.covers(ticket.unit, function):
                    decided.append(self._refuse(ticket, refusal(ticket)))
                else:
                    left.append(ticket)
            self.waiting -= len(queue) - len(left)
            if left:
                self._queues[client] = left
            else:
                del self._queues[client]

    def _release(self, ticket: TicketT) -> None:
        """End the use of `ticket` as a probe."""
        for each in ticket.probes:
            each.probe = None
        ticket.probes = []


def _target_failed(ticket: Ticket) -> ExceptionResponseError:
    detail = f"unit {ticket.unit} did not answer shortly before"
    return GatewayTargetFailedError(ticket.request, detail=detail)


def _path_unavailable(ticket: Ticket) -> ExceptionResponseError:
    return GatewayPathUnavailableError(ticket.request, detail="the line is lost")


def _busy(ticket: Ticket, detail: str) -> ExceptionResponseError:
    return ServerDeviceBusyError(ticket.request, detail=detail)


class _News(Enum):
    """Information that the outcome of a request gives about the device and the line."""

    ANSWERED = auto()
    SILENT = auto()
    LOST = auto()  # there is no link
    NONE = auto()


def _news_in(outcome: object) -> _News:
    if not isinstance(outcome, ExceptionResponse):
        return _News.ANSWERED if isinstance(outcome, Response) else _News.NONE
    cause = outcome.cause
    if isinstance(cause, ConnectionLostError):
        return _News.LOST
    if isinstance(cause, ResponseTimeoutError):
        return _News.SILENT
    if isinstance(cause, ExceptionResponseError):
        # Another gateway behind this one may have had no answer from the unit.
        is_silent = cause.code == ExceptionCode.GATEWAY_TARGET_FAILED
        return _News.SILENT if is_silent else _News.ANSWERED
    # An answer that does not fit is an answer, too: the device is there.
    return _News.ANSWERED if isinstance(cause, InvalidResponseError) else _News.NONE

"""`Gateway`: the devices on a line as units of a server, shared fairly by the server's clients."""

from __future__ import annotations

from _thread import allocate_lock
from collections import deque
from collections.abc import Iterable, Mapping
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

from modwire.gateway.queue import GatewayLine, Ticket
from modwire.gateway.remote import failed_answer
from modwire.gateway.units import GatewayUnits, passed_on

from .client import Client
from .remote import RemoteUnit
from .threads import Threads

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from modwire.messages.base import AnyRequest, Response

    OnOutcome: TypeAlias = Callable[[object], None]  # a response, None, or an error

_SPARE_THREADS = 8  # for each line


class Gateway(GatewayUnits):
    """The units of a server that are devices on other lines: `TcpServer(Gateway(line), address)`.

    `line` is a client, and `units` maps the unit ids of the gateway to those on the line, or
    names those that are the same on both; None passes all ids that are not in use otherwise.
    `timeout` is how many seconds the devices on it have, None for the client's own. `add_line`
    adds another line, `gateway[unit_id] = unit` a unit of the gateway itself.

    What a device refuses is passed back as it is, and functions that nobody knows are passed on.
    A unit id that leads nowhere is answered with exception 0A, gateway path unavailable, on a
    serial line with silence; 0A too where a line is lost. A unit that does not answer gets 0B,
    gateway target failed.

    - `queue`: how many requests of one client may wait. Clients take turns at a line; what is too
      much, or has waited longer than `patience` seconds, is answered with 06, server device busy.
    - `pause`: seconds in which a unit that did not answer is not asked again, at least as long
      as the client's `late_reply_window`. They are doubled each time, up to `longest_pause`;
      requests in between are answered with 0B at once, and so are those that wait already.
    - A broadcast goes to each line, once, and is not answered. On TCP and UDP a write to unit 0
      is one, unless a unit has that id.
    """

    def __init__(
        self,
        line: Client,
        units: Mapping[int, int] | Iterable[int] | None = None,
        *,
        timeout: float | None = None,
        queue: int = 16,
        patience: float = 10.0,
        pause: float = 1.0,
        longest_pause: float = 30.0,
    ) -> None:
        super().__init__(queue=queue, patience=patience, pause=pause, longest_pause=longest_pause)
        self._shared: dict[Client, Line] = {}
        self.add_line(line, units, timeout=timeout)

    def add_line(
        self,
        line: Client,
        units: Mapping[int, int] | Iterable[int] | None = None,
        *,
        timeout: float | None = None,
    ) -> None:
        """Let `units` lead to another line, or to the same one with another `timeout`.

        The arguments are those of the first line. Raises ValueError for a unit id that is in use.
        """
        self._check_line(line, Client, timeout)
        shared = self._shared.get(line)
        if shared is None:
            shared = Line(GatewayLine[Forwarded].of_client(line, self._rules))
        self._add_line(line, partial(Device, shared, line, timeout), units, shared.hung_up)
        self._shared[line] = shared


class Forwarded(Ticket):
    """A request that was handed to a `Device`."""

    __slots__ = ("broadcast", "device", "on_outcome", "sent")

    def __init__(
        self,
        device: Device,
        asker: object,
        request: AnyRequest,
        sent: AnyRequest,
        broadcast: bool,
        on_outcome: OnOutcome,
    ) -> None:
        super().__init__(asker, device.target, request)
        self.device = device
        self.sent = sent
        self.broadcast = broadcast
        self.on_outcome = on_outcome

    def withdraw(self) -> None:
        """Nobody waits for the answer any more: unless it is being asked, it has an outcome now."""
        self.device.line.leave(self)


class Device(RemoteUnit):
    """The unit `target` on a line, 0 for all on it, in whose queue the requests wait."""

    forwards: ClassVar[bool] = True

    def __init__(self, line: Line, client: Client, timeout: float | None, target: int) -> None:
        super().__init__(client, target, timeout=timeout)
        self.line = line
        self.target = target

    def submit(
        self, asker: object, request: AnyRequest, broadcast: bool, on_outcome: OnOutcome
    ) -> Forwarded | None:
        """Ask for the outcome, which is told in some thread, perhaps before this returns."""
        try:
            sent = passed_on(request, broadcast=broadcast)
        except Exception as error:  # noqa: BLE001 - the encoding of a custom class
            on_outcome(error)
            return None
        if sent is None:
            on_outcome(None)
            return None
        forwarded = Forwarded(self, asker, request, sent, broadcast, on_outcome)
        self.line.enter(forwarded)
        return forwarded

    def execute_for(
        self, asker: object, request: AnyRequest, *, broadcast: bool = False
    ) -> Response | None:
        """Wait for the turn of `asker`, and for the response."""
        outcomes: list[object] = []
        alarm = allocate_lock()
        alarm.acquire()

        def on_outcome(outcome: object) -> None:
            outcomes.append(outcome)
            alarm.release()

        forwarded = self.submit(asker, request, broadcast, on_outcome)
        try:
            alarm.acquire()
        except BaseException:
            if forwarded is not None:
                forwarded.withdraw()
            raise
        outcome = outcomes.pop()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome  # type: ignore[return-value] # the executor looks


class Line:
    """The threads that ask the devices on one line, as many as it takes requests at once.

    A few more are there for hooks that take their time, or ask the devices on this line.
    """

    def __init__(self, queue: GatewayLine[Forwarded]) -> None:
        self._queue = queue
        self._lock = allocate_lock()  # guards the queue
        self._threads = Threads(queue.most_open + _SPARE_THREADS, "modwire-gateway")

    def enter(self, forwarded: Forwarded) -> None:
        """Let a request wait for its turn."""
        with self._lock:
            decided = self._queue.enter(forwarded, monotonic())
        self._go_on(decided)

    def leave(self, forwarded: Forwarded) -> None:
        """Nobody waits for the answer to a request any more."""
        with self._lock:
            if forwarded.is_decided:
                return  # who is asked ends by himself
            decided = self._queue.leave(forwarded, monotonic())
        self._go_on(decided)

    def hung_up(self, asker: object) -> None:
        """`asker` will take no answer to what waits."""
        with self._lock:
            decided = self._queue.hung_up(asker, monotonic())
        self._go_on(decided)

    def _ask(self, forwarded: Forwarded) -> None:
        """Ask a device, and see to it that those whose turn it is next are asked."""
        outcome: object
        device = forwarded.device
        try:
            outcome = device.execute(forwarded.sent, broadcast=forwarded.broadcast)
        except BaseException as error:  # noqa: BLE001 - told to who waits; this thread is no program
            outcome = error
        with self._lock:
            decided = self._queue.finished(forwarded, outcome, monotonic())
            texts = self._queue.take_log()
        self._go_on(decided, (forwarded, outcome))
        for text in texts:
            log(text)

    def _go_on(self, decided: list[Forwarded], *ended: tuple[Forwarded, object]) -> None:
        """Have those asked whose turn it is; then tell the others, and hooks, how it ended."""
        left = deque(decided)
        told = deque(ended)
        while left:
            forwarded = left.popleft()
            refusal = forwarded.refusal
            if refusal is not None:
                answer = failed_answer(forwarded.request, refusal, broadcast=forwarded.broadcast)
                told.append((forwarded, answer))
                continue
            try:
                self._threads.run(self._ask, forwarded)
            except RuntimeError as error:
                told.append((forwarded, error))
                with self._lock:
                    left += self._queue.finished(forwarded, error, monotonic())
        _tell(told)


def _tell(told: deque[tuple[Forwarded, object]]) -> None:
    while told:
        forwarded, outcome = told.popleft()
        try:
            forwarded.on_outcome(outcome)
        except BaseException:
            _tell(told)  # one is interrupted, and the others wait still
            raise


def log(text: str) -> None:
    """Log that a unit does not answer, or answers again."""
    # Costs to import, and most programs never need it.
    from logging import getLogger

    getLogger("modwire.server").warning("%s", text)

"""`Client`: what all blocking clients share: the calls, the link, and threads taking turns on it.

There is no thread in the background. Of the callers that wait, one at a time receives for all:
it holds the *turn*, which is passed on when its own call is done. The others sleep, each on a
lock of its own, until their call is done, the turn is theirs, or something is due.
"""

from __future__ import annotations

from _thread import allocate_lock
from time import monotonic, sleep
from typing import TYPE_CHECKING, TypeVar

from modwire.backoff import Backoff, LinkHistory
from modwire.calls import BlockingCalls
from modwire.client import ClientProtocol
from modwire.errors import ConnectionLostError, ModbusError
from modwire.exchange import Alone, Exchange
from modwire.messages.base import Response
from modwire.options import check_timeout, check_unit

from .links import LONGEST_WAIT, Link

if TYPE_CHECKING:
    from _thread import LockType
    from collections.abc import Callable
    from logging import Logger
    from types import TracebackType
    from typing import Any, TypeAlias

    from typing_extensions import Self

    from modwire.framing import Framing
    from modwire.messages.base import Request
    from modwire.options import ClientOptions

    AnyExchange: TypeAlias = Exchange[Any]

ResponseT = TypeVar("ResponseT", bound=Response)

_MOST_READS = 64  # of what has arrived before a call, lest a server that floods us holds it up
_DEBUG = 10  # logging.DEBUG; logging is imported when the first link is opened


class Client(BlockingCalls):
    """A Modbus client that waits: call its methods from any number of threads.

    The link is opened by `connect`, on entering `with`, or by the first call; when it is lost, by
    the next call. After the second failure in a row to open it there are pauses, 0.1 s to 5 s: a
    call that has time enough waits until one is over, others raise `ConnectionLostError` at once.
    A connection that the server closed while it was idle is opened anew before anything is sent;
    if it only turns out when the answer does not come, a request that writes nothing is sent
    again, once.

    Subclasses define `_open_link`; `name` stands for the peer in errors and logs.
    """

    def __init__(self, name: str, framing: type[Framing], options: ClientOptions) -> None:
        self.name = name
        self._protocol = ClientProtocol(framing, options)
        self._looks_always = not framing.has_transactions
        self._backoff = Backoff()
        self._opening = allocate_lock()  # held while a link is being opened, taken before _lock
        self._failures: int = 0  # to open a link, since ever
        self._open_error: Exception | None = None
        self._log: Logger | None = None
        self._wire: Logger | None = None
        self._is_enabled: Callable[[int], bool] = _never
        self._lock = allocate_lock()  # guards all below, and the protocol
        self._link: Link | None = None
        self._history = LinkHistory(self._backoff, looks_always=False)
        self._is_traced = False
        self._receive_bytes: Callable[[bytes, float], None] = self._protocol.receive_data
        self._reader: object = None  # the exchange whose caller has the turn
        self._waiting: dict[AnyExchange, LockType] = {}  # in the order they came
        self._doomed: list[Link] = []  # lost while somebody received on them; he closes them

    def _open_link(self) -> Link:
        """Open a new link to the peer; OSError if that fails."""
        raise NotImplementedError(f"{type(self).__name__} must define _open_link()")

    @property
    def options(self) -> ClientOptions:
        """What the client was told: its unit, response timeout, retries and so on."""
        return self._protocol.options

    @property
    def is_open(self) -> bool:
        """Whether there is a link, as far as is known; a lost one is noticed by the next call."""
        return self._link is not None

    def connect(self) -> None:
        """Open the link unless it is open; raises `ConnectionLostError` if that fails."""
        if self._link is None:
            self._open(None)

    def close(self) -> None:
        """Close the link; calls that wait raise `ConnectionLostError`, later ones open it anew."""
        with self._lock:
            if self._link is not None:
                self._history.closed()
                self._drop(ConnectionLostError(f"{self.name}: the client was closed"))

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "open" if self.is_open else "closed"
        return f"<{type(self).__name__} {self.name}, {state}>"

    def call(
        self,
        request: Request[ResponseT],
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> ResponseT:
        """Send `request` to `unit`, wait `timeout` seconds at most, and give its response.

        None stands for the client's own unit and timeout; the time counts from when the request
        is sent, which waits for a free line and for a new link to be opened. A request that is
        never answered, a broadcast or function 8, sub-function 4, gives None once it is sent.
        Raises an `ExceptionResponseError` where the device refuses, `ResponseTimeoutError`,
        `InvalidResponseError`, or `ConnectionLostError`.
        """
        # The way of a caller who finds nobody else here. Whatever is out of the ordinary, from a
        # second caller to half an answer, goes on as an exchange like any other.
        protocol = self._protocol
        link: Link | None = None
        history = self._history
        alone: Alone | None = None
        data: bytes | None = None
        error: OSError | None = None
        is_waiting = False
        try:
            with self._lock:
                link = self._link
                now = monotonic()
                history = self._history
                if (
                    link is not None
                    and self._reader is None
                    and not self._waiting
                    and not history.needs_look(now)
                ):
                    alone = protocol.start_alone(request, unit, timeout, now)
                    if alone is not None:
                        self._reader = alone
                        self._transmit(link, alone.adu, now)
            if alone is not None and link is not None:
                is_waiting = True
                data = link.receive(alone.timeout)
        except BaseException as caught:
            if not is_waiting or not isinstance(caught, OSError):
                if alone is not None:
                    self._give_up(alone, is_waiting)
                raise
            error = caught
        if alone is None or link is None:
            return self._share(request, unit, timeout)
        with self._lock:
            if data and link is self._link and not self._is_traced:
                response = protocol.finish_alone(alone, request, data)
                if response is not None:
                    history.heard = monotonic()
                    self._reader = None
                    if self._waiting or self._doomed:
                        self._pass_turn()
                    return response
            exchange = protocol.adopt(alone, request)
            self._reader = exchange
            seconds = self._received(exchange, link, data, error)
        if seconds is not None:
            self._receive(exchange, link, seconds)
        try:
            return exchange.result()
        except ConnectionLostError:
            if not history.may_repeat(request):
                raise
        finally:
            del exchange  # or an error, its traceback and this frame would keep each other
        return self._share(request, unit, timeout, is_repeated=True)

    def _share(
        self,
        request: Request[ResponseT],
        unit: int | None,
        timeout: float | None,
        is_repeated: bool = False,
    ) -> ResponseT:
        """A call on a link that may be closed, or in use by others."""
        protocol = self._protocol
        if unit is not None:  # a mistake is told before a link is opened for it
            check_unit(unit)
        if timeout is not None:
            check_timeout(timeout)
        while True:
            if self._link is None:
                self._open(timeout)
            exchange: Exchange[ResponseT] | None = None
            seconds = 0.0
            try:
                with self._lock:
                    now = monotonic()
                    if self._history.needs_look(now):
                        self._take_arrived(now)
                    link = self._link
                    if link is None:
                        continue
                    history = self._history
                    exchange = protocol.start(request, unit, now=now, timeout=timeout)
                    self._send(now)
                    has_turn = self._reader is None and not exchange.done
                    if has_turn:
                        self._reader = exchange
                        seconds = self._seconds_left(now)
                if has_turn:
                    self._receive(exchange, link, seconds)
                else:
                    self._sleep(exchange)
            except BaseException as error:
                if exchange is not None or not isinstance(error, Exception):
                    self._break_off(exchange)
                raise
            try:
                return exchange.result()
            except ConnectionLostError:
                if is_repeated or not history.may_repeat(request):
                    raise
                is_repeated = True
            finally:
                del exchange

    def _open(self, timeout: float | None) -> None:
        """Open the link for everybody who waits for it; all of them share a failure."""
        failures = self._failures
        with self._opening:
            if self._link is not None:
                return
            if self._failures != failures:
                raise self._no_link(str(self._open_error))
            pause = self._backoff.wait(monotonic())
            if pause > (self.options.response_timeout if timeout is None else timeout):
                raise self._no_link(f"{self._open_error}; the next try is in {pause:.1f} s")
            if pause:
                sleep(pause)
            self._find_logs()
            try:
                link = self._open_link()
            except (OSError, ValueError, OverflowError) as error:  # a host name may be no name
                self._failures += 1
                self._open_error = error
                self._backoff.failed(monotonic())
                self._note("%s: cannot be opened: %s", self.name, error)
                raise self._no_link(str(error)) from error
            with self._lock:
                self._protocol.reset()
                self._history = LinkHistory(self._backoff, looks_always=self._looks_always)
                self._link = link
                if link.is_datagram:
                    self._receive_bytes = self._protocol.receive_datagram
                else:
                    self._receive_bytes = self._protocol.receive_data
        self._note("%s: opened", self.name)

    def _no_link(self, reason: str) -> ConnectionLostError:
        return ConnectionLostError(f"{self.name}: cannot be opened: {reason}")

    def _find_logs(self) -> None:
        if self._log is None:
            from logging import getLogger  # takes longer to import than all of modwire

            self._log = getLogger("modwire.client")
            self._wire = getLogger("modwire.wire")
            self._is_enabled = self._wire.isEnabledFor

    def _note(self, message: str, *values: object) -> None:
        if self._log is not None:
            self._log.info(message, *values)

    # From here on, the caller holds the lock, except in _receive, _sleep, _cancel and _break_off.

    def _send(self, now: float) -> bool:
        """Send what the protocol wants sent; whether there was anything."""
        link = self._link
        data = self._protocol.data_to_send(now)
        if not data or link is None:
            return False
        self._transmit(link, data, now)
        return True

    def _transmit(self, link: Link, data: bytes, now: float) -> None:
        self._is_traced = self._is_enabled(_DEBUG)
        if self._is_traced and self._wire is not None:
            self._wire.debug("%s: sent %s", self.name, data.hex(" "))
        self._history.sent = now
        try:
            busy = link.send(data)
        except OSError as error:
            self._lose(error, now)
        else:
            if busy:
                self._protocol.data_sent(now + busy)

    def _seconds_left(self, now: float) -> float:
        """How long may be waited for bytes until something is due."""
        deadline = self._protocol.deadline()
        return LONGEST_WAIT if deadline is None else deadline - now

    def _take_arrived(self, now: float) -> None:
        """Take what came while nobody was receiving."""
        for _ in range(_MOST_READS):
            if self._reader is not None or self._link is None:
                return
            try:
                data = self._link.receive_now()
            except OSError as error:
                self._lose(error, now)
                return
            if data is None:
                return
            self._take(self._link, data, now)

    def _take(self, link: Link, data: bytes, now: float) -> None:
        """Hand what was received to the protocol."""
        if not data and not link.is_datagram:
            self._history.lost(now)
            self._protocol.receive_eof(now)
            self._drop(ConnectionLostError(f"{self.name}: the server closed the connection"))
            return
        self._history.heard = now
        if self._is_traced and self._wire is not None:
            self._wire.debug("%s: received %s", self.name, data.hex(" "))
        self._receive_bytes(data, now)
        if self._protocol.broken:
            self._drop(ConnectionLostError(f"{self.name}: what the server sends is no Modbus"))

    def _lose(self, error: OSError, now: float) -> None:
        self._history.lost(now)
        lost = ConnectionLostError(f"{self.name}: the link was lost: {error}")
        lost.__cause__ = error
        self._drop(lost)

    def _drop(self, error: ModbusError) -> None:
        """Part with the link; all open calls fail with `error`."""
        link, self._link = self._link, None
        self._protocol.connection_lost(error)
        self._wake_all()
        if link is None:
            return
        if self._reader is None:
            link.close()
        else:
            self._doomed.append(link)
            link.interrupt()
        self._note("%s", error)

    def _receive(self, exchange: AnyExchange, link: Link, seconds: float | None) -> None:
        """Receive for all who wait, until `exchange` is done; then pass the turn on."""
        while seconds is not None:
            data: bytes | None = None
            error: OSError | None = None
            try:
                data = link.receive(seconds)
            except OSError as caught:
                error = caught
            except BaseException:
                self._cancel(exchange)
                raise
            with self._lock:
                seconds = self._received(exchange, link, data, error)

    def _received(
        self, exchange: AnyExchange, link: Link, data: bytes | None, error: OSError | None
    ) -> float | None:
        """Take what a `receive` brought; how long to wait next, None if `exchange` is done."""
        now = monotonic()
        if link is self._link:
            if data is not None:
                self._take(link, data, now)
            elif error is not None:
                self._lose(error, now)
            self._do_what_is_due(now)
            self._wake_done()
        if exchange.done:
            self._pass_turn()
            return None
        return self._seconds_left(now)

    def _sleep(self, exchange: Exchange[ResponseT]) -> None:
        """Wait until `exchange` is done, or receive for all once the turn is free."""
        while True:
            with self._lock:
                self._waiting.pop(exchange, None)
                now = monotonic()
                if self._do_what_is_due(now):
                    # Who receives does not know of the deadlines of what was sent just now.
                    self._wake_all()
                self._wake_done()
                if exchange.done:
                    if self._reader is None:
                        self._pass_turn()
                    return
                seconds = self._seconds_left(now)
                link = self._link
                if self._reader is None and link is not None:
                    self._reader = exchange
                    break
                alarm = allocate_lock()
                alarm.acquire()
                self._waiting[exchange] = alarm
            try:
                alarm.acquire(True, min(max(seconds, 0.0), LONGEST_WAIT))
            except BaseException:
                self._cancel(exchange)
                raise
        self._receive(exchange, link, seconds)

    def _do_what_is_due(self, now: float) -> bool:
        """Let the protocol notice the time, and send what may be sent; whether anything was."""
        deadline = self._protocol.deadline()
        if deadline is not None and deadline <= now:
            self._protocol.handle_timeout(now)
        return self._send(now)

    def _wake_done(self) -> None:
        for exchange in [each for each in self._waiting if each.done]:
            self._waiting.pop(exchange).release()

    def _wake_all(self) -> None:
        for alarm in self._waiting.values():
            alarm.release()
        self._waiting.clear()

    def _pass_turn(self) -> None:
        """Nobody receives now: wake the one who has waited longest, to take the turn."""
        self._reader = None
        while self._doomed:
            self._doomed.pop().close()
        if self._waiting:
            self._waiting.pop(next(iter(self._waiting))).release()

    def _cancel(self, exchange: Exchange[ResponseT]) -> None:
        """The caller was interrupted while it waited, so the others can go on."""
        with self._lock:
            now = monotonic()
            self._waiting.pop(exchange, None)
            self._protocol.cancel(exchange, now)
            exchange.cancelled = True  # also if it was done just before: for _break_off
            self._send(now)
            if self._reader is exchange:
                self._pass_turn()
            self._wake_all()

    def _give_up(self, alone: Alone, was_waiting: bool) -> None:
        """A caller who was alone was interrupted."""
        with self._lock:
            self._reader = None
            exchange = self._protocol.adopt(alone, alone.request)
            self._reader = exchange
        if was_waiting:
            self._cancel(exchange)
        else:
            self._break_off(exchange)

    def _break_off(self, exchange: Exchange[ResponseT] | None) -> None:
        """A call was interrupted; unless it only waited then, the state is anyone's guess."""
        if exchange is not None and exchange.cancelled:
            return
        with self._lock:
            if exchange is not None:
                self._waiting.pop(exchange, None)
            if self._reader is exchange:
                self._pass_turn()
            self._drop(ConnectionLostError(f"{self.name}: a call was interrupted half-way"))


def _never(level: int) -> bool:
    return False

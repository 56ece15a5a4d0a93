"""`Client`: what all gevent clients share: the calls, and the link that they are made on."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from gevent import Greenlet, get_hub, sleep

from modwire.calls import BlockingCalls
from modwire.errors import ConnectionLostError
from modwire.messages.base import Response

from .turns import DEBUG, TurnTaking

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

    from modwire.client.backoff import LinkHistory
    from modwire.client.exchange import Alone, Exchange
    from modwire.client.options import ClientOptions
    from modwire.framing import Framing
    from modwire.messages.base import Request

    from .links import Link

ResponseT = TypeVar("ResponseT", bound=Response)

_MOST_UNWAITED = 16  # calls in a row, until other greenlets have their turn
_CANNOT_OPEN = (OSError, ValueError, OverflowError)  # a host name may be no name


class _Opening:
    """An attempt to open the link, which a greenlet makes while `waiting` callers wait for it."""

    def __init__(self, run: Callable[[_Opening, float], None], pause: float) -> None:
        self.waiting = 0
        self.error: Exception | None = None
        self.greenlet = Greenlet(run, self, pause)
        self.greenlet.start()


class Client(TurnTaking, BlockingCalls):
    """A Modbus client that waits: call its methods from any number of greenlets of one thread.

    The link is opened by `connect`, on entering `with`, or by the first call; when it is lost, by
    the next call. After the second failure in a row to open it there are pauses, 0.1 s to 5 s: a
    call that has time enough waits until one is over, others raise `ConnectionLostError` at once.
    A connection that the server closed while it was idle is opened anew before anything is sent;
    if it only turns out when the answer does not come, a request that writes nothing is sent
    again, once.

    A caller may be killed, or interrupted by a `gevent.Timeout`, wherever it waits: no other call
    notices, and an answer that comes late is nobody's. Only where half of its request was sent,
    the link is closed.

    Subclasses define `_open_link`; `name` stands for the peer in errors and logs.
    """

    def __init__(self, name: str, framing: type[Framing], options: ClientOptions) -> None:
        super().__init__(name, framing, options)
        self._opening: _Opening | None = None
        self._unwaited = 0  # calls in a row that did not wait

    def _open_link(self) -> Link:
        """Open a new link to the peer; OSError if that fails."""
        raise NotImplementedError(f"{type(self).__name__} must define _open_link()")

    @property
    def options(self) -> ClientOptions:
        """What the client was told: its unit, response timeout, retries and so on."""
        return self._session.options

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
        if self._link is not None:
            self._check_hub()
        self._session.closed()
        self._part()

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
        if self._unwaited >= _MOST_UNWAITED:
            self._unwaited = 0
            sleep(0)
        link = self._link
        if (
            link is not None
            and self._reader is None
            and not link.is_sending
            and link.hub is get_hub()
        ):
            now = monotonic()
            history = self._session.history
            if not history.needs_look(now):
                alone = self._protocol.start_alone(request, unit, timeout, now)
                if alone is not None:
                    return self._call_alone(alone, request, link, history)
        return self._share(request, unit, timeout)

    def _call_alone(
        self, alone: Alone, request: Request[ResponseT], link: Link, history: LinkHistory
    ) -> ResponseT:
        protocol = self._protocol
        self._reader = alone
        data: bytes | None = None
        is_waiting = False
        try:
            self._is_traced = self._is_enabled(DEBUG)
            if self._is_traced:
                self._trace("sent", alone.adu)
            history.sent = alone.started
            try:
                link.send(alone.adu, alone.started)
            except OSError as error:
                self._lose(link, error)
            else:
                # On one machine the answer has often come by now; to wait for it would take longer
                # than all the rest.
                data = self._received(link)
                self._unwaited += 1
                if data is None and link is self._link:
                    self._unwaited = 0
                    is_waiting = True
                    has_bytes = link.wait(alone.started + alone.timeout)
                    is_waiting = False
                    if has_bytes and link is self._link:
                        data = self._received(link)
                if link is self._link:
                    if data and not self._is_traced:
                        self._reader = None
                        response = protocol.finish_alone(alone, request, data)
                        if response is not None:
                            history.heard = monotonic()
                            return response
                        self._reader = alone
        except BaseException:
            if is_waiting:
                self._cancel(self._adopt(alone, request))
            else:
                self._break_off(None)
            raise
        exchange = self._adopt(alone, request)
        if data is not None and link is self._link:
            self._take(data, monotonic())
        self._finish(exchange)
        try:
            return exchange.result()
        except ConnectionLostError:
            if not self._session.may_repeat(exchange, history):
                raise
        finally:
            del exchange  # or an error, its traceback and this frame would keep each other
        return self._share(request, alone.unit, alone.timeout, is_repeated=True)

    def _received(self, link: Link) -> bytes | None:
        try:
            return link.receive()
        except OSError as error:
            self._lose(link, error)
            return None

    def _adopt(self, alone: Alone, request: Request[ResponseT]) -> Exchange[ResponseT]:
        exchange = self._protocol.adopt(alone, request)
        if self._reader is alone:
            self._reader = exchange
        return exchange

    def _share(
        self,
        request: Request[ResponseT],
        unit: int | None,
        timeout: float | None,
        is_repeated: bool = False,
    ) -> ResponseT:
        """A call on a link that may be closed, or in use by others."""
        session = self._session
        session.check(unit, timeout)
        while True:
            if self._link is None:
                self._open(timeout)
            self._check_hub()
            exchange = self._start(request, unit, timeout)
            if exchange is None:
                continue
            history = session.history
            self._finish(exchange)
            try:
                return exchange.result()
            except ConnectionLostError:
                if is_repeated or not session.may_repeat(exchange, history):
                    raise
                is_repeated = True
            finally:
                del exchange

    def _start(
        self, request: Request[ResponseT], unit: int | None, timeout: float | None
    ) -> Exchange[ResponseT] | None:
        """The exchange of a call; None if the link turns out to be lost."""
        try:
            now = monotonic()
            link = self._link
            if self._reader is None and link is not None:
                if link.is_sending:  # who began it gave up
                    self._send(now)
                if self._session.needs_look(now):
                    self._take_arrived()
            if self._link is None:
                return None
            return self._session.start(request, unit, timeout, now)
        except Exception:
            raise
        except BaseException:
            self._break_off(None)
            raise

    def _check_hub(self) -> None:
        if self._hub is not get_hub():
            raise RuntimeError(
                f"{self.name}: the link was opened in another thread; a client is for the "
                "greenlets of one thread, so each thread needs its own"
            )

    def _open(self, timeout: float | None) -> None:
        """Open the link for everybody who waits for it; all of them share a failure.

        A greenlet opens it, so that the others go on waiting when the first of them is killed,
        and so that what is thrown into one of them is not taken for a failure. When all who
        waited are gone, it is killed.
        """
        opening = self._opening
        if opening is None or opening.greenlet.dead:
            pause = self._session.pause(monotonic(), timeout)
            self._find_logs()
            self._hub = get_hub()
            opening = self._opening = _Opening(self._try_to_open, pause)
        else:
            self._check_hub()
        opening.waiting += 1
        try:
            opening.greenlet.join()
        finally:
            opening.waiting -= 1
            if not opening.waiting and self._opening is opening:
                self._opening = None
                opening.greenlet.kill(block=False)
        error = opening.error
        if isinstance(error, _CANNOT_OPEN):
            raise self._session.no_link(str(error)) from error
        if error is not None:
            raise error

    def _try_to_open(self, opening: _Opening, pause: float) -> None:
        try:
            if pause:
                sleep(pause)
            link = self._open_link()
        except Exception as error:  # noqa: BLE001 - raised by those who wait
            opening.error = error
            if self._opening is opening:
                self._opening = None
                if isinstance(error, _CANNOT_OPEN):
                    error.__traceback__ = None
                    self._session.open_failed(error, monotonic())
                    self._note("%s: cannot be opened: %s", self.name, error)
            return
        if self._opening is not opening:  # all gave up while it succeeded
            link.close()
            return
        self._opening = None
        self._session.opened(is_datagram=link.is_datagram)
        self._link = link
        self._note("%s: opened", self.name)

"""`Client`: what all trio clients share: the calls, and the link that they are made on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import trio
from trio import current_time
from trio.lowlevel import (
    cancel_shielded_checkpoint,
    checkpoint,
    checkpoint_if_cancelled,
    enable_ki_protection,
)

from modwire.calls import AsyncCalls
from modwire.client.options import network_client_options
from modwire.errors import ConnectionLostError
from modwire.framing.tcp import TcpFraming
from modwire.messages.base import Response

from .links import Link, StreamLink
from .turns import DEBUG, TurnTaking

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    from modwire.client.backoff import LinkHistory
    from typing_extensions import Self

    from modwire.client.exchange import Alone, Exchange
    from modwire.client.link import ClientSession
    from modwire.client.options import ClientOptions
    from modwire.framing import Framing
    from modwire.messages.base import Request

ResponseT = TypeVar("ResponseT", bound=Response)

_CANNOT_OPEN = (OSError, ValueError, OverflowError)  # a host name may be no name


class Client(TurnTaking, AsyncCalls, trio.abc.AsyncResource):
    """A Modbus client for trio, on any stream: call its methods from any number of tasks.

    `stream`, such as a memory stream, TLS or a proxy's, is the client's from here on. Once it is
    lost or closed, calls raise `ConnectionLostError`, for it cannot be opened anew; the other
    clients can open theirs. `framing`, `unit`, `timeout`, `retries`, `max_in_flight` and
    `options` are those of `TcpClient`; `name` stands for the peer in errors and logs.

    The link is opened by `connect`, on entering `async with`, or by the first call; when it is
    lost, by the next call. After the second failure in a row to open it there are pauses, 0.1 s
    to 5 s: a call that has time enough waits until one is over, others raise
    `ConnectionLostError` at once. A connection that the server closed while it was idle is opened
    anew before anything is sent; if it only turns out when the answer does not come, a request
    that writes nothing is sent again, once.

    A call may be cancelled wherever it waits: no other call notices, and an answer that comes
    late is nobody's. Only where half of its request was sent, the link is closed.
    """

    _stream: trio.abc.Stream | None = None  # until it is the link

    def __init__(
        self,
        stream: trio.abc.Stream,
        *,
        framing: type[Framing] = TcpFraming,
        unit: int = 1,
        timeout: float = 1.0,
        retries: int = 0,
        max_in_flight: int = 1,
        options: ClientOptions | None = None,
        name: str = "stream",
    ) -> None:
        options = network_client_options(
            unit=unit,
            timeout=timeout,
            retries=retries,
            max_in_flight=max_in_flight,
            options=options,
            framing=framing,
        )
        self._set_up(name, framing, options)
        self._stream = stream

    def _set_up(self, name: str, framing: type[Framing], options: ClientOptions) -> None:
        """What the constructors of subclasses call in place of this one's."""
        TurnTaking.__init__(self, name, framing, options)
        self._arrivals: list[_Arrival[Any]] = []  # calls that wait for the link, in their order
        self._preparing: trio.Event | None = None  # while one of them opens it, or looks at it
        self._failures = 0  # to open a link, since ever

    async def _open_link(self) -> Link:
        """Open a new link to the peer; OSError if that fails, which is tried again later."""
        stream, self._stream = self._stream, None
        if stream is None:
            raise self._session.no_link("the stream that it was given is lost or closed")
        return StreamLink(stream)

    @property
    def options(self) -> ClientOptions:
        """What the client was told: its unit, response timeout, retries and so on."""
        return self._session.options

    @property
    def is_open(self) -> bool:
        """Whether there is a link, as far as is known; a lost one is noticed by the next call."""
        return self._link is not None

    @enable_ki_protection
    async def connect(self) -> None:
        """Open the link unless it is open; raises `ConnectionLostError` if that fails."""
        await checkpoint()
        if self._link is None:
            await self._prepare(_Arrival[Response](None, None, None))

    @enable_ki_protection
    async def aclose(self) -> None:
        """Close the link; calls that wait raise `ConnectionLostError`, later ones open it anew."""
        link = self._link
        self._session.closed()
        self._part()
        stream, self._stream = self._stream, None
        with trio.move_on_after(self.options.response_timeout):
            if link in self._doomed:
                self._doomed.remove(link)
                await link.close()
            elif stream is not None:
                await stream.aclose()
        await checkpoint()

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        state = "open" if self.is_open else "closed"
        return f"<{type(self).__name__} {self.name}, {state}>"

    @enable_ki_protection
    async def call(
        self,
        request: Request[ResponseT],
        *,
        unit: int | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - it is one for devices, not for tasks
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
        await checkpoint_if_cancelled()
        link = self._link
        if link is not None and self._reader is None and not link.is_sending:
            now = current_time()
            history = self._session.history
            if not history.needs_look(now):
                alone = self._protocol.start_alone(request, unit, timeout, now)
                if alone is not None:
                    return await self._call_alone(alone, request, link, history)
        return await self._share(request, unit, timeout)

    async def _call_alone(
        self,
        alone: Alone,
        request: Request[ResponseT],
        link: Link,
        history: LinkHistory,
    ) -> ResponseT:
        """A call on an open link that nobody else uses."""
        protocol = self._protocol
        data: bytes | None = None
        has_waited = False
        self._reader = alone
        history.sent = alone.started
        try:
            self._is_traced = self._is_enabled(DEBUG)
            if self._is_traced:
                self._trace("sent", alone.adu)
            try:
                link.send(alone.adu)
                # An answer from the same machine has often come by now, and to wait for it would
                # take longer than all the rest.
                data = link.arrived()
            except OSError as error:
                self._lose(link, error)
            if data is None and link is self._link and not link.is_sending:
                has_waited = True
                data = await self._receive(link, alone.started + alone.timeout)
            if data and link is self._link and not self._is_traced:
                response = protocol.finish_alone(alone, request, data)
                if response is not None:
                    history.heard = current_time()
                    self._reader = None
                    if not has_waited:
                        await cancel_shielded_checkpoint()
                    return response
        except BaseException as error:
            exchange = protocol.adopt(alone, request)
            if self._reader is alone:
                self._reader = exchange
            self._give_up(exchange, error)
            self._pass_on(exchange)
            raise
        exchange = protocol.adopt(alone, request)
        if self._reader is alone:
            self._reader = exchange
        if data is not None and link is self._link:
            self._take(data, current_time())
        if not has_waited:
            await cancel_shielded_checkpoint()
        await self._finish(exchange)
        try:
            return exchange.result()
        except ConnectionLostError:
            if not self._session.may_repeat(exchange, history):
                raise
        finally:
            del exchange  # or an error, its traceback and this frame would keep each other
        return await self._share(request, alone.unit, alone.timeout, is_repeated=True)

    async def _share(
        self,
        request: Request[ResponseT],
        unit: int | None,
        seconds: float | None,
        is_repeated: bool = False,
    ) -> ResponseT:
        """A call on a link that may be closed, or in use by others."""
        session = self._session
        session.check(unit, seconds)
        while True:
            if self._link is None or self._arrivals or self._needs_look():
                arrival = _Arrival(request, unit, seconds)
                await self._prepare(arrival)
                exchange, history = arrival.started()
            else:
                exchange = session.start(request, unit, seconds, current_time())
                history = session.history
            await self._finish(exchange)
            try:
                return exchange.result()
            except ConnectionLostError:
                if is_repeated or not session.may_repeat(exchange, history):
                    raise
                is_repeated = True
            finally:
                del exchange

    def _needs_look(self) -> bool:
        """Whether nobody uses the link, and what came meanwhile is to be taken first."""
        return (
            self._reader is None
            and self._sender is None
            and not self._waiting
            and self._session.needs_look(current_time())
        )

    async def _prepare(self, arrival: _Arrival[Any]) -> None:
        """Start `arrival` on a link that is open, and of which has been taken what had come.

        One of those who wait for that opens the link or looks at it, and starts all in their
        order. All of them share a failure to open it.
        """
        failures = self._failures
        self._arrivals.append(arrival)
        try:
            while not arrival.is_over:
                if self._preparing is not None:
                    await self._preparing.wait()
                    if self._failures != failures:
                        raise self._session.no_link(str(self._session.open_error))
                    continue
                self._preparing = done = trio.Event()
                try:
                    if self._link is None:
                        await self._open(arrival.seconds)
                    elif self._needs_look():
                        await self._take_arrived()
                    if self._link is not None:
                        self._start_arrivals()
                finally:
                    self._preparing = None
                    done.set()
        finally:
            if not arrival.is_over:
                self._arrivals.remove(arrival)

    def _start_arrivals(self) -> None:
        arrivals, self._arrivals = self._arrivals, []
        now = current_time()
        for arrival in arrivals:
            arrival.start(self._session, now)

    async def _open(self, seconds: float | None) -> None:
        await checkpoint()  # a link that always fails at once must not keep other tasks waiting
        session = self._session
        pause = session.pause(current_time(), seconds)
        if pause:
            await trio.sleep(pause)
        self._find_logs()
        try:
            link = await self._open_link()
        except ConnectionLostError:
            raise
        except _CANNOT_OPEN as error:
            self._failures += 1
            session.open_failed(error, current_time())
            self._note("%s: cannot be opened: %s", self.name, error)
            raise session.no_link(str(error)) from error
        session.opened(is_datagram=link.is_datagram)
        self._link = link
        self._note("%s: opened", self.name)


class _Arrival(Generic[ResponseT]):
    """A call that waits for the link to be open, or `connect` where its `request` is None."""

    __slots__ = ("_error", "_exchange", "_history", "is_over", "request", "seconds", "unit")

    def __init__(
        self, request: Request[ResponseT] | None, unit: int | None, seconds: float | None
    ) -> None:
        self.request = request
        self.unit = unit
        self.seconds = seconds
        self.is_over = False
        self._error: Exception | None = None
        self._exchange: Exchange[ResponseT] | None = None
        self._history: LinkHistory | None = None

    def start(self, session: ClientSession, now: float) -> None:
        """Start the exchange; what is wrong with the request is for its caller."""
        self.is_over = True
        if self.request is not None:
            self._history = session.history
            try:
                self._exchange = session.start(self.request, self.unit, self.seconds, now)
            except Exception as error:  # noqa: BLE001
                self._error = error

    def started(self) -> tuple[Exchange[ResponseT], LinkHistory]:
        """The exchange and its link, for its caller; raises what is wrong with the request."""
        if self._exchange is None or self._history is None:
            raise self._error or RuntimeError("the exchange was not started")
        return self._exchange, self._history

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
from modwire.client import ClientProtocol, Exchange
from modwire.errors import ConnectionLostError, ModbusError
from modwire.messages.base import Response

if TYPE_CHECKING:
    from _thread import LockType
    from logging import Logger
    from types import TracebackType

    from typing_extensions import Self

    from modwire.framing import Framing
    from modwire.messages.base import AnyRequest, Request
    from modwire.options import ClientOptions

    from .links import Link

ResponseT = TypeVar("ResponseT", bound=Response)

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
        self._attempts = 0
        self._open_error: ConnectionLostError | None = None
        self._lock = allocate_lock()  # guards all below, and the protocol
        self._link: Link | None = None
        self._history = LinkHistory(self._backoff, looks_always=False)
        self._has_reader = False
        self._waiting: dict[Exchange[Response], LockType] = {}

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
        """Close the link; calls that wait raise `ConnectionLostError`, a later one opens it anew."""
        with self._lock:
            if self._link is not None:
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
        protocol = self._protocol
        is_repeated = False
        exchange: Exchange[ResponseT] | None = None
        try:
            while True:
                with self._lock:
                    now = monotonic()
                    if self._history.needs_look(now):
                        self._take_arrived(now)
                    link = self._link
                    history = self._history
                    if link is not None:
                        exchange = protocol.start(request, unit, now=now, timeout=timeout)
                        self._send(now)
                        has_turn = self._reader is None
                        if has_turn:
                            self._reader = exchange
                            seconds = self._seconds_left(now)
                if link is None or exchange is None:
                    self._open(timeout)
                    continue
                if has_turn:
                    self._receive(exchange, link, seconds)
                else:
                    self._sleep(exchange)
                try:
                    return exchange.result()
                except ConnectionLostError:
                    if is_repeated or not history.may_repeat(request):
                        raise
                    is_repeated = True
        except BaseException as error:
            if exchange is None or not exchange.done:
                self._give_up(exchange, error)
            raise

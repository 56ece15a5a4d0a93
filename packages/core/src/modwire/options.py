"""What a client and a server protocol can be told: plain values, all with a default."""

from __future__ import annotations

from collections.abc import Callable
from enum import Flag, auto
from types import CodeType
from typing import TYPE_CHECKING, Any, TypeVar

from .messages.decoder import Decoder

if TYPE_CHECKING:
    from typing_extensions import Self

    from .execution import Call
    from .messages.base import AnyRequest, Response
    from .server import ServerProtocol

    Authorize = Callable[[object, "str | None", int, AnyRequest], bool]
    OnCall = Callable[[object, AnyRequest, "Response | None"], None]
    OnError = Callable[[object, AnyRequest, BaseException], None]
    OnConnection = Callable[[ServerProtocol], None]
    OnAnswer = Callable[[ServerProtocol, Call, "Response | None"], None]

HookT = TypeVar("HookT")

LONGEST = 1e9  # seconds, some thirty years: what is longer is a mistake
MAX_IN_FLIGHT = 16  # Messaging on TCP/IP V1.0b, section 4.2: NumberMaxOfClientTransaction

_CO_COROUTINE = 0x80  # of the flags of a code object: it is that of an `async def`

STREAM_CLIENT_TOLERANCE = 0.05
"""Seconds by which a network may tear a serial frame apart, for a client that waits for it."""
STREAM_SERVER_TOLERANCE = 0.5
"""The same for a server on a stream, which has one client and so loses nothing by waiting."""


class Quirks(Flag):
    """Faults of devices that a client may overlook, none by default; combine them with `|`."""

    none = 0
    zero_transaction_id = auto()
    """The device answers every request with transaction id 0."""
    any_unit = auto()
    """The device answers with another unit id than the one asked."""
    trailing_bytes = auto()
    """The device adds bytes behind the PDU; they are cut off."""


def silent_interval(baudrate: int) -> float:
    """3.5 characters of 11 bits in seconds; 1.75 ms above 19200 baud (Serial Line, 2.5.1.1)."""
    if baudrate <= 0:
        raise ValueError(f"baudrate must be greater than 0, got {baudrate}")
    return 0.00175 if baudrate > 19200 else 38.5 / baudrate


class LineOptions:
    """What client and server options share: times on the line, in seconds.

    `silence` is how long the line must be quiet before a frame is sent on it, and how long it is
    quiet when a frame has ended; `tolerance` is added to the latter, for operating systems and
    USB adapters deliver the bytes of one frame in lumps. Clients over a network raise it to
    0.05, servers raise both to what their link needs. `suppress_echo` drops what the adapter
    hears of its own sending. `decoder` knows the custom functions.
    """

    def __init__(
        self,
        *,
        silence: float = 0.00175,
        tolerance: float = 0.0,
        suppress_echo: bool = False,
        decoder: Decoder | None = None,
    ) -> None:
        self.silence = _seconds("silence", silence)
        self.tolerance = _seconds("tolerance", tolerance)
        self.suppress_echo = suppress_echo
        self.decoder = decoder if decoder is not None else Decoder()

    def replace(self, **changes: object) -> Self:
        """A copy with other values for what `changes` names; raises as the constructor does.

        A subclass whose constructor takes other arguments has to override it.
        """
        arguments: dict[str, Any] = {**vars(self), **changes}
        return type(self)(**arguments)


class ClientOptions(LineOptions):
    """How a client asks.

    `unit`: the unit that is asked where a call names none. `response_timeout`: seconds from
    sending to the answer. `retries`: how often a request is sent again when no answer came; reads
    only, unless `retry_writes`. `max_in_flight`: how many requests may be open at once where
    frames have transaction ids, 1..16. `turnaround`: seconds that a broadcast is given (Serial
    Line, 2.4.1: 100 to 200 ms). `late_reply_window`: seconds that a unit which did not answer is
    not asked again on a link without transaction ids, unless its late answer comes first; None
    for as long as the response timeout.
    """

    def __init__(
        self,
        *,
        unit: int = 1,
        response_timeout: float = 1.0,
        retries: int = 0,
        retry_writes: bool = False,
        max_in_flight: int = 1,
        turnaround: float = 0.1,
        late_reply_window: float | None = None,
        quirks: Quirks = Quirks.none,
        silence: float = 0.00175,
        tolerance: float = 0.0,
        suppress_echo: bool = False,
        decoder: Decoder | None = None,
    ) -> None:
        super().__init__(
            silence=silence, tolerance=tolerance, suppress_echo=suppress_echo, decoder=decoder
        )
        if not isinstance(max_in_flight, int) or not 1 <= max_in_flight <= MAX_IN_FLIGHT:
            raise ValueError(f"max_in_flight must be 1..{MAX_IN_FLIGHT}, got {max_in_flight!r}")
        if not isinstance(retries, int) or retries < 0:
            raise ValueError(f"retries must be a whole number, at least 0, got {retries!r}")
        if not isinstance(quirks, Quirks):
            raise ValueError(f"quirks must be a member of Quirks, got {quirks!r}")
        self.unit = check_unit(unit)
        self.response_timeout = check_timeout(response_timeout)
        self.retries = retries
        self.retry_writes = retry_writes
        self.max_in_flight = max_in_flight
        self.turnaround = _seconds("turnaround", turnaround)
        if late_reply_window is not None:
            _seconds("late_reply_window", late_reply_window)
        self.late_reply_window = late_reply_window
        self.quirks = quirks


class ServerOptions(LineOptions):
    """How a server answers.

    `idle_timeout`: seconds without a byte after which a connection is closed, None for never.
    `authorize(peer, role, unit, request)` decides whether a request is executed; refused ones get
    exception 01. `on_call(peer, request, response)` sees every call; the response is None where
    nothing is answered. `on_error(peer, request, error)` sees what units and hooks raised
    unexpectedly, which the client only sees as exception 04.

    `on_connect(protocol)` and `on_disconnect(protocol)` see each connection come and go, as the
    `ServerProtocol` that serves it: its `peer`, when it was `heard`, how many `requests` it made.
    `on_answer(protocol, call, response)` is `on_call` for those who want to know it all: the
    unit and the transaction that `call` has, and when `protocol` heard the request.
    """

    def __init__(
        self,
        *,
        idle_timeout: float | None = None,
        authorize: Authorize | None = None,
        on_call: OnCall | None = None,
        on_error: OnError | None = None,
        on_connect: OnConnection | None = None,
        on_disconnect: OnConnection | None = None,
        on_answer: OnAnswer | None = None,
        silence: float = 0.00175,
        tolerance: float = 0.0,
        suppress_echo: bool = False,
        decoder: Decoder | None = None,
    ) -> None:
        super().__init__(
            silence=silence, tolerance=tolerance, suppress_echo=suppress_echo, decoder=decoder
        )
        if idle_timeout is not None and (
            not isinstance(idle_timeout, (int, float)) or not idle_timeout > 0
        ):
            raise ValueError(f"idle_timeout must be greater than 0 seconds, got {idle_timeout!r}")
        self.idle_timeout = idle_timeout
        self.authorize = _hook("authorize(peer, role, unit, request)", authorize)
        self.on_call = _hook("on_call(peer, request, response)", on_call)
        self.on_error = _hook("on_error(peer, request, error)", on_error)
        self.on_connect = _hook("on_connect(protocol)", on_connect)
        self.on_disconnect = _hook("on_disconnect(protocol)", on_disconnect)
        self.on_answer = _hook("on_answer(protocol, call, response)", on_answer)


def network_client_options(
    *,
    unit: int,
    timeout: float,
    retries: int,
    max_in_flight: int,
    options: ClientOptions | None,
) -> ClientOptions:
    """What a client over a network goes by: its own arguments, or `options` in their place.

    Networks deliver a serial frame in pieces: the tolerance is at least that of a network, with
    `options` too. Raises ValueError where `options` stands beside an argument that it has.
    """
    if options is None:
        # Nobody else is on the link, so it needs no silence in front of a frame.
        return ClientOptions(
            unit=unit,
            response_timeout=timeout,
            retries=retries,
            max_in_flight=max_in_flight,
            silence=0.0,
            tolerance=STREAM_CLIENT_TOLERANCE,
        )
    if (unit, timeout, retries, max_in_flight) != (1, 1.0, 0, 1):
        raise ValueError(
            "unit, timeout, retries and max_in_flight must be left out beside options, "
            "which have them"
        )
    check_options(options, ClientOptions)
    return options.replace(tolerance=max(options.tolerance, STREAM_CLIENT_TOLERANCE))


def merged_server_options(
    options: ServerOptions | None,
    *,
    authorize: Authorize | None,
    on_call: OnCall | None,
    on_error: OnError,
    idle_timeout: float | None = None,
    is_connected: bool = False,
    suppress_echo: bool = False,
    silence: float = 0.0,
    tolerance: float = 0.0,
) -> ServerOptions:
    """`options` with what a server's own arguments add to it.

    An argument that is None leaves the option as it is; `silence` and `tolerance` are what the
    link needs at least. Only connections, `is_connected`, can be idle too long. `on_error` is the
    adapter's and does not raise: it is told what units and hooks raised, before the `on_error` of
    the options is, and then what that one raised itself.
    """
    if options is not None:
        check_options(options, ServerOptions)
    base = ServerOptions() if options is None else options
    if idle_timeout is None and is_connected:
        idle_timeout = base.idle_timeout
    told = base.on_error

    def tell_both(peer: object, request: AnyRequest, error: BaseException) -> None:
        on_error(peer, request, error)
        if told is not None:
            try:
                told(peer, request, error)
            except Exception as failure:  # noqa: BLE001 - a hook of the user's
                on_error(peer, request, failure)

    return base.replace(
        idle_timeout=idle_timeout,
        authorize=base.authorize if authorize is None else authorize,
        on_call=base.on_call if on_call is None else on_call,
        on_error=tell_both,
        silence=max(base.silence, silence),
        tolerance=max(base.tolerance, tolerance),
        suppress_echo=base.suppress_echo or suppress_echo,
    )


def check_options(options: LineOptions, kind: type[LineOptions]) -> None:
    """Raise TypeError for what are no options of this kind."""
    if not isinstance(options, kind):
        raise TypeError(f"options must be {kind.__name__} or None, got {options!r}")


def check_count(name: str, count: int) -> int:
    """`count`, if it is a number of things: a whole number from 1 on."""
    if not isinstance(count, int) or count < 1:
        raise ValueError(f"{name} must be a whole number, at least 1, got {count!r}")
    return count


def _hook(usage: str, hook: HookT) -> HookT:
    if hook is not None and not callable(hook):
        raise TypeError(f"{usage} must be a function or None, got {hook!r}")
    code = getattr(hook, "__code__", None)
    if isinstance(code, CodeType) and code.co_flags & _CO_COROUTINE:
        # Nobody would await it; and what it returns is true, which would authorize all.
        raise TypeError(f"{usage} must not be a coroutine function, got {hook!r}")
    return hook


def _seconds(name: str, value: float) -> float:
    if not isinstance(value, (int, float)) or not 0 <= value <= LONGEST:
        raise ValueError(f"{name} must be at least 0 seconds, at most 1e9, got {value!r}")
    return value


def check_timeout(timeout: float, name: str = "timeout") -> float:
    """`timeout`, if it is a time to wait: more than 0 seconds, and not for ever."""
    if not isinstance(timeout, (int, float)) or not 0 < timeout <= LONGEST:
        raise ValueError(f"{name} must be greater than 0 seconds, at most 1e9, got {timeout!r}")
    return timeout


def check_unit(unit: int) -> int:
    """`unit`, if it is a unit id: 0..255."""
    if not isinstance(unit, int) or not 0 <= unit <= 255:
        raise ValueError(f"unit must be 0..255, got {unit!r}")
    return unit

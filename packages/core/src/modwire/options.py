"""What a client and a server protocol can be told: plain values, all with a default."""

from __future__ import annotations

from collections.abc import Callable
from enum import Flag, auto
from typing import TYPE_CHECKING

from .messages.decoder import Decoder

if TYPE_CHECKING:
    from .messages.base import AnyRequest, Response

    Authorize = Callable[[object, "str | None", int, AnyRequest], bool]
    OnCall = Callable[[object, AnyRequest, "Response | None"], None]
    OnError = Callable[[object, AnyRequest, BaseException], None]

LONGEST = 1e9  # seconds, some thirty years: what is longer is a mistake
MAX_IN_FLIGHT = 16  # Messaging on TCP/IP V1.0b, section 4.2: NumberMaxOfClientTransaction


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
    USB adapters deliver the bytes of one frame in lumps. `suppress_echo` drops what the adapter
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
    """

    def __init__(
        self,
        *,
        idle_timeout: float | None = None,
        authorize: Authorize | None = None,
        on_call: OnCall | None = None,
        on_error: OnError | None = None,
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
        self.authorize = authorize
        self.on_call = on_call
        self.on_error = on_error


def _seconds(name: str, value: float) -> float:
    if not isinstance(value, (int, float)) or not 0 <= value <= LONGEST:
        raise ValueError(f"{name} must be at least 0 seconds, at most 1e9, got {value!r}")
    return value


def check_timeout(timeout: float) -> float:
    """`timeout`, if it is a time to wait: more than 0 seconds, and not for ever."""
    if not isinstance(timeout, (int, float)) or not 0 < timeout <= LONGEST:
        raise ValueError(f"timeout must be greater than 0 seconds, at most 1e9, got {timeout!r}")
    return timeout


def check_unit(unit: int) -> int:
    """`unit`, if it is a unit id: 0..255."""
    if not isinstance(unit, int) or not 0 <= unit <= 255:
        raise ValueError(f"unit must be 0..255, got {unit!r}")
    return unit

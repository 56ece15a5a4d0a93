"""How a client asks: its options, and what the arguments of a client amount to."""

from __future__ import annotations

from enum import Flag, auto
from typing import TYPE_CHECKING

from ..options import LineOptions, check_options, check_seconds, check_timeout, check_unit

if TYPE_CHECKING:
    from ..messages.decoder import Decoder

MAX_IN_FLIGHT = 16  # Messaging on TCP/IP V1.0b, section 4.2: NumberMaxOfClientTransaction

STREAM_CLIENT_TOLERANCE = 0.05
"""Seconds by which a network may tear a serial frame apart, for a client that waits for it."""


class Quirks(Flag):
    """Faults of devices that a client may overlook, none by default; combine them with `|`."""

    none = 0
    zero_transaction_id = auto()
    """The device answers every request with transaction id 0."""
    any_unit = auto()
    """The device answers with another unit id than the one asked."""
    trailing_bytes = auto()
    """The device adds bytes behind the PDU; they are cut off."""


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
        self.turnaround = check_seconds("turnaround", turnaround)
        if late_reply_window is not None:
            check_seconds("late_reply_window", late_reply_window)
        self.late_reply_window = late_reply_window
        self.quirks = quirks


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

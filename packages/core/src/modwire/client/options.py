"""`ClientOptions`, and the functions that make them from the arguments of a client."""

from __future__ import annotations

from enum import Flag, auto
from typing import TYPE_CHECKING

from ..framing.base import Framing
from ..framing.tcp import TcpFraming
from ..options import (
    LineOptions,
    check_count,
    check_default_unit,
    check_flag,
    check_options,
    check_range,
    check_seconds,
    check_timeout,
    check_unit,
)
from ..serial_settings import SERIAL_TOLERANCE

if TYPE_CHECKING:
    from ..messages.decoder import Decoder
    from ..serial_settings import SerialSettings

_MAX_ADU = 256  # characters that must fit into the default timeout of a serial line
MAX_IN_FLIGHT = 16  # Messaging on TCP/IP V1.0b, section 4.2: NumberMaxOfClientTransaction

STREAM_CLIENT_TOLERANCE = 0.05
"""Seconds of silence that a client accepts inside a serial frame carried by a network."""


class Quirks(Flag):
    """Faults of devices that a client can tolerate, none by default; combine them with `|`."""

    none = 0
    zero_transaction_id = auto()
    """The device answers every request with transaction id 0."""
    any_unit = auto()
    """The device answers with a unit id other than that of the request."""
    trailing_bytes = auto()
    """The device sends bytes after the PDU; they are discarded."""


class ClientOptions(LineOptions):
    """Options of a client, in addition to those of `LineOptions`. Times are in seconds.

    - `unit`, 0..255: the unit id of requests without one. With serial frames the argument `unit`
      of a client is 1..247 only: see `check_default_unit`.
    - `response_timeout`, above 0: from sending a request to its answer.
    - `retries`, 0 or more: how many times a request is repeated if no answer comes; requests that
      write are repeated only if `retry_writes` is True.
    - `max_in_flight`, 1..16: how many requests may be open at once if frames have transaction
      ids (MODBUS Messaging on TCP/IP V1.0b, section 4.2).
    - `turnaround`: the time after a broadcast in which devices process it (MODBUS over Serial
      Line V1.02, section 2.4.1: 0.1 to 0.2).
    - `late_reply_window`: on a link without transaction ids, the time for which a unit that did
      not answer gets no request, unless its late answer comes; None for `response_timeout`.
    - `reconnect_after`, 1 or more: after how many requests in a row without an answer a connection
      is reopened, because the way to the server may be dead; None for never.
    - `quirks`: the faults of the device that are tolerated.

    Raises ValueError for an option out of range.
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
        reconnect_after: int | None = 3,
        quirks: Quirks = Quirks.none,
        silence: float = 0.00175,
        tolerance: float = 0.0,
        suppress_echo: bool = False,
        decoder: Decoder | None = None,
    ) -> None:
        super().__init__(
            silence=silence, tolerance=tolerance, suppress_echo=suppress_echo, decoder=decoder
        )
        if not isinstance(quirks, Quirks):
            raise ValueError(f"quirks must be a member of Quirks, got {quirks!r}")
        self.unit = check_unit(unit)
        self.response_timeout = check_timeout(response_timeout)
        self.retries = check_count("retries", retries, 0)
        self.retry_writes = check_flag("retry_writes", retry_writes)
        self.max_in_flight = check_range("max_in_flight", max_in_flight, 1, MAX_IN_FLIGHT)
        self.turnaround = check_seconds("turnaround", turnaround)
        if late_reply_window is not None:
            check_seconds("late_reply_window", late_reply_window)
        self.late_reply_window = late_reply_window
        if reconnect_after is not None:
            check_count("reconnect_after", reconnect_after)
        self.reconnect_after = reconnect_after
        self.quirks = quirks


def network_client_options(
    *,
    unit: int,
    timeout: float,
    retries: int,
    max_in_flight: int,
    options: ClientOptions | None,
    framing: type[Framing] = TcpFraming,
) -> ClientOptions:
    """Return the effective options of a network client, from its arguments or from `options`.

    Networks deliver a serial frame in pieces, so the tolerance is raised to 0.05 seconds, also
    that of `options`. With serial frames the unit of `options` may be 0, for a client that only
    broadcasts. Raises ValueError for an argument out of range, and for one given together with
    `options`; TypeError unless `framing` is a subclass of Framing.
    """
    Framing.check_class(framing)
    if options is None:
        # The client is alone on the link, so no silence is needed before a frame.
        return ClientOptions(
            unit=check_default_unit(unit, framing),
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


def serial_client_options(
    settings: SerialSettings,
    *,
    unit: int,
    timeout: float | None,
    retries: int,
    suppress_echo: bool,
    options: ClientOptions | None,
) -> ClientOptions:
    """Return the effective options of a serial client, from its arguments or from `options`.

    If `timeout` is None, it is 1 second plus the time of 256 characters on the line. The silence
    and the tolerance of `options` are raised to the minimum for the line. Raises ValueError for an
    argument out of range, and for one given together with `options`.
    """
    if options is None:
        if timeout is None:
            timeout = 1.0 + _MAX_ADU * settings.character_time
        return ClientOptions(
            unit=check_default_unit(unit, settings.framing),
            response_timeout=timeout,
            retries=retries,
            suppress_echo=suppress_echo,
            silence=settings.silence,
            tolerance=SERIAL_TOLERANCE,
        )
    if (unit, timeout, retries, suppress_echo) != (1, None, 0, False):
        raise ValueError(
            "unit, timeout, retries and suppress_echo must be left out beside options, "
            "which have them"
        )
    check_options(options, ClientOptions)
    return options.replace(
        silence=max(options.silence, settings.silence),
        tolerance=max(options.tolerance, SERIAL_TOLERANCE),
    )

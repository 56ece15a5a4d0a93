"""`ClientOptions`, and the functions that make them from the arguments of a client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arguments import explained
from ..framing.base import Framing
from ..framing.tcp import TcpFraming
from ..options import (
    MAX_IN_FLIGHT,
    LineOptions,
    check_count,
    check_count_or_never,
    check_default_unit,
    check_effect,
    check_flag,
    check_options,
    check_range,
    check_seconds,
    check_timeout,
    check_unit,
)
from ..quirks import Quirks, check_quirks, check_quirks_effect, least_unit
from ..serial_settings import SERIAL_TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypedDict

    from typing_extensions import Unpack

    from ..messages.decoder import Decoder
    from ..serial_settings import SerialSettings

_MAX_ADU = 256  # characters that must fit into the default timeout of a serial line

STREAM_CLIENT_TOLERANCE = 0.05
"""Seconds of silence that a client accepts inside a serial frame carried by a network."""


class ClientOptions(LineOptions):
    """Options of a client, in addition to those of `LineOptions`. Times are in seconds.

    - `unit`, 0..255: the unit id of requests without one. With serial frames the argument `unit`
      of a client is 1..255 only: see `check_default_unit`.
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
    - `pause`: the least time from the end of one request on the link, which is its answer or its
      timeout, to the next request. `unit_pause`: the same for two requests to one unit.
    - `connect_delay`: the time after opening the link in which nothing is sent.
    - `busy_retries`, 0 or more: how many times a request is repeated, each after `busy_pause`, if
      the device answers with exception 06 (busy), or with 05 (acknowledge: it needs more time).
      After 05, requests that write are repeated only if `retry_writes` is True.
    - `quirks`: the faults of the device that are tolerated.

    Raises ValueError for an option out of range, TypeError for an unknown one.
    """

    @explained
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
        pause: float = 0.0,
        unit_pause: float = 0.0,
        connect_delay: float = 0.0,
        busy_retries: int = 0,
        busy_pause: float = 0.25,
        quirks: Quirks = Quirks.none,
        silence: float = 0.00175,
        tolerance: float = 0.0,
        suppress_echo: bool = False,
        decoder: Decoder | None = None,
    ) -> None:
        super().__init__(
            silence=silence, tolerance=tolerance, suppress_echo=suppress_echo, decoder=decoder
        )
        self.unit = check_unit(unit)
        self.response_timeout = check_timeout(response_timeout)
        self.retries = check_count("retries", retries, 0)
        self.retry_writes = check_flag("retry_writes", retry_writes)
        self.max_in_flight = check_range("max_in_flight", max_in_flight, 1, MAX_IN_FLIGHT)
        self.turnaround = check_seconds("turnaround", turnaround)
        if late_reply_window is not None:
            check_seconds("late_reply_window", late_reply_window)
        self.late_reply_window = late_reply_window
        self.reconnect_after = check_count_or_never("reconnect_after", reconnect_after)
        self.pause = check_seconds("pause", pause)
        self.unit_pause = check_seconds("unit_pause", unit_pause)
        self.connect_delay = check_seconds("connect_delay", connect_delay)
        self.busy_retries = check_count("busy_retries", busy_retries, 0)
        self.busy_pause = check_seconds("busy_pause", busy_pause)
        self.quirks = check_quirks(quirks)


if TYPE_CHECKING:

    class MoreOptions(TypedDict, total=False):
        """The options of `ClientOptions` that every client takes as further arguments."""

        retry_writes: bool
        turnaround: float
        late_reply_window: float | None
        reconnect_after: int | None
        pause: float
        unit_pause: float
        connect_delay: float
        busy_retries: int
        busy_pause: float
        quirks: Quirks
        silence: float
        tolerance: float
        decoder: Decoder | None

    class NetworkOptions(MoreOptions, total=False):
        """The options of `ClientOptions` that clients over a network take as further arguments."""

        suppress_echo: bool


def network_client_options(
    *,
    unit: int,
    timeout: float,
    retries: int,
    max_in_flight: int,
    options: ClientOptions | None,
    framing: type[Framing] = TcpFraming,
    transport: str = "tcp",
    **more: Unpack[NetworkOptions],
) -> ClientOptions:
    """Return the effective options of a network client, from its arguments or from `options`.

    Networks deliver a serial frame in pieces, so the tolerance is raised to 0.05 seconds. With
    serial frames the unit of `options` may be 0, for a client that only broadcasts. Raises
    ValueError for an argument out of range or without effect on such a link, and for one given
    together with `options`; TypeError unless `framing` is a subclass of Framing, and for an unknown
    argument.
    """
    Framing.check_class(framing)
    if options is None:
        used = {**more, "max_in_flight": max_in_flight} if max_in_flight != 1 else {**more}
        _check_effects(used, transport, framing)
        made = ClientOptions(
            unit=check_default_unit(unit, framing, least_unit(more)),
            response_timeout=timeout,
            retries=retries,
            max_in_flight=max_in_flight,
        )
        # The client is alone on the link, so no silence is needed before a frame.
        options = made.replace(**{"silence": 0.0, **more})
    else:
        are_usual = (unit, timeout, retries, max_in_flight) == (1, 1.0, 0, 1)
        _check_alone(options, are_usual and not more)
    return options.replace(tolerance=max(options.tolerance, STREAM_CLIENT_TOLERANCE))


def serial_client_options(
    settings: SerialSettings,
    *,
    unit: int,
    timeout: float | None,
    retries: int,
    suppress_echo: bool,
    options: ClientOptions | None,
    **more: Unpack[MoreOptions],
) -> ClientOptions:
    """Return the effective options of a serial client, from its arguments or from `options`.

    If `timeout` is None, it is 1 second plus the time of 256 characters on the line. The silence
    and the tolerance are raised to the minimum for the line. Raises ValueError for an argument out
    of range, and for one given together with `options`; TypeError for an unknown argument.
    """
    if options is None:
        used = {**more, "suppress_echo": True} if suppress_echo is True else {**more}
        _check_effects(used, "serial", settings.framing)
        if timeout is None:
            timeout = 1.0 + _MAX_ADU * settings.character_time
        made = ClientOptions(
            unit=check_default_unit(unit, settings.framing, least_unit(more)),
            response_timeout=timeout,
            retries=retries,
            suppress_echo=suppress_echo,
        )
        options = made.replace(**{"silence": 0.0, **more})
    else:
        are_usual = (unit, timeout, retries, suppress_echo) == (1, None, 0, False)
        _check_alone(options, are_usual and not more)
    return options.replace(
        silence=max(options.silence, settings.silence),
        tolerance=max(options.tolerance, SERIAL_TOLERANCE),
    )


def _check_effects(given: Mapping[str, object], transport: str, framing: type[Framing]) -> None:
    """Raise ValueError for an option that has no effect on such a link."""
    owner = f"a client over {transport} with {framing.__name__}"
    for name, value in given.items():
        check_effect(name, transport, framing, owner)
        if isinstance(value, Quirks):
            check_quirks_effect(value, framing, owner)


def _check_alone(options: ClientOptions, are_alone: bool) -> None:
    """Raise unless `options` are ClientOptions, and no argument that they have is given too."""
    if not are_alone:
        raise ValueError(
            "unit, timeout, retries, max_in_flight, suppress_echo and the like must be left out "
            "beside options, which have them"
        )
    check_options(options, ClientOptions)

"""`measure`: requests per second and latencies of a device, for `modwire bench`.

To measure a request costs two readings of the clock and one append.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from math import ceil
from time import perf_counter
from typing import TYPE_CHECKING

import trio

from modwire import (
    ConnectionLostError,
    ExceptionResponseError,
    FrameError,
    InvalidResponseError,
    ModbusError,
    ResponseTimeoutError,
)

if TYPE_CHECKING:
    from modwire.messages.base import AnyRequest
    from modwire_trio import Client

_LOST_PAUSE = 0.05  # seconds before the next attempt to use a lost link


class Measurement:
    """The latency of each successful request in seconds, and the number of errors of each kind.

    `seconds` is the duration of the whole measurement.
    """

    def __init__(self) -> None:
        self.latencies = array("d")
        self.errors: Counter[str] = Counter()
        self.seconds = 0.0

    @property
    def answered(self) -> int:
        """The number of successful requests; exception responses are errors."""
        return len(self.latencies)

    @property
    def per_second(self) -> float:
        """Successful requests per second."""
        return self.answered / self.seconds if self.seconds else 0.0

    def summary(self) -> dict[str, float]:
        """Return minimum, mean, the percentiles 50, 90, 99 and 99.9, and maximum, in seconds.

        It is empty if no request was successful.
        """
        ordered = sorted(self.latencies)
        if not ordered:
            return {}
        return {
            "min": ordered[0],
            "mean": sum(ordered) / len(ordered),
            "p50": percentile(ordered, 50),
            "p90": percentile(ordered, 90),
            "p99": percentile(ordered, 99),
            "p99.9": percentile(ordered, 99.9),
            "max": ordered[-1],
        }


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile of `ordered` values."""
    # Round first, because 99.9 / 100 * 1000 is 999.0000000000001.
    rank = ceil(round(percent / 100 * len(ordered), 9))
    return ordered[max(rank, 1) - 1]


async def measure(
    clients: Sequence[Client],
    request: AnyRequest,
    unit: int,
    *,
    pipeline: int = 1,
    seconds: float | None = None,
    requests: int | None = None,
    into: Measurement,
) -> None:
    """Send `request` from all `clients`, `pipeline` at once, for `seconds` or `requests` times.

    The results are in `into`, also after an error or Ctrl+C. Requests that wait for a response at
    the end are not counted. Raises ConnectionLostError if a client cannot connect at the start.
    """
    for client in clients:
        await client.connect()
    left = -1 if requests is None else requests
    latencies, errors, clock = into.latencies, into.errors, perf_counter

    async def ask(client: Client) -> None:
        nonlocal left
        call, note = client.call, latencies.append
        while left:
            left -= 1
            started = clock()
            try:
                await call(request, unit=unit)
            except ModbusError as error:
                errors[kind_of(error)] += 1
                if isinstance(error, ConnectionLostError):
                    await trio.sleep(_LOST_PAUSE)
            else:
                note(clock() - started)

    begun = clock()
    try:
        with trio.move_on_after(float("inf") if seconds is None else seconds):
            async with trio.open_nursery() as nursery:
                for client in clients:
                    for _ in range(pipeline):
                        nursery.start_soon(ask, client)
    finally:
        into.seconds = clock() - begun


def kind_of(error: ModbusError) -> str:
    """Return the kind of an error: "timeout", "exception 02 (illegal data address)", ..."""
    if isinstance(error, ExceptionResponseError):
        return str(ExceptionResponseError.for_code(None, error.code))
    for kind, name in _KINDS:
        if isinstance(error, kind):
            return name
    return type(error).__name__


_KINDS: list[tuple[type[ModbusError], str]] = [
    (ResponseTimeoutError, "timeout"),
    (ConnectionLostError, "connection lost"),
    (InvalidResponseError, "invalid response"),
    (FrameError, "frame error"),
]

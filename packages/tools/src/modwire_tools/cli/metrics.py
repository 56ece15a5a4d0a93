"""`--metrics`: the counters of `serve`, `gateway` and `simulate` for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from modwire_tools.values.host_port import parse_host_port

from .annotations import HostPort
from .ending import FailedError
from .output import note
from .types import ParamType

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from modwire_tools.metrics import Metrics

METRICS_VARIABLE = "MODWIRE_METRICS"
"""The environment variable for the option: a container image sets it."""


class MetricsPlace(ParamType[HostPort]):
    """An address to listen at: 127.0.0.1:9502, :9502 or 9502."""

    metavar = "HOST:PORT"

    def parse(self, text: str) -> HostPort:
        return parse_host_port(text)


_OPTION = MetricsPlace().option(
    "--metrics",
    help="Serve counters at http://HOST:PORT/metrics, in the text format of Prometheus; such as "
    "127.0.0.1:9502. Port 0 lets the system choose. They are open to every client that can "
    "connect.",
)
_OPTION.envvar = METRICS_VARIABLE

MetricsOption = Annotated[HostPort | None, _OPTION]


def new_metrics() -> Metrics:
    """Return counters for servers in trio."""
    import time

    import trio

    from modwire_tools import __version__
    from modwire_tools.metrics import Metrics

    return Metrics(__version__, trio.current_time, time.time())


async def with_metrics(
    place: HostPort | None, metrics: Metrics | None, main: Callable[[], Awaitable[None]]
) -> None:
    """Run `main`, and serve `metrics` at `place` meanwhile, unless that is None.

    Raises FailedError if it cannot listen there.
    """
    if place is None or metrics is None:
        await main()
        return

    import socket
    from functools import partial

    import trio

    from modwire_tools.metrics import serve_metrics
    from modwire_tools.values.host_port import format_host

    async with trio.open_nursery() as nursery:
        try:
            port = await nursery.start(partial(serve_metrics, metrics.text, *place))
        except OSError as error:
            raise FailedError(f"--metrics: {error.strerror or error}") from error
        note(f"Metrics: http://{format_host(place.host, socket.gethostname())}:{port}/metrics")
        await main()
        nursery.cancel_scope.cancel()

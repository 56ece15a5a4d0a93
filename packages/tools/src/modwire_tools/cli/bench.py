"""`modwire bench`: requests per second and latencies of a device."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from .arguments import (
    EndpointText,
    JsonFlag,
    UnitText,
    parse_endpoint,
    parse_seconds,
    parse_whole,
    unit_of,
)
from .completion import complete_address
from .ending import FailedError, WrongArgumentError, argument

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modwire import Endpoint
    from modwire.messages.base import AnyRequest
    from modwire_tools.measuring import Measurement
    from modwire_trio import Client

    from .output import Json

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_COLUMNS = 60


def bench(
    endpoint: EndpointText,
    address: Annotated[
        str,
        typer.Option(
            "--address",
            "-a",
            metavar="ADDRESS",
            help="What each request reads: hr:0, co:3.",
            autocompletion=complete_address,
        ),
    ] = "hr:0",
    count: Annotated[
        str, typer.Option("--count", "-n", metavar="N", help="How many registers or bits of it.")
    ] = "1",
    unit: UnitText = None,
    concurrency: Annotated[
        str, typer.Option("--concurrency", "-c", metavar="N", help="Connections at once.")
    ] = "1",
    pipeline: Annotated[
        str,
        typer.Option(
            "--pipeline", "-p", metavar="N", help="Requests at once on each connection, 1..16."
        ),
    ] = "1",
    duration: Annotated[
        str | None,
        typer.Option("--duration", "-d", metavar="TIME", help="How long to ask, 5s by default."),
    ] = None,
    requests: Annotated[
        str | None,
        typer.Option("--requests", metavar="N", help="How many requests, in place of a time."),
    ] = None,
    as_json: JsonFlag = False,
    plot: Annotated[
        bool | None,
        typer.Option("--plot/--no-plot", help="Draw the latencies; by default on a terminal."),
    ] = None,
) -> None:
    """Measure requests per second, latencies and errors.

    Latencies are those of requests that were answered with values; errors are counted by kind. A
    percentile is a latency that was measured: p99 is the least that 99 of 100 did not exceed.
    The exit code is 1 if nothing was answered.
    """
    place = parse_endpoint(endpoint)
    asked = unit_of(place, unit)
    connections = parse_whole("--concurrency", concurrency, 1, 10_000)
    in_flight = parse_whole("--pipeline", pipeline, 1, 16)
    if duration is not None and requests is not None:
        raise WrongArgumentError("--duration and --requests exclude each other, take one of them")
    number = None if requests is None else parse_whole("--requests", requests, 1)
    seconds = parse_seconds("--duration", duration or "5s") if number is None else None
    if in_flight > 1 and place.framing != "tcp":
        raise WrongArgumentError(
            "--pipeline needs frames with transaction ids, which Modbus/TCP has: "
            f"leave it out for {place.framing}"
        )
    if connections > 1 and place.transport == "serial":
        raise WrongArgumentError("--concurrency must be 1 on a serial port, which is opened once")
    if not asked and place.framing != "tcp":
        raise WrongArgumentError("--unit 0 is a broadcast on a serial line: take 1..247")
    request = _request(address, count)

    from functools import partial

    from modwire_tools.measuring import Measurement, measure

    from .loop import run_trio
    from .output import note

    measured = Measurement()
    clients = [_client(place, in_flight) for _ in range(connections)]
    run = partial(
        measure,
        clients,
        request,
        asked,
        pipeline=in_flight,
        seconds=seconds,
        requests=number,
        into=measured,
    )

    async def main() -> None:
        for client in clients:
            await client.connect()
        if sys.stderr.isatty():
            limit = f"{seconds:g} s" if number is None else f"{number} requests"
            note(f"modwire: measures {place} for {limit}, Ctrl+C ends it early")
        try:
            await run()
        finally:
            for client in clients:
                await client.aclose()

    try:
        run_trio(main)
    finally:
        if measured.seconds:
            facts: dict[str, str | int] = {
                "endpoint": str(place),
                "request": f"{address} x {count}",
                "concurrency": connections,
                "pipeline": in_flight,
            }
            _report(measured, facts, as_json, plot)
    if not measured.answered:
        kinds = ", ".join(measured.errors) or "no request was made"
        raise FailedError(f"{place}: nothing was answered: {kinds}; try `modwire read` first")


def _request(address: str, count: str) -> AnyRequest:
    from modwire import (
        ReadCoilsRequest,
        ReadDiscreteInputsRequest,
        ReadHoldingRegistersRequest,
        ReadInputRegistersRequest,
    )
    from modwire_tools.addresses import parse_place

    with argument("--address"):
        place = parse_place(address)
    number = parse_whole("--count", count, 1, 2000 if place.has_bits else 125)
    with argument("--address"):
        if place.table == "coils":
            return ReadCoilsRequest(place.address, number)
        if place.table == "discrete_inputs":
            return ReadDiscreteInputsRequest(place.address, number)
        if place.table == "holding_registers":
            return ReadHoldingRegistersRequest(place.address, number)
        return ReadInputRegistersRequest(place.address, number)


def _client(place: Endpoint, in_flight: int) -> Client:
    """A client of `place` that has so many requests at once."""
    from modwire.framing import FRAMINGS
    from modwire_trio import TcpClient, UdpClient, UnixClient, connect

    if in_flight == 1:
        return connect(place)
    framing = FRAMINGS[place.framing]
    timeout = 1.0 if place.timeout is None else place.timeout
    retries = place.retries or 0
    if place.transport == "unix":
        return UnixClient(
            place.path, framing=framing, timeout=timeout, retries=retries, max_in_flight=in_flight
        )
    kind = UdpClient if place.transport == "udp" else TcpClient
    return kind(
        place.host,
        place.port,
        framing=framing,
        timeout=timeout,
        retries=retries,
        max_in_flight=in_flight,
    )


def _report(
    measured: Measurement, facts: dict[str, str | int], as_json: bool, plot: bool | None
) -> None:
    from .output import is_terminal, print_json, print_line

    summary = {name: 1000 * value for name, value in measured.summary().items()}
    if as_json:
        found: dict[str, Json] = {
            **facts,
            "seconds": round(measured.seconds, 6),
            "answered": measured.answered,
            "requests_per_second": round(measured.per_second, 3),
            "errors": dict(measured.errors),
            "milliseconds": {name: round(value, 6) for name, value in summary.items()},
        }
        print_json(found)
        return
    lines = [(name, str(value)) for name, value in facts.items()]
    lines += [
        ("seconds", f"{measured.seconds:.3f}"),
        ("answered", str(measured.answered)),
        ("requests/s", f"{measured.per_second:.1f}"),
        ("errors", str(sum(measured.errors.values()))),
    ]
    lines += [(kind, str(number)) for kind, number in measured.errors.most_common()]
    lines += [(f"{name} ms", f"{value:.3f}") for name, value in summary.items()]
    for name, text in lines:
        print_line(f"{name:<16} {text}" if is_terminal() else f"{name}\t{text}")
    if measured.answered and (is_terminal() if plot is None else plot):
        print_line(draw(measured.latencies))


def draw(latencies: Sequence[float]) -> str:
    """A plot of how many requests took how long, as text; what is over 1.5 times p99 is cut off."""
    from importlib import import_module

    from modwire_tools.measuring import percentile

    ordered = sorted(latencies)
    least, most = ordered[0], min(ordered[-1], 1.5 * percentile(ordered, 99))
    width = (most - least) / _COLUMNS or 1e-6
    heights = [0] * _COLUMNS
    for each in ordered:
        if each <= most:
            heights[min(int((each - least) / width), _COLUMNS - 1)] += 1
    middles = [1000 * (least + width * (index + 0.5)) for index in range(_COLUMNS)]
    figure: _Figure = import_module("plotext").figure
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(min(_terminal_width(), 100), 15)
    figure.title("requests by milliseconds")
    figure.draw(figure.bar(middles, heights, width=1))
    return _ANSI.sub("", str(figure.build())).rstrip()


class _Figure(Protocol):
    """What is used of plotext, which has no types."""

    def clear(self) -> object: ...
    def theme(self, name: str) -> object: ...
    def plot_size(self, width: int, height: int) -> object: ...
    def title(self, label: str) -> object: ...
    def bar(self, middles: list[float], heights: list[int], *, width: float) -> object: ...
    def draw(self, signal: object) -> object: ...
    def build(self) -> object: ...


def _terminal_width() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except OSError:
        return 80

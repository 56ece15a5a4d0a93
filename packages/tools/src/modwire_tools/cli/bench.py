"""`modwire bench`: requests per second and latencies of a device."""

from __future__ import annotations

import re
import sys
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from modwire_tools.pasting import command

from .annotations import Places
from .ending import FailedError, WrongArgumentError, argument
from .endpoints import EndpointArgument, UnitOption, check_no_broadcast, unit_of
from .output import JsonFlag
from .types import COUNT, DURATION, Whole
from .value_options import Addresses
from .verbose import client_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modwire import Endpoint
    from modwire_tools.client.measuring import Measurement
    from modwire_trio import Client

    from .output import Json

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_COLUMNS = 60


def bench(
    endpoint: EndpointArgument,
    address: Annotated[
        Places | None,
        Addresses().option(
            "--address",
            "-a",
            help="What each request reads, such as co:3 or hr:0..9; hr:0 by default.",
        ),
    ] = None,
    count: Annotated[
        int | None,
        COUNT.option("--count", "-n", help="Number of registers or bits from there on, 1 if none."),
    ] = None,
    unit: UnitOption = None,
    concurrency: Annotated[
        int, Whole(1, 10_000).option("--concurrency", "-c", help="Connections at once.")
    ] = 1,
    pipeline: Annotated[
        int,
        Whole(1, 16).option("--pipeline", "-p", help="Requests at once on each connection, 1..16."),
    ] = 1,
    duration: Annotated[
        float | None,
        DURATION.option("--duration", "-d", help="How long to measure, 5s by default."),
    ] = None,
    requests: Annotated[
        int | None, Whole(1).option("--requests", help="Number of requests, in place of a time.")
    ] = None,
    as_json: JsonFlag = False,
    plot: Annotated[
        bool | None,
        typer.Option("--plot/--no-plot", help="Draw the latencies; by default on a terminal."),
    ] = None,
) -> None:
    """Measure requests per second, latencies and errors.

    Latencies are measured for requests that return values; errors are counted by kind. A percentile
    is a measured latency: 99 of 100 requests took no longer than p99.
    The exit code is 1 if no request got a response.
    """
    from modwire_tools.addresses import Place
    from modwire_tools.client.measuring import Measurement, measure
    from modwire_tools.client.reading import read_request
    from modwire_tools.values.numbers import Seconds

    asked = unit_of(endpoint, unit)
    if duration is not None and requests is not None:
        raise WrongArgumentError("--duration and --requests exclude each other, take one of them")
    seconds = None if requests is not None else duration or Seconds(5)
    _check_load(endpoint, pipeline, concurrency)
    check_no_broadcast(endpoint, asked)
    place, length = address or (Place("holding_registers", 0), None)
    count = _count(length, count)
    with argument("--address, --count"):
        request = read_request(place.table, place.address, count)

    from .loop import run_trio
    from .output import note

    measured = Measurement()
    clients = [_client(endpoint, pipeline) for _ in range(concurrency)]

    async def main() -> None:
        for client in clients:
            await client.connect()
        if sys.stderr.isatty():
            limit = f"{seconds:g} s" if seconds else f"{requests} request{'s' * (requests != 1)}"
            note(f"modwire: measures {endpoint} for {limit}, Ctrl+C ends it early")
        try:
            await measure(
                clients,
                request,
                asked,
                pipeline=pipeline,
                seconds=seconds,
                requests=requests,
                into=measured,
            )
        finally:
            for client in clients:
                await client.aclose()

    try:
        with client_log():
            run_trio(main)
    finally:
        if measured.seconds:
            facts: dict[str, str | int] = {
                "endpoint": str(endpoint),
                "request": f"{place} x {count}",
                "concurrency": concurrency,
                "pipeline": pipeline,
            }
            _report(measured, facts, as_json, plot)
    if not measured.answered:
        kinds = ", ".join(measured.errors) or "no request was made"
        words = ["read", endpoint, place, *(["--unit", asked] if unit is not None else [])]
        raise FailedError(f"{endpoint}: nothing was answered: {kinds}; try {command(*words)} first")


def _count(length: int | None, count: int | None) -> int:
    """Return the number of registers or bits: the length of a range, or `--count`, or 1."""
    if length is not None and count is not None:
        raise WrongArgumentError("--count is for an address alone: the range in --address has one")
    return length or count or 1


def _check_load(endpoint: Endpoint, pipeline: int, concurrency: int) -> None:
    if pipeline > 1 and endpoint.framing != "tcp":
        raise WrongArgumentError(
            "--pipeline needs frames with transaction ids, which Modbus/TCP has: "
            f"leave it out for {endpoint.framing}"
        )
    most = endpoint.options.get("max_in_flight")
    if isinstance(most, int) and pipeline > most:
        raise WrongArgumentError(
            f"--pipeline must be at most the max_in_flight of the endpoint, {most}, got {pipeline}"
        )
    if concurrency > 1 and endpoint.transport == "serial":
        raise WrongArgumentError("--concurrency must be 1 on a serial port, which is opened once")


def _client(place: Endpoint, in_flight: int) -> Client:
    """Return a client of `place` with up to `in_flight` requests at the same time."""
    from modwire_trio import connect

    return connect(place if in_flight == 1 else place.replace(max_in_flight=in_flight))


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
    """Return a plot of the latencies as text, up to 1.5 times p99."""
    from importlib import import_module

    from modwire_tools.client.measuring import percentile

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
    figure.plot_size(min(get_terminal_size().columns, 100), 15)
    figure.title("requests by milliseconds")
    figure.draw(figure.bar(middles, heights, width=1))
    return _ANSI.sub("", str(figure.build())).rstrip()


class _Figure(Protocol):
    """The calls of plotext that we use: plotext has no type hints."""

    def clear(self) -> object: ...
    def theme(self, name: str) -> object: ...
    def plot_size(self, width: int, height: int) -> object: ...
    def title(self, label: str) -> object: ...
    def bar(self, middles: list[float], heights: list[int], *, width: float) -> object: ...
    def draw(self, signal: object) -> object: ...
    def build(self) -> object: ...

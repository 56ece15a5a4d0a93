"""`modwire simulate`: devices from files, or a small energy meter, served until Ctrl+C."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .arguments import parse_choice, parse_whole
from .completion import CONSECUTIVE, among
from .ending import FailedError, WrongArgumentError, argument
from .output import note
from .page import Page, parse_page, start_page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modwire import Endpoint
    from modwire_tools.simulator.devices import DeviceSpec
    from modwire_tools.simulator.simulation import Simulation
    from modwire_tools.simulator.view import DeviceInfo, View

DEFAULT_ADDRESS = "127.0.0.1:5020"
_MOST_SHOWN = 8
_MOST_DEVICES = 65535
_PROBLEM_INTERVAL = 1.0  # seconds between two checks for devices whose ports were lost


def simulate(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE]...",
            help="Device files, TOML or JSON; without one, a small energy meter.",
            show_default=False,
        ),
    ] = None,
    tcp: Annotated[
        list[str] | None,
        typer.Option(
            "--tcp",
            metavar="HOST:PORT",
            help=f"Serve on TCP; without any endpoint, at {DEFAULT_ADDRESS}. Port 0 lets the "
            "system choose; also rtu+tcp://HOST:PORT and so on. May be repeated.",
        ),
    ] = None,
    udp: Annotated[
        list[str] | None, typer.Option("--udp", metavar="HOST:PORT", help="Serve on UDP.")
    ] = None,
    serial: Annotated[
        list[str] | None,
        typer.Option(
            "--serial",
            metavar="PORT",
            help="Serve on a serial port, such as /dev/ttyUSB0?baudrate=9600&parity=N, as RTU; "
            "also ascii://PORT. All devices share that line.",
        ),
    ] = None,
    devices: Annotated[
        str | None,
        typer.Option(
            "--devices", "-n", metavar="N", help="Number of devices; the files are used in turn."
        ),
    ] = None,
    consecutive: Annotated[
        str,
        typer.Option(
            "--consecutive",
            metavar="WHAT",
            help="Place the devices on consecutive ports, or on consecutive addresses, "
            "such as 127.0.1.1, 127.0.1.2.",
            autocompletion=among(CONSECUTIVE),
        ),
    ] = "ports",
    seed: Annotated[
        str | None,
        typer.Option("--seed", metavar="N", help="Make random values the same in every run."),
    ] = None,
    speed: Annotated[
        str,
        typer.Option(
            "--speed", metavar="FACTOR", help="How many seconds pass per second: 60, 0.1."
        ),
    ] = "1",
    web: Annotated[
        str | None,
        typer.Option(
            "--web",
            metavar="HOST:PORT",
            help="Serve a web page with all values, trends, traffic and faults, and a REST "
            "interface under /api; such as 127.0.0.1:8080. Port 0 lets the system choose.",
        ),
    ] = None,
    web_token: Annotated[
        str | None,
        typer.Option(
            "--web-token",
            metavar="TOKEN",
            help="Token to open the page; made and printed if the page is open to other machines "
            "and none is given.",
        ),
    ] = None,
) -> None:
    """Serve simulated devices over TCP, UDP and serial lines.

    All at the same time, until Ctrl+C. How values change is described in device files, see
    docs/device-files.md.
    """
    page = parse_page(web, web_token)
    simulation = build(files or [], tcp, udp, serial, devices, consecutive, seed, speed)
    import trio

    trio.run(_run, simulation, page)


def build(
    files: Sequence[Path],
    tcp: Sequence[str] | None,
    udp: Sequence[str] | None,
    serial: Sequence[str] | None,
    devices: str | None,
    consecutive: str,
    seed: str | None,
    speed: str,
) -> Simulation:
    """Return the simulation that the arguments describe."""
    from modwire_tools.simulator.simulation import Simulation, place

    count = None if devices is None else parse_whole("--devices", devices, 1, _MOST_DEVICES)
    which = parse_choice("--consecutive", consecutive, CONSECUTIVE)
    chosen = None if seed is None else parse_whole("--seed", seed, 0)
    factor = _factor(speed)
    specs = _read(files)
    if count is not None and count < len(specs):
        raise WrongArgumentError(
            f"--devices must be at least {len(specs)}, one for each file, got {count}"
        )
    endpoints = _endpoints(tcp, udp, serial)
    with argument("--devices" if count is not None else "--tcp, --udp, --serial"):
        placed = place(specs, endpoints, count=count, consecutive=which)
    return Simulation(placed, seed=chosen, speed=factor)


def _factor(text: str) -> float:
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 0 < factor <= 1e6:
        raise WrongArgumentError(f"--speed must be more than 0, at most 1e6, got {text!r}")
    return factor


def _read(files: Sequence[Path]) -> list[DeviceSpec]:
    if not files:
        from modwire_tools.simulator.meter import energy_meter

        return [energy_meter()]
    from modwire_tools.simulator.files import DeviceFileError, read_device

    try:
        return [read_device(path) for path in files]
    except DeviceFileError as error:
        raise FailedError(str(error)) from None


def _endpoints(
    tcp: Sequence[str] | None, udp: Sequence[str] | None, serial: Sequence[str] | None
) -> list[Endpoint]:
    found = [_endpoint("--tcp", "tcp", text) for text in tcp or ()]
    found += [_endpoint("--udp", "udp", text) for text in udp or ()]
    found += [_endpoint("--serial", "rtu", text) for text in serial or ()]
    return found or [_endpoint("--tcp", "tcp", DEFAULT_ADDRESS)]


def _endpoint(option: str, scheme: str, text: str) -> Endpoint:
    """Return the endpoint in `text`: with a scheme, or HOST:PORT, :PORT, PORT or a serial port."""
    from modwire import Endpoint

    transport = option[2:]
    with argument(option):
        if "://" in text:
            endpoint = Endpoint.parse(text)
            if endpoint.transport != transport:
                raise ValueError(f"{text!r} is an endpoint of another kind: {endpoint.transport}")
        else:
            if transport != "serial":
                place = f":{text}" if text.isdigit() else text
                text = f"127.0.0.1{place}" if place.startswith(":") else place
            endpoint = Endpoint.parse(f"{scheme}://{text}")
        for name in ("unit", "timeout", "retries"):
            if getattr(endpoint, name) is not None:
                raise ValueError(f"{text!r} has {name}, which only clients have")
    return endpoint


async def _run(simulation: Simulation, page: Page | None) -> None:
    import trio

    from modwire_tools.simulator.problems import described_problems

    view = simulation.view
    interrupted = False
    failure = ""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:

            async def watch() -> None:
                nonlocal failure
                failure = await _watch(view, is_shown=page is not None)
                nursery.cancel_scope.cancel()

            await nursery.start(simulation.run)
            failure = described_problems(view.problems())
            link = ""
            if not failure and page is not None:
                try:
                    link = await start_page(nursery, view, page)
                except (OSError, ValueError) as error:
                    failure = f"--web: {error}"
            if failure:
                nursery.cancel_scope.cancel()
            else:
                _tell(view, link)
                nursery.start_soon(watch)
                async for number in signals:
                    interrupted = number == signal.SIGINT
                    nursery.cancel_scope.cancel()
    if failure:
        raise FailedError(failure)
    if interrupted:
        raise KeyboardInterrupt


async def _watch(view: View, *, is_shown: bool) -> str:
    """Report devices that are not served any more; return why once this is all of them.

    With a page, the simulation goes on: the user can start devices again there.
    """
    import trio

    from modwire_tools.simulator.problems import described_problems

    told: set[int] = set()
    while True:
        await trio.sleep(_PROBLEM_INTERVAL)
        problems = view.problems()
        if len(problems) == view.device_count() and not is_shown:
            return described_problems(problems)
        for index, problem in problems.items():
            if index not in told:
                note(f"device {index} is not served any more: {problem}")
        told = set(problems)


def _tell(view: View, link: str) -> None:
    """Print where the devices listen, and an example command."""
    devices = view.devices()
    count = len(devices)
    note(f"modwire simulates {view.title()}" + (":" if count > 1 else ""))
    shown = devices if count <= _MOST_SHOWN else devices[: _MOST_SHOWN - 1]
    for device in shown:
        note(f"  {_described_device(device, with_name=count > 1)}")
    if count > len(shown):
        note(f"  ... {count - len(shown)} more, the last one at {devices[-1].endpoints[0]}")
    example = _example(view)
    if example:
        note(f"Try: {example}")
    if link:
        note(f"Page: {link}")
    note("Ctrl+C ends it.")


def _described_device(device: DeviceInfo, *, with_name: bool) -> str:
    units = ", ".join(str(unit.id) for unit in device.units[:10])
    more = ", ..." if len(device.units) > 10 else ""
    word = "unit" if len(device.units) == 1 else "units"
    name = f"{device.name}, " if with_name else ""
    return f"{name}{word} {units}{more}: {', '.join(device.endpoints)}"


def _example(view: View) -> str:
    """Return a command that reads a value of the first device."""
    from modwire_tools.addresses import Place

    device = view.devices(0, 1)[0]
    if not device.endpoints or not device.units:
        return ""
    unit = device.units[0].id
    place = ""
    for table in ("input_registers", "holding_registers", "coils", "discrete_inputs"):
        for info in view.tables(0, unit):
            if info.table == table and info.ranges and not place:
                first, count = info.ranges[0]
                place = str(Place(table, first))
                place += f" --count {min(count, 3)}" if count > 1 else ""
    if not place:
        return f"modwire scan {device.endpoints[0]}"
    return f"modwire read {device.endpoints[0]} {place}" + (f" --unit {unit}" * (unit != 1))

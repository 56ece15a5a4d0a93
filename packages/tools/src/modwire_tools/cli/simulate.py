"""`modwire simulate`: serves devices from files, or a small energy meter, until Ctrl+C."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modwire_tools.pasting import command_line

from .annotations import Endpoint
from .ending import FailedError, WrongArgumentError, argument
from .endpoints import SimulatedEndpoint
from .loop import run_trio
from .metrics import MetricsOption, new_metrics, with_metrics
from .output import note
from .page import (
    Page,
    TokenFileOption,
    TokenOption,
    WebCertificateOption,
    WebKeyOption,
    WebKeyPasswordOption,
    WebOption,
    parse_page,
    start_page,
)
from .security_options import (
    AuditOption,
    CertificateOption,
    ClientCaOption,
    CrlOption,
    KeyOption,
    KeyPasswordOption,
    RightsOption,
    check_files,
    opened,
    reload_advice,
)
from .types import Consecutive, ConsecutiveOption, Factor, NetworkInterface, Whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modwire_tools.metrics import Metrics
    from modwire_tools.server.security import Security
    from modwire_tools.simulator.devices import DeviceSpec
    from modwire_tools.simulator.simulation import Simulation
    from modwire_tools.simulator.view import DeviceInfo, View

DEFAULT_ADDRESS = "127.0.0.1:5020"
_MOST_SHOWN = 8
_PROBLEM_INTERVAL = 1.0  # seconds between two checks for lost ports


def simulate(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            readable=False,
            metavar="[FILE]...",
            help="Device files, TOML or JSON; a small energy meter by default.",
            show_default=False,
        ),
    ] = None,
    tcp: Annotated[
        list[Endpoint] | None,
        SimulatedEndpoint("tcp").option(
            "--tcp",
            help=f"Serve on TCP, at {DEFAULT_ADDRESS} by default. Port 0 lets the system choose. "
            "Serial framings are rtu+tcp://HOST:PORT and the like. May be repeated.",
        ),
    ] = None,
    udp: Annotated[
        list[Endpoint] | None, SimulatedEndpoint("udp").option("--udp", help="Serve on UDP.")
    ] = None,
    tls: Annotated[
        list[Endpoint] | None,
        SimulatedEndpoint("tls").option(
            "--tls", help="Serve on TLS, with --certificate, --key and --client-ca."
        ),
    ] = None,
    serial: Annotated[
        list[Endpoint] | None,
        SimulatedEndpoint("serial").option(
            "--serial",
            help="Serve RTU on a serial port, such as /dev/ttyUSB0?baudrate=9600&parity=N, or "
            "ASCII with ascii://PORT. All devices share that line.",
        ),
    ] = None,
    devices: Annotated[
        int | None,
        Whole(1, 65535).option(
            "--devices", "-n", help="Number of devices; the files are used in turn."
        ),
    ] = None,
    consecutive: ConsecutiveOption = "ports",
    interface: Annotated[
        str | None,
        NetworkInterface().option(
            "--interface",
            help="Add the addresses of the devices to this network interface, such as eth0, and "
            "remove them at the end. Linux, and root, only.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        Whole(0).option("--seed", help="Make random values the same in every run."),
    ] = None,
    speed: Annotated[
        float,
        Factor(most=1_000_000, positive=True).option(
            "--speed", help="Simulated seconds in a real one, such as 60 or 0.1."
        ),
    ] = 1.0,
    web: WebOption = None,
    web_token: TokenOption = None,
    web_token_file: TokenFileOption = None,
    web_certificate: WebCertificateOption = None,
    web_key: WebKeyOption = None,
    web_key_password_file: WebKeyPasswordOption = None,
    certificate: CertificateOption = None,
    key: KeyOption = None,
    key_password_file: KeyPasswordOption = None,
    client_ca: ClientCaOption = None,
    crl: CrlOption = None,
    rights: RightsOption = None,
    audit: AuditOption = None,
    metrics: MetricsOption = None,
) -> None:
    """Serve simulated devices over TCP, UDP, TLS and serial lines.

    All are served at the same time, until Ctrl+C. The device files say how values change; see
    Device files in the documentation.
    """
    page = parse_page(
        web, web_token, web_token_file, web_certificate, web_key, web_key_password_file
    )
    counted = None if metrics is None and page is None else new_metrics()
    endpoints = [*(tcp or ()), *(udp or ()), *(tls or ()), *(serial or ())]
    from modwire_tools.server.security import SecurityFiles
    from modwire_tools.server.systemd import InheritedSockets

    secured = SecurityFiles(certificate, key, key_password_file, client_ca, crl, rights, audit)
    with opened(
        check_files(secured, endpoints), None if page is None else page.certificate
    ) as security:
        simulation = build(
            files or [], endpoints, devices, consecutive, seed, speed, counted, security
        )
        simulation.inherit(InheritedSockets.from_environment())
        main = partial(_run, simulation, page, counted, interface, reload_advice(security.reload))
        run_trio(partial(with_metrics, metrics, counted, main), security.reload)


def build(
    files: Sequence[Path],
    endpoints: Sequence[Endpoint],
    devices: int | None,
    consecutive: Consecutive,
    seed: int | None,
    speed: float,
    metrics: Metrics | None = None,
    security: Security | None = None,
) -> Simulation:
    """Return the simulation that the arguments describe."""
    from modwire_tools.simulator.simulation import Simulation, place

    specs = _read(files)
    if devices is not None and devices < len(specs):
        raise WrongArgumentError(
            f"--devices must be at least {len(specs)}, one for each file, got {devices}"
        )
    if not endpoints:
        endpoints = [SimulatedEndpoint("tcp").parse(DEFAULT_ADDRESS)]
    with argument("--devices" if devices is not None else "--tcp, --udp, --tls, --serial"):
        placed = place(specs, endpoints, count=devices, consecutive=consecutive)
    return Simulation(placed, seed=seed, speed=speed, metrics=metrics, security=security)


def _read(files: Sequence[Path]) -> list[DeviceSpec]:
    if not files:
        from modwire_tools.simulator.meter import energy_meter

        return [energy_meter()]
    from modwire_tools.simulator.files import DeviceFileError, read_device

    try:
        return [read_device(path) for path in files]
    except FileNotFoundError as error:
        missing = next(path for path in files if not path.exists())
        raise FailedError(f"{error.strerror}{_meant(str(missing))}") from None
    except DeviceFileError as error:
        raise FailedError(str(error)) from None


def _meant(text: str) -> str:
    """Return advice if the name of a file that is not there is an endpoint, or ""."""
    from modwire_tools.endpoint_forms import right_form

    meant = right_form(text, listens=True)
    option = {"tcp": "--tcp", "udp": "--udp", "tls": "--tls", "rtu": "--serial"}.get(
        meant.partition("://")[0]
    )
    if option is None or not (":" in text or text.isdigit()):
        return ""
    return f"; to serve there: {command_line('simulate', option, meant)}"


async def _run(
    simulation: Simulation,
    page: Page | None,
    metrics: Metrics | None,
    interface: str | None,
    advice: str,
) -> None:
    from modwire_tools.simulator.interface import added_addresses, addresses_of

    with ExitStack() as stack:
        if interface is not None:
            endpoints = [each for device in simulation.devices for each in device.endpoints]
            addresses = addresses_of(endpoints)
            try:
                with argument("--interface"):
                    stack.enter_context(added_addresses(interface, addresses))
            except OSError as error:
                raise FailedError(f"--interface: {error}") from None
            note(f"{interface} has the addresses {addresses[0]} to {addresses[-1]} until the end")
        await _serve(simulation, page, metrics, advice)


async def _serve(
    simulation: Simulation, page: Page | None, metrics: Metrics | None, advice: str
) -> None:
    import trio

    from modwire_tools.server.systemd import tell_manager
    from modwire_tools.simulator.problems import described_problems

    view = simulation.view
    async with trio.open_nursery() as nursery:
        await nursery.start(simulation.run)
        problems = view.problems()
        if problems:
            raise FailedError(described_problems(problems))
        link = ""
        if page is not None:
            link = await start_page(nursery, view, page, metrics)
        _tell(view, link, advice)
        tell_manager("READY=1")
        await _watch(view, is_shown=page is not None)


async def _watch(view: View, *, is_shown: bool) -> None:
    """Print the devices that are no longer served; raise FailedError when none is served.

    With a page it continues even then, because the user can start devices again there.
    """
    import trio

    from modwire_tools.simulator.problems import described_problems

    told: set[int] = set()
    while True:
        await trio.sleep(_PROBLEM_INTERVAL)
        problems = view.problems()
        if len(problems) == view.device_count() and not is_shown:
            raise FailedError(described_problems(problems))
        for index, problem in problems.items():
            if index not in told:
                note(f"device {index} is no longer served: {problem}")
        told = set(problems)


def _tell(view: View, link: str, advice: str) -> None:
    """Print the endpoints of the devices, and a command to try."""
    from modwire_tools.endpoint_forms import shown

    devices = view.devices()
    count = len(devices)
    note(f"modwire simulates {view.title()}" + (":" if count > 1 else ""))
    listed = devices if count <= _MOST_SHOWN else devices[: _MOST_SHOWN - 1]
    for device in listed:
        note(f"  {_described_device(device, with_name=count > 1)}")
    if count > len(listed):
        note(f"  ... {count - len(listed)} more, the last one at {shown(devices[-1].endpoints[0])}")
    example = _example(view)
    if example:
        note(f"Try: {example}")
    if link:
        note(f"Page: {link}")
    note(f"Ctrl+C ends it{advice}.")


def _described_device(device: DeviceInfo, *, with_name: bool) -> str:
    from modwire_tools.endpoint_forms import shown

    units = ", ".join(str(unit.id) for unit in device.units[:10])
    more = ", ..." if len(device.units) > 10 else ""
    word = "unit" if len(device.units) == 1 else "units"
    name = f"{device.name}, " if with_name else ""
    return f"{name}{word} {units}{more}: {', '.join(map(shown, device.endpoints))}"


def _example(view: View) -> str:
    """Return a command that reads values of the first device."""
    from modwire_tools.addresses import Place
    from modwire_tools.endpoint_forms import ALL

    device = view.devices(0, 1)[0]
    if not device.endpoints or not device.units:
        return ""
    unit = device.units[0].id
    words: list[str] = []
    for table in ("input_registers", "holding_registers", "coils", "discrete_inputs"):
        for info in view.tables(0, unit):
            if info.table == table and info.ranges and not words:
                first, count = info.ranges[0]
                words = [str(Place(table, first))]
                words += ["--count", str(min(count, 3))] if count > 1 else []
    endpoint = device.endpoints[0].replace(f"://{ALL}:", "://127.0.0.1:")
    if "tls://" in endpoint:
        endpoint += "?ca=ca.pem&certificate=client.pem&key=client.key"
    if not words:
        return command_line("scan", endpoint)
    return command_line("read", endpoint, *words, *(["--unit", unit] if unit != 1 else []))

"""`modwire gateway`: a server whose units are devices on other lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from modwire_tools.values.numbers import Seconds, parse_range, parse_whole

from .annotations import Endpoint, Listen
from .ending import WrongArgumentError, argument
from .endpoints import DEVICE, LISTEN, check_units
from .metrics import MetricsOption, new_metrics, with_metrics
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
from .serving_options import (
    AllowOption,
    ConnectionsOption,
    IdleOption,
    VerboseFlag,
    say_calls,
    show_log,
)
from .types import DURATION, ParamType, Whole
from .verbose import client_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modwire_tools.metrics import Metrics
    from modwire_tools.server.listening import Limits
    from modwire_tools.server.security import Security
    from modwire_tools.server.systemd import InheritedSockets

_PAUSE = Seconds(1)
_PATIENCE = Seconds(10)


class UnitMap(NamedTuple):
    """Unit ids of the gateway, the number of their line, from 1, and the first id on the line."""

    ids: range
    line: int
    base: int


class MapType(ParamType[UnitMap]):
    """A map of unit ids: 1=17, 2=2/5 or 1..10=2/1."""

    metavar = "MAP"

    def parse(self, text: str) -> UnitMap:
        ids, equals, target = text.partition("=")
        units = parse_range(ids, 0, 255)
        line, slash, unit = target.rpartition("/")
        number = parse_whole(line, 1) if slash else 1
        base = parse_whole(unit, 0, 255) if equals else units[0]
        if base + len(units) > 256:
            raise ValueError(f"{text!r} goes beyond unit 255")
        return UnitMap(units, number, base)


def gateway(
    listen: Annotated[
        Listen,
        LISTEN.argument(
            "LISTEN",
            help="Where clients connect: tcp://:5020 (all addresses of this machine), "
            "tcp://127.0.0.1:5020, tls://:802, rtu:///dev/ttyUSB1.",
        ),
    ],
    lines: Annotated[
        list[Endpoint],
        DEVICE.argument(
            "LINE...",
            help="Where the devices are: rtu:///dev/ttyUSB0?baudrate=9600, tcp://192.0.2.7.",
        ),
    ],
    maps: Annotated[
        list[UnitMap] | None,
        MapType().option(
            "--map",
            "-m",
            help="1=17: unit 1 of the gateway is unit 17 on the first line; 2=2/5: it is unit 5 on "
            "the second; 1..10=2/1: ten of them from 1 on. May be repeated. Without any map, all "
            "ids lead to the first line.",
        ),
    ] = None,
    pause: Annotated[
        float,
        DURATION.option("--pause", help="How long to leave a unit alone that did not answer."),
    ] = _PAUSE,
    patience: Annotated[
        float, DURATION.option("--patience", help="How long a request may wait for its line.")
    ] = _PATIENCE,
    queue: Annotated[
        int, Whole(1, 10_000).option("--queue", help="Requests of one client that may wait.")
    ] = 16,
    allow: AllowOption = None,
    max_connections: ConnectionsOption = 1000,
    idle_timeout: IdleOption = None,
    certificate: CertificateOption = None,
    key: KeyOption = None,
    key_password_file: KeyPasswordOption = None,
    client_ca: ClientCaOption = None,
    crl: CrlOption = None,
    rights: RightsOption = None,
    audit: AuditOption = None,
    read_only: Annotated[
        bool,
        typer.Option(
            "--read-only",
            help="Answer requests that write, and those of unknown functions, with exception 01.",
        ),
    ] = False,
    verbose: VerboseFlag = False,
    metrics: MetricsOption = None,
) -> None:
    """Forward requests to devices on other lines until Ctrl+C.

    Clients take turns on a line, and a unit that does not respond does not delay other units. For a
    unit that is on no line, the client gets exception 0A; for one that does not respond, 0B.
    """
    for line in lines:
        if line.transport == "serial" and line.path == listen.endpoint.path:
            raise WrongArgumentError(
                f"LINE: {line.path} is where the gateway listens, name another"
            )
        if line.unit is not None:
            raise WrongArgumentError(
                f"LINE: {line} has unit, but --map says which units are asked, as in "
                f"--map 1={line.unit}"
            )
    units = assign_units(maps or (), lines, listen)

    from functools import partial

    from modwire_tools.server.listening import Limits
    from modwire_tools.server.security import SecurityFiles
    from modwire_tools.server.systemd import InheritedSockets

    from .loop import run_trio

    limits = Limits(max_connections, idle_timeout, allow)
    settings = Settings(queue, patience, pause)
    counted = None if metrics is None else new_metrics()
    inherited = InheritedSockets.from_environment()
    files = SecurityFiles(
        certificate, key, key_password_file, client_ca, crl, rights, audit, read_only
    )
    with opened(check_files(files, [listen.endpoint])) as security:
        serve = partial(_serve, listen, lines, units, settings, limits, security)
        main = partial(serve, verbose, counted, inherited)
        run_trio(partial(with_metrics, metrics, counted, main), security.reload)


class Settings(NamedTuple):
    """Limits for waiting requests: `queue` per client, `patience` and `pause` in seconds."""

    queue: int
    patience: float
    pause: float


def assign_units(
    maps: Sequence[UnitMap], lines: Sequence[Endpoint], listen: Listen
) -> list[dict[int, int]] | None:
    """Return for each line a map of the gateway's unit ids to those of the line; None for no map.

    Raises WrongArgumentError.
    """
    if not maps:
        if len(lines) > 1:
            raise WrongArgumentError(
                f"--map must say which units are on which of the {len(lines)} lines, as in "
                "--map 1=17 --map 2=2/5"
            )
        return None
    check_units(listen.endpoint, "--map", [unit for each in maps for unit in each.ids])
    found: list[dict[int, int]] = [{} for _ in lines]
    taken: set[int] = set()
    for each in maps:
        if each.line > len(lines):
            raise WrongArgumentError(f"--map: the line must be 1..{len(lines)}, got {each.line}")
        check_units(lines[each.line - 1], "--map: the unit on the line", [each.base])
        for unit, target in zip(each.ids, range(each.base, each.base + len(each.ids)), strict=True):
            if unit in taken:
                raise WrongArgumentError(f"--map: unit {unit} is mapped twice")
            taken.add(unit)
            found[each.line - 1][unit] = target
    for number, ids_on_line in enumerate(found, 1):
        if not ids_on_line:
            raise WrongArgumentError(
                f"--map: no unit leads to line {number}, name one as in --map 9={number}/1"
            )
    return found


async def _serve(
    place: Listen,
    ends: list[Endpoint],
    units: list[dict[int, int]] | None,
    settings: Settings,
    limits: Limits,
    security: Security,
    verbose: bool,
    metrics: Metrics | None,
    inherited: InheritedSockets,
) -> None:
    from contextlib import AsyncExitStack

    from modwire_tools.server.listening import serve_all
    from modwire_tools.server.systemd import tell_manager
    from modwire_trio import Gateway, connect

    from .output import note

    async with AsyncExitStack() as stack:
        clients = [connect(end) for end in ends]
        for client in clients:
            stack.push_async_callback(client.aclose)
        for end, client in zip(ends, clients, strict=True):
            if end.transport == "serial":  # a network device may be switched on later
                with client_log():  # the error says why it fails
                    await client.connect()
        show_log()
        with argument("--map"):
            served = Gateway(
                clients[0],
                None if units is None else units[0],
                queue=settings.queue,
                patience=settings.patience,
                pause=settings.pause,
                longest_pause=max(30.0, settings.pause),
            )
            for number, client in enumerate(clients[1:], 1):
                served.add_line(client, None if units is None else units[number])

        def on_listening(names: list[str]) -> None:
            led = ", ".join(map(str, ends))
            ending = f"Ctrl+C ends{reload_advice(security.reload)}"
            note(f"modwire: gateway at {names[0]} leads to {led}; {ending}")
            tell_manager("READY=1")

        await serve_all(
            served,
            [place],
            limits,
            on_answer=say_calls(verbose),
            on_listening=on_listening,
            security=security,
            metrics=metrics,
            inherited=inherited,
        )

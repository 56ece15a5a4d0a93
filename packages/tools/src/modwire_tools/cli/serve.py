"""`modwire serve`: a plain server, with values in memory, a database or Redis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from .annotations import AssignmentText, HostPort, Listen
from .ending import FailedError, WrongArgumentError, argument
from .endpoints import LISTEN
from .metrics import METRICS_VARIABLE, MetricsOption, new_metrics, with_metrics
from .output import note
from .page import (
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
from .serving_options import (
    AllowOption,
    ConnectionsOption,
    IdleOption,
    VerboseFlag,
    say_calls,
    show_log,
)
from .types import UnitIds, Whole
from .value_options import AddressValue

if TYPE_CHECKING:
    from collections.abc import Callable

    from modwire import Units
    from modwire_tools.metrics import Metrics
    from modwire_tools.server.listening import Limits
    from modwire_tools.server.security import Security
    from modwire_tools.server.storing import Storage
    from modwire_tools.server.systemd import InheritedSockets

    from .page import Page


def _size(name: str) -> typer.models.OptionInfo:
    words = name.replace("-", " ")
    return Whole(0, 65536).option(
        f"--{name}", help=f"Number of {words}, from address 0 on; 0 for none."
    )


def serve(
    listens: Annotated[
        list[Listen],
        LISTEN.argument(
            "LISTEN...",
            help="Where to listen: tcp://127.0.0.1:5020, tcp://:502 for all addresses of this "
            "machine, tls://:802, rtu:///dev/ttyUSB0?baudrate=9600. Serial frames may have "
            "silence, tolerance and suppress_echo, serial ports rs485 and exclusive.",
        ),
    ],
    store: Annotated[
        str,
        typer.Option(
            "--store",
            metavar="STORE",
            help="Where the values are: memory, sqlite:///plant.db, "
            "postgresql://user@host/database, redis://host:6379/0.",
        ),
    ] = "memory",
    name: Annotated[
        str,
        typer.Option("--name", metavar="NAME", help="The table, or prefix of keys, in the store."),
    ] = "modwire",
    units: Annotated[
        Sequence[int] | None,
        UnitIds().option(
            "--units",
            metavar="UNITS",
            help="Unit ids, such as 1 or 1..3. By default unit 1 on a serial port, and otherwise "
            "one unit for all ids.",
        ),
    ] = None,
    coils: Annotated[int, _size("coils")] = 65536,
    discrete_inputs: Annotated[int, _size("discrete-inputs")] = 65536,
    holding_registers: Annotated[int, _size("holding-registers")] = 65536,
    input_registers: Annotated[int, _size("input-registers")] = 65536,
    values: Annotated[
        list[AssignmentText] | None,
        AddressValue(by_owner=True).option(
            "--set", help="A value at the start, such as ir:8/float32=230.4. May be repeated."
        ),
    ] = None,
    processes: Annotated[
        int,
        Whole(1, 256).option("--processes", help="Processes that share the port and the store."),
    ] = 1,
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
    verbose: VerboseFlag = False,
    web: WebOption = None,
    web_token: TokenOption = None,
    web_token_file: TokenFileOption = None,
    web_certificate: WebCertificateOption = None,
    web_key: WebKeyOption = None,
    web_key_password_file: WebKeyPasswordOption = None,
    metrics: MetricsOption = None,
) -> None:
    """Serve coils and registers until Ctrl+C.

    Clients may write to coils and holding registers. Inputs are set with --set, or in the store
    by other programs.
    """
    from modwire_tools.server.listening import Limits
    from modwire_tools.server.security import SecurityFiles
    from modwire_tools.server.storing import Storage, set_values
    from modwire_tools.server.systemd import InheritedSockets

    page = parse_page(
        web, web_token, web_token_file, web_certificate, web_key, web_key_password_file
    )
    sizes = {
        "coils": coils,
        "discrete_inputs": discrete_inputs,
        "holding_registers": holding_registers,
        "input_registers": input_registers,
    }
    if units is None and any(each.endpoint.transport == "serial" for each in listens):
        units = [1]
    if not name.replace("_", "").replace(":", "").replace(".", "").isalnum():
        raise WrongArgumentError(f"--name must be letters, digits and _ . :, got {name!r}")
    named = certificate, key, key_password_file, client_ca, crl, rights, audit
    files = check_files(
        SecurityFiles(*named, is_shared=processes > 1), [each.endpoint for each in listens]
    )
    storage = Storage(store, name, sizes, units)
    with argument("--store"):
        storage.check()
        served = storage.open()
    inherited = InheritedSockets.from_environment()
    if processes > 1:
        _check_processes(processes, storage, listens, metrics, page)
        if inherited:
            raise FailedError("--processes cannot share the sockets of the service manager")
    limits = Limits(max_connections, idle_timeout, allow, reuse_port=processes > 1)
    with argument("--set"):
        assignments = [each.assignment() for each in values or ()]
    storage.reach(served)
    with argument("--set"):
        set_values(served, assignments)

    show_log()
    with opened(files, None if page is None else page.certificate) as security:
        on_listening = partial(_say_where, storage, reload_advice(security.reload))
        if processes > 1:
            from .processes import serve_in_processes

            serve_in_processes(processes, storage, listens, limits, files, verbose, on_listening)
            return
        counted = None if metrics is None and page is None else new_metrics()
        serve_here = partial(_serve_here, served, listens, limits, security, verbose)
        main = partial(serve_here, on_listening, inherited, page, counted)
        from .loop import run_trio

        run_trio(partial(with_metrics, metrics, counted, main), security.reload)


async def _serve_here(
    units: Units,
    listens: list[Listen],
    limits: Limits,
    security: Security,
    verbose: bool,
    on_listening: Callable[[list[str]], None],
    inherited: InheritedSockets,
    page: Page | None,
    metrics: Metrics | None,
) -> None:
    """Serve in this process until cancelled, and a page beside it."""
    import trio

    from modwire_tools.server.listening import Places, serve_all

    serve = partial(
        serve_all,
        units,
        listens,
        on_answer=say_calls(verbose),
        security=security,
        metrics=metrics,
        inherited=inherited,
    )
    if page is None:
        await serve(limits, on_listening=on_listening)
        return

    from modwire import AllowedNetworks
    from modwire_tools.web import UnitsView

    allowed = AllowedNetworks.of(limits.allow)
    places = Places()
    view = places.view = UnitsView(
        units,
        title="modwire serve",
        allow=allowed if any(each.has_peers for each in listens) else None,
        set_mode=places.set_mode,
    )
    async with trio.open_nursery() as nursery:
        is_listening = trio.Event()
        found: list[str] = []

        def listening(names: list[str]) -> None:
            found.extend(names)
            is_listening.set()

        limits = replace(limits, allow=allowed)
        nursery.start_soon(partial(serve, limits, on_listening=listening, places=places))
        await is_listening.wait()
        link = await start_page(nursery, view, page, metrics)
        note(f"Page: {link}")
        on_listening(found)


def _say_where(storage: Storage, advice: str, names: list[str]) -> None:
    """Print the endpoints, the units and the store, and tell the service manager."""
    from modwire_tools.server.systemd import tell_manager

    ids = storage.units
    units = "one unit for all ids" if ids is None else f"unit {', '.join(map(str, ids))}"
    values = f"values in {storage.shown}"
    note(f"modwire: serves {', '.join(names)}: {units}, {values}; Ctrl+C ends{advice}")
    tell_manager("READY=1")


def _check_processes(
    number: int,
    storage: Storage,
    places: list[Listen],
    metrics: HostPort | None,
    page: Page | None,
) -> None:
    import socket

    if page is not None:
        raise WrongArgumentError(
            f"--web shows one process: leave it out, or leave out --processes {number}"
        )
    if metrics is not None:
        raise WrongArgumentError(
            f"--metrics (or {METRICS_VARIABLE}) counts in one process: leave it out, or leave out "
            f"--processes {number}"
        )
    if not storage.is_shared:
        raise WrongArgumentError(
            f"--processes {number} need a store that they share: name a --store, such as "
            "sqlite:///plant.db"
        )
    if any(each.endpoint.transport not in ("tcp", "udp", "tls") for each in places):
        raise WrongArgumentError(
            f"--processes {number} can share ports of TCP, TLS and UDP, no serial port or path"
        )
    if not hasattr(socket, "SO_REUSEPORT"):
        raise WrongArgumentError("--processes must be 1: this system does not share ports")

"""`modwire gateway`: devices on lines as units of a server, in either direction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .arguments import parse_endpoint, parse_seconds, parse_whole
from .completion import complete_endpoint
from .ending import WrongArgumentError, argument
from .serving_options import (
    AllowOption,
    ConnectionsOption,
    IdleOption,
    VerboseFlag,
    parse_limits,
    parse_listens,
    say_calls,
    show_log,
)

if TYPE_CHECKING:
    from modwire import Endpoint
    from modwire_tools.listening import Limits, Listen


def gateway(
    listen: Annotated[
        str,
        typer.Argument(
            metavar="LISTEN",
            help="Where clients ask: tcp://:5020 (all addresses of this machine), "
            "tcp://127.0.0.1:5020, rtu:///dev/ttyUSB1.",
            autocompletion=complete_endpoint,
        ),
    ],
    lines: Annotated[
        list[str],
        typer.Argument(
            metavar="LINE...",
            help="Where the devices are: rtu:///dev/ttyUSB0?baudrate=9600, tcp://192.0.2.7.",
            autocompletion=complete_endpoint,
        ),
    ],
    maps: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            "-m",
            metavar="MAP",
            help="1=17: unit 1 of the gateway is unit 17 on the first line; 2=2/5: it is unit 5 on "
            "the second; 1..10=2/1: ten of them from 1 on. May be repeated. Without any, all ids "
            "lead to the first line.",
        ),
    ] = None,
    pause: Annotated[
        str,
        typer.Option(
            "--pause", metavar="TIME", help="How long a unit that did not answer is left alone."
        ),
    ] = "1s",
    patience: Annotated[
        str,
        typer.Option(
            "--patience", metavar="TIME", help="How long a request may wait for its line."
        ),
    ] = "10s",
    queue: Annotated[
        str,
        typer.Option("--queue", metavar="N", help="How many requests of one client may wait."),
    ] = "16",
    allow: AllowOption = None,
    max_connections: ConnectionsOption = "1000",
    idle_timeout: IdleOption = None,
    verbose: VerboseFlag = False,
) -> None:
    """Pass requests on to devices on other lines until Ctrl+C.

    Clients take turns at a line, and a unit that does not answer stalls nobody. What leads nowhere
    is answered with exception 0A, and 0B stands for a unit that did not answer.
    """
    (place,) = parse_listens([listen], "LISTEN")
    ends = [parse_endpoint(line, "LINE") for line in lines]
    for end in ends:
        if end.transport == "serial" and end.path == place.endpoint.path:
            raise WrongArgumentError(f"LINE: {end.path} is where the gateway listens, name another")
    units = parse_maps(maps or [], len(ends), place)
    limits = parse_limits(allow, max_connections, idle_timeout, reuse_port=False)
    settings = Settings(
        parse_whole("--queue", queue, 1, 10_000),
        parse_seconds("--patience", patience),
        parse_seconds("--pause", pause),
    )
    show_log()

    from functools import partial

    from .loop import run_trio

    run_trio(partial(_serve, place, ends, units, settings, limits, verbose))


class Settings:
    """How requests wait: `queue` for each client, `patience` and `pause` in seconds."""

    def __init__(self, queue: int, patience: float, pause: float) -> None:
        self.queue = queue
        self.patience = patience
        self.pause = pause


def parse_maps(texts: list[str], lines: int, listen: Listen) -> list[dict[int, int]] | None:
    """For each line, the unit ids of the gateway and those on the line; None for all on the first.

    Raises WrongArgumentError.
    """
    if not texts:
        if lines > 1:
            raise WrongArgumentError(
                f"--map must say which units are on which of the {lines} lines, as in "
                "--map 1=17 --map 2=2/5"
            )
        return None
    # On a serial line, 0 broadcasts and 248..255 are reserved.
    own = (0, 255) if listen.endpoint.framing == "tcp" else (1, 247)
    found: list[dict[int, int]] = [{} for _ in range(lines)]
    taken: set[int] = set()
    for text in texts:
        ids, equals, target = text.partition("=")
        first, dots, last = ids.partition("..")
        start = parse_whole("--map", first, *own)
        stop = parse_whole("--map", last, start, own[1]) if dots else start
        line, slash, unit = target.rpartition("/")
        number = parse_whole("--map: the line", line, 1, lines) if slash else 1
        base = parse_whole("--map", unit, 1, 255) if equals else start
        if base + stop - start > 255:
            raise WrongArgumentError(f"--map: {text!r} goes beyond unit 255")
        for offset in range(stop - start + 1):
            if start + offset in taken:
                raise WrongArgumentError(f"--map: unit {start + offset} is mapped twice")
            taken.add(start + offset)
            found[number - 1][start + offset] = base + offset
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
    verbose: bool,
) -> None:
    from contextlib import AsyncExitStack

    from modwire_tools.listening import serve_all
    from modwire_trio import Gateway, connect

    from .output import note

    async with AsyncExitStack() as stack:
        clients = [connect(end) for end in ends]
        for client in clients:
            stack.push_async_callback(client.aclose)
        for end, client in zip(ends, clients, strict=True):
            if end.transport == "serial":  # a device on a network may be switched on later
                await client.connect()
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
            note(f"modwire: gateway at {names[0]} leads to {led}; Ctrl+C ends")

        await serve_all(
            served, [place], limits, on_answer=say_calls(verbose), on_listening=on_listening
        )

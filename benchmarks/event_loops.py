"""The families asyncio, trio and gevent: clients and servers beside a floor on the same backend.

The clients use the same server of canned bytes as the blocking clients, and the servers get the
same load as the blocking servers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import asyncio_client
import server
from import_cost import installed
from rounds import FLOOR, OURS, Row, Sample, Settings, rate_row, spare_processors
from servers import PIPELINED, running

CALLS_PER_SECOND = 15_000  # about; it only affects how long a sample takes

# Returns the samples for a port, a number of callers, and a number of calls.
Samples = Callable[[int, int, int], dict[str, Sample]]


class Targets(NamedTuple):
    """The wanted parts of the floor's rate, and the wanted multiples of a peer's."""

    one: float  # caller
    shared: float  # 16 callers
    one_peer: tuple[str, float] | None
    other_processor: tuple[str, float]  # 16 callers, server on another processor
    loads: tuple[server.Case, ...]


# Parts of the raw server's rate; `pymodbus` is a multiple of the rate of its server.
TARGETS = Targets(
    one=0.70,
    shared=0.50,
    one_peer=None,
    other_processor=("pymodbus", 5.0),
    loads=server.cases(one=0.70, fifty=0.70, thousand=0.70, pipelined=0.40, pymodbus=2.0),
)
ASYNCIO = Targets(
    one=0.85,
    shared=0.50,
    one_peer=("tmodbus", 1.5),
    other_processor=("pymodbus", 8.0),
    loads=server.cases(one=0.80, fifty=0.80, thousand=0.80, pipelined=None, pymodbus=2.0),
)


def run_asyncio(settings: Settings) -> list[Row]:
    """Return the rows of asyncio's clients and servers, on its own loop and on uvloop."""
    if not _is_installed("asyncio", "modwire_asyncio"):
        return []
    rows = [
        *_clients("asyncio", asyncio_client.samples, settings, ASYNCIO),
        *_servers("asyncio", settings, ASYNCIO),
    ]
    if _is_installed("uvloop"):
        import uvloop

        samples = partial(asyncio_client.samples, run=uvloop.run)
        rows += _clients("uvloop", samples, settings, ASYNCIO)
        rows += _servers("uvloop", settings, ASYNCIO)
    return [row._replace(family="asyncio") for row in rows]


def run_trio(settings: Settings) -> list[Row]:
    """Return the rows of trio's clients and servers."""
    if not _is_installed("trio", "modwire_trio"):
        return []
    import trio_client

    samples = _beside_asyncio(trio_client.samples)
    return [*_clients("trio", samples, settings), *_servers("trio", settings)]


def run_gevent(settings: Settings) -> list[Row]:
    """Return the rows of gevent's clients and servers."""
    if not _is_installed("gevent", "modwire_gevent"):
        return []
    import gevent_client

    samples = _beside_asyncio(gevent_client.samples)
    return [*_clients("gevent", samples, settings), *_servers("gevent", settings)]


def _is_installed(*modules: str) -> bool:
    missing = [module for module in modules if not installed(module)]
    if missing:
        print(f"{modules[0]}: {' and '.join(missing)} not installed, so the family is left out")
    return not missing


def _beside_asyncio(samples: Samples) -> Samples:
    return lambda *which: {**samples(*which), **asyncio_client.peers(*which)}


def _clients(
    family: str, samples: Samples, settings: Settings, targets: Targets = TARGETS
) -> list[Row]:
    calls = int(settings.sample * 5 * CALLS_PER_SECOND)

    def row(
        name: str, port: int, callers: int, target: float, least: tuple[str, float] | None
    ) -> Row:
        found = samples(port, callers, callers * max(4, calls // callers))
        title = f"{family} client: FC3 of 10, {name}"
        return rate_row(family, title, found, settings.rounds, target, least)

    shared = targets.shared
    with running("canned") as port:
        rows = [
            row("1 caller", port, 1, targets.one, targets.one_peer),
            row("16 callers on one connection", port, PIPELINED, shared, None),
        ]
    if not spare_processors:
        print(f"{family}: there is no second processor, so two rows are left out")
        return rows
    with running("canned", spare_processors) as port:
        place = "server on another processor"
        return [
            *rows,
            row(f"1 caller, {place}", port, 1, targets.one, targets.one_peer),
            row(f"16 callers, {place}", port, PIPELINED, shared, targets.other_processor),
        ]


def _servers(family: str, settings: Settings, targets: Targets = TARGETS) -> list[Row]:
    package = "asyncio" if family == "uvloop" else family
    servers = {
        FLOOR: (f"raw-{family}", family),
        OURS: (f"modwire-{family}", f"modwire_{package}"),
        "pymodbus": ("pymodbus", "pymodbus"),
    }
    if targets is ASYNCIO:
        servers[asyncio_client.BUFFERED] = (f"raw-{family}-buffered", family)
    return server.compare(family, f"{family} server: FC3 of 10", servers, targets.loads, settings)

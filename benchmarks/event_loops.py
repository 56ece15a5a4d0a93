"""The families trio and gevent: clients and servers beside a floor on the same backend.

The clients use the same server of canned bytes as the blocking clients, and the servers get the
same load as the blocking servers.
"""

from __future__ import annotations

from collections.abc import Callable

import asyncio_client
import server
from import_cost import installed
from rounds import FLOOR, OURS, Row, Sample, Settings, rate_row, spare_processors
from servers import PIPELINED, running

ONE, SHARED = 0.70, 0.50  # parts of the floor's rate, with 1 caller and with 16
TIMES_PYMODBUS = 5.0  # times its client's rate; 16 callers, server on another processor
# Parts of the raw server's rate; `pymodbus` is a multiple of the rate of its server.
LOADS = server.cases(one=0.70, fifty=0.70, thousand=0.70, pipelined=0.40, pymodbus=2.0)
CALLS_PER_SECOND = 15_000  # about; it only affects how long a sample takes

# Returns the samples for a port, a number of callers, and a number of calls.
Samples = Callable[[int, int, int], dict[str, Sample]]


def run_trio(settings: Settings) -> list[Row]:
    """Return the rows of trio's clients and servers."""
    if not _is_installed("trio", "modwire_trio"):
        return []
    import trio_client

    return [*_clients("trio", trio_client.samples, settings), *_servers("trio", settings)]


def run_gevent(settings: Settings) -> list[Row]:
    """Return the rows of gevent's clients and servers."""
    if not _is_installed("gevent", "modwire_gevent"):
        return []
    import gevent_client

    return [*_clients("gevent", gevent_client.samples, settings), *_servers("gevent", settings)]


def _is_installed(*modules: str) -> bool:
    missing = [module for module in modules if not installed(module)]
    if missing:
        print(f"{modules[0]}: {' and '.join(missing)} not installed, so the family is left out")
    return not missing


def _clients(family: str, samples: Samples, settings: Settings) -> list[Row]:
    calls = int(settings.sample * 5 * CALLS_PER_SECOND)

    def row(name: str, port: int, callers: int, target: float, times_pymodbus: float | None) -> Row:
        count = callers * max(4, calls // callers)
        ours = samples(port, callers, count)
        peers = asyncio_client.samples(port, callers, count)
        least = None if times_pymodbus is None else ("pymodbus", times_pymodbus)
        title = f"{family} client: FC3 of 10, {name}"
        return rate_row(family, title, {**ours, **peers}, settings.rounds, target, least)

    with running("canned") as port:
        rows = [
            row("1 caller", port, 1, ONE, None),
            row("16 callers on one connection", port, PIPELINED, SHARED, None),
        ]
    if not spare_processors:
        print(
            f"{family}: there is no second processor, so the row with the server on it is left out"
        )
        return rows
    with running("canned", spare_processors) as port:
        name = "16 callers, server on another processor"
        return [*rows, row(name, port, PIPELINED, SHARED, TIMES_PYMODBUS)]


def _servers(family: str, settings: Settings) -> list[Row]:
    servers = {
        FLOOR: (f"raw-{family}", family),
        OURS: (f"modwire-{family}", f"modwire_{family}"),
        "pymodbus": ("pymodbus", "pymodbus"),
    }
    return server.compare(family, f"{family} server: FC3 of 10", servers, LOADS, settings)

"""All loggers of modwire, each with its own level: python examples/more/logging_everything.py

A server and a client in one program write to four of them. "modwire.stores" is for databases of
modwire-stores, "modwire.web" for the page of modwire-tools.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from logging.config import dictConfig

from modwire import SequentialBlock, ServerDeviceFailureError, ServerOptions, Unit, Units
from modwire.tls import AuditLog
from modwire_sync import TcpClient, TcpServer

LEVELS = {
    "modwire.client": "INFO",  # links opened and lost
    "modwire.server": "DEBUG",  # connections, refusals, errors of units
    "modwire.wire": "DEBUG",  # bytes sent and received
    "modwire.audit": "INFO",  # writes and denied requests, from an `AuditLog`
    "modwire.stores": "INFO",  # databases that are down, or back
    "modwire.web": "DEBUG",  # requests to the page that failed
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(levelname)-7s %(name)-14s %(message)s"}},
    "handlers": {
        "screen": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "stream": "ext://sys.stdout",
        }
    },
    "root": {"level": "WARNING", "handlers": ["screen"]},
    "loggers": {name: {"level": level} for name, level in LEVELS.items()},
}


def on_write(address: int, values: Sequence[int]) -> None:
    if values[0] > 100:
        raise RuntimeError("the valve is stuck")  # logged with a traceback


def main() -> None:
    dictConfig(LOGGING)
    unit = Unit(holding_registers=SequentialBlock(0, [50], on_write=on_write))
    options = ServerOptions(audit=AuditLog())
    with (
        TcpServer(Units({1: unit}), ("127.0.0.1", 0), options=options) as server,
        TcpClient(*server.address) as client,
    ):
        client.read_holding_registers(0)
        client.write_register(0, 75)
        with suppress(ServerDeviceFailureError):
            client.write_register(0, 101)


if __name__ == "__main__":
    main()

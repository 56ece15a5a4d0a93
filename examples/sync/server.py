"""A meter as a TCP server, until Ctrl+C. Start it, then run examples/sync/client.py."""

from contextlib import suppress

from modwire import SequentialBlock, Unit, Units
from modwire_sync import TcpServer

meter = Unit(
    coils=SequentialBlock(0, [False, False]),
    holding_registers=SequentialBlock(0, [15, 40]),
    input_registers=SequentialBlock(0, [2304, 2311, 2297], read_only=True),
)
with suppress(KeyboardInterrupt):
    TcpServer(Units({1: meter}), ("127.0.0.1", 5020)).serve_forever()

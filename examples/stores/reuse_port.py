"""One unit in several server processes on one port: python examples/stores/reuse_port.py 4

Each connection goes to one of the processes; all of them have their values in one Redis, which
processes on other machines may share. For Linux and BSD; runs until Ctrl+C.
"""

from __future__ import annotations

import multiprocessing
import sys
from contextlib import suppress

from modwire import Units
from modwire_stores import redis_unit
from modwire_sync import TcpServer

STORE = "redis://127.0.0.1:6379/0"
ADDRESS = ("127.0.0.1", 5020)


def serve() -> None:
    # The store is opened here, because no process may use the connections of another.
    with redis_unit(STORE, "plant") as unit, suppress(KeyboardInterrupt):
        TcpServer(Units.single(unit), ADDRESS, reuse_port=True).serve_forever()


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    start = multiprocessing.get_context("spawn").Process
    processes = [start(target=serve) for _ in range(count)]
    for process in processes:
        process.start()
    with suppress(KeyboardInterrupt):
        for process in processes:
            process.join()


if __name__ == "__main__":
    main()

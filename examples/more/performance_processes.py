"""Measure a server with several processes.

python examples/more/performance_processes.py [HOST PORT]

Each process has its own connection and reads ten registers again and again. In the programs
performance.py, one process makes all calls, and may itself limit the rate. Without arguments it
starts its own server, in this process.
"""

from __future__ import annotations

import statistics
import sys
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from time import perf_counter

from modwire import SequentialBlock, Unit, Units
from modwire_sync import TcpClient, TcpServer

CALLS = 500  # of each process
PROCESSES = (1, 4)
PATIENCE = 60.0  # seconds for all processes to start

barriers: list[Barrier] = []  # the one of this process


def use_barrier(barrier: Barrier) -> None:
    barriers.append(barrier)


def read(host: str, port: int, calls: int) -> list[float]:
    """Make so many calls, when all processes are connected; return the seconds that each took."""
    times = []
    with ExitStack() as stack:
        try:
            client = stack.enter_context(TcpClient(host, port))
        except Exception:
            barriers[0].abort()
            raise
        barriers[0].wait(PATIENCE)
        for _ in range(calls):
            started = perf_counter()
            client.read_holding_registers(0, 10)
            times.append(perf_counter() - started)
    return times


def measure(host: str, port: int, processes: int) -> None:
    context = get_context("spawn")
    barrier = context.Barrier(processes)
    with ProcessPoolExecutor(processes, context, use_barrier, (barrier,)) as pool:
        readings = [pool.submit(read, host, port, CALLS) for _ in range(processes)]
        found = [reading.result() for reading in readings]
    times = [seconds for one in found for seconds in one]
    rate = len(times) / max(map(sum, found))  # until the last one has finished
    median, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
    name = "1 process" if processes == 1 else f"{processes} processes"
    print(
        f"{name}: {rate:,.0f} requests per second, "
        f"median {median * 1e3:.2f} ms, 99 % within {p99 * 1e3:.2f} ms"
    )


def main() -> None:
    with ExitStack() as stack:
        if len(sys.argv) == 3:
            host, port = sys.argv[1], int(sys.argv[2])
        else:
            units = Units.single(Unit(holding_registers=SequentialBlock(0, range(10))))
            host, port = stack.enter_context(TcpServer(units, ("127.0.0.1", 0))).address
        for processes in PROCESSES:
            measure(host, port, processes)


if __name__ == "__main__":
    main()

"""Functions 22 and 23 of many clients are atomic, also through several server processes.

MODWIRE_STORES_FULL=1 makes 20,000 requests instead of 1,600.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from modwire_sync import TcpClient
from store_servers import PATIENCE, PostgresServer, modbus_servers

pytestmark = pytest.mark.long

SERVERS, CLIENTS = 4, 8
REQUESTS = 20_000 if os.environ.get("MODWIRE_STORES_FULL", "") not in ("", "0") else 1_600
ROUNDS = REQUESTS // CLIENTS // 2
# Two clients have three registers: one counter each, and between them one that both write.
REGISTERS = CLIENTS // 2 * 3
MASKED = REGISTERS  # the one that all share


def counter_of(client: int) -> int:
    return client // 2 * 3 + client % 2 * 2


def mark(client: int, turn: int) -> int:
    """Return the value that the client writes into the register that it shares with another."""
    return turn * CLIENTS + client


class Seen(NamedTuple):
    """The values after a client had incremented its own register (function 23)."""

    client: int
    counters: tuple[int, ...]
    marks: tuple[int, ...]
    masked: int  # two bits of each client, which it increments by function 22 before that

    def steps(self, client: int) -> int:
        """Return the number of earlier requests of `client`; the bits alone show one at most."""
        counter = self.counters[client]
        ahead = ((self.masked >> 2 * client & 3) - counter) % 4
        assert ahead <= 1, f"an update of client {client} is lost: {self}"
        return 2 * counter + ahead


def count(port: int, client: int) -> Sequence[Seen]:
    """Run a client: in turn a mask for its bits, and a count together with its mark."""
    seen: list[Seen] = []
    own_bits = 3 << 2 * client
    with TcpClient("127.0.0.1", port, timeout=PATIENCE) as link:
        for turn in range(1, ROUNDS + 1):
            link.mask_write_register(MASKED, ~own_bits & 0xFFFF, (turn & 3) << 2 * client)
            counter, written = counter_of(client), [turn, mark(client, turn)]
            if client % 2:
                counter, written = counter - 1, written[::-1]
            values = link.read_write_registers(0, REGISTERS + 1, counter, written)
            counters = tuple(values[counter_of(each)] for each in range(CLIENTS))
            found = Seen(client, counters, tuple(values[1:REGISTERS:3]), values[MASKED])
            assert found.counters[client] == turn
            assert found.steps(client) == 2 * turn
            seen.append(found)
    return seen


@pytest.mark.timeout(600)
def test_the_result_is_that_of_a_serial_execution(url: str, name: str) -> None:
    with modbus_servers(url, name, SERVERS) as servers, ThreadPoolExecutor(CLIENTS) as pool:
        jobs = [
            pool.submit(count, servers[client % SERVERS].port, client) for client in range(CLIENTS)
        ]
        seen = [each for job in jobs for each in job.result()]
    # In a serial execution, every function 23 sees all earlier ones and no later ones. In this
    # order, two results in a row differ by the two written registers.
    seen.sort(key=lambda each: sum(each.counters))
    before = [0] * CLIENTS
    marks = [0] * (CLIENTS // 2)
    steps = [0] * CLIENTS
    for each in seen:
        before[each.client] += 1
        marks[each.client // 2] = mark(each.client, before[each.client])
        assert list(each.counters) == before
        assert list(each.marks) == marks
        now = [each.steps(client) for client in range(CLIENTS)]
        assert all(new >= old for new, old in zip(now, steps, strict=True))
        steps = now
    assert before == [ROUNDS] * CLIENTS


def test_postgresql_with_another_isolation_makes_nobody_fail(
    postgres_server: PostgresServer, name: str
) -> None:
    """If "serializable" is the default, one of two concurrent writes would be refused."""
    import psycopg

    with psycopg.connect(postgres_server.url, autocommit=True) as database:
        database.execute("CREATE ROLE strict LOGIN SUPERUSER")
        database.execute("ALTER ROLE strict SET default_transaction_isolation = 'serializable'")
    url = postgres_server.url.replace("postgres@", "strict@")
    with modbus_servers(url, name, 2) as servers, ThreadPoolExecutor(4) as pool:

        def work(client: int) -> None:
            with TcpClient("127.0.0.1", servers[client % 2].port, timeout=PATIENCE) as link:
                for turn in range(1, 41):
                    assert link.read_write_registers(0, 4, client, [turn])[client] == turn

        for job in [pool.submit(work, client) for client in range(4)]:
            job.result()


@pytest.mark.timeout(600)
def test_registers_that_are_written_and_read_crosswise_do_not_deadlock(url: str, name: str) -> None:
    """Half of the clients write low and read high registers, the others the reverse."""
    low, high = range(40), range(30, 70)

    def work(port: int, client: int) -> None:
        write, read = (low, high) if client % 2 else (high, low)
        with TcpClient("127.0.0.1", port, timeout=PATIENCE) as link:
            for turn in range(REQUESTS // 10 // CLIENTS):
                number = client * 1000 + turn % 1000
                link.read_write_registers(read.start, len(read), write.start, [number] * len(write))
                values = link.read_holding_registers(0, 70)
                # Two writers meet in 30..39, and each wrote all of its registers or none.
                assert len(set(values[0:30])) == 1
                assert len(set(values[40:70])) == 1
                assert len(set(values[30:40])) == 1
                assert values[30] in (values[0], values[69])

    with modbus_servers(url, name, 2) as servers, ThreadPoolExecutor(CLIENTS) as pool:
        for job in [pool.submit(work, servers[n % 2].port, n) for n in range(CLIENTS)]:
            job.result()

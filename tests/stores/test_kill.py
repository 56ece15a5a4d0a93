"""`kill -9` in the middle of acknowledged writes: none that was acknowledged is lost.

MODWIRE_STORES_FULL=1 makes 10,000 writes for each kill instead of 800.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Event, Thread
from time import monotonic, sleep

import pytest

from modwire import ModbusError
from modwire_sync import TcpClient
from store_servers import PATIENCE, ModbusServer, StoreServer, modbus_servers

WRITES = 10_000 if os.environ.get("MODWIRE_STORES_FULL", "") not in ("", "0") else 800
TIMEOUT = 600 if WRITES == 10_000 else 60


class Writer(Thread):
    """Writes 1 to register 0, 2 to register 1 and so on; tells when half of that is done."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.half_done = Event()
        self.failures = 0
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            with TcpClient("127.0.0.1", self.port, timeout=PATIENCE) as client:
                for number in range(WRITES):
                    self._write(client, number)
                    if number == WRITES // 2:
                        self.half_done.set()
        except BaseException as error:  # noqa: BLE001 - the test's thread raises it
            self.error = error
            self.half_done.set()

    def _write(self, client: TcpClient, number: int) -> None:
        give_up = monotonic() + PATIENCE
        while True:
            try:
                client.write_register(number, number + 1)
                return
            except ModbusError:
                assert monotonic() < give_up, "nothing can be written any more"
                self.failures += 1
                sleep(0.005)


def check(port: int, kill: Callable[[], object], start: Callable[[], object]) -> None:
    """Kill in the middle of the writes, start again, and look for every one of them."""
    writer = Writer(port)
    writer.start()
    assert writer.half_done.wait(TIMEOUT)
    kill()
    try:
        assert writer.is_alive(), "it was too late: all was written"
    finally:
        start()
    writer.join(TIMEOUT)
    assert not writer.is_alive()
    if writer.error is not None:
        raise writer.error
    # A write that was acknowledged is not repeated, so a register that was lost stays 0.
    assert writer.failures, "nobody noticed"
    with TcpClient("127.0.0.1", port, timeout=PATIENCE) as client:
        found: list[int] = []
        while len(found) < WRITES:
            found += client.read_holding_registers(len(found), min(100, WRITES - len(found)))
    lost = [number for number, value in enumerate(found, 1) if value != number]
    assert not lost, f"{len(lost)} acknowledged writes are lost, the first is {lost[0]}"


@pytest.mark.timeout(TIMEOUT)
@pytest.mark.parametrize("kind", ["redis", "postgresql"])
def test_a_database_is_killed(kind: str, name: str, request: pytest.FixtureRequest) -> None:
    server: StoreServer = request.getfixturevalue(
        "redis_server" if kind == "redis" else "postgres_server"
    )
    with modbus_servers(server.url, name, 1) as (modbus,):
        check(modbus.port, server.kill, server.start)


@pytest.mark.timeout(TIMEOUT)
def test_a_server_process_is_killed(url: str, name: str) -> None:
    server = ModbusServer(url, name)
    try:
        server.start()
        check(server.port, server.kill, server.start)
    finally:
        server.kill()

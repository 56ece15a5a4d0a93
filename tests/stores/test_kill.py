"""`kill -9` in the middle of writes: no acknowledged write is lost.

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

pytestmark = pytest.mark.long

WRITES = 10_000 if os.environ.get("MODWIRE_STORES_FULL", "") not in ("", "0") else 800
TIMEOUT = 600

Send = Callable[[TcpClient, int], object]


def write_one(client: TcpClient, number: int) -> None:
    """Write 1 to register 0, 2 to register 1 and so on."""
    client.write_register(number, number + 1)


def write_ten(client: TcpClient, number: int) -> None:
    """Write 1 to ten registers, then 2 to the same ones and so on, by function 23."""
    assert client.read_write_registers(0, 10, 0, [number + 1] * 10) == [number + 1] * 10


class Writer(Thread):
    """Sends `WRITES` requests, each until it is acknowledged.

    `half_done` is set after half of them. The last one waits for `killed`, so that the writer
    cannot end before the kill. `noticed` is set when a write has failed.
    """

    def __init__(self, port: int, send: Send) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.send = send
        self.half_done, self.killed, self.noticed = Event(), Event(), Event()
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            with TcpClient("127.0.0.1", self.port, timeout=PATIENCE) as client:
                for number in range(WRITES):
                    if number == WRITES - 1:
                        assert self.killed.wait(TIMEOUT)
                    self._write(client, number)
                    if number == WRITES // 2:
                        self.half_done.set()
        except BaseException as error:  # noqa: BLE001 - the test's thread raises it
            self.error = error
            self.half_done.set()
            self.noticed.set()

    def _write(self, client: TcpClient, number: int) -> None:
        give_up = monotonic() + PATIENCE
        while True:
            try:
                self.send(client, number)
                return
            except ModbusError:
                assert monotonic() < give_up, "nothing can be written any more"
                self.noticed.set()
                sleep(0.005)


def write(port: int, send: Send, kill: Callable[[], object], start: Callable[[], object]) -> None:
    """Kill in the middle of the writes, and start again."""
    writer = Writer(port, send)
    writer.start()
    assert writer.half_done.wait(TIMEOUT)
    kill()
    writer.killed.set()
    try:
        assert writer.noticed.wait(TIMEOUT)
    finally:
        start()
    writer.join(TIMEOUT)
    assert not writer.is_alive()
    if writer.error is not None:
        raise writer.error


def check(port: int, kill: Callable[[], object], start: Callable[[], object]) -> None:
    """Check that every write is there."""
    # An acknowledged write is not repeated, so a lost register stays 0.
    write(port, write_one, kill, start)
    with TcpClient("127.0.0.1", port, timeout=PATIENCE) as client:
        found: list[int] = []
        while len(found) < WRITES:
            found += client.read_holding_registers(len(found), min(100, WRITES - len(found)))
    lost = [number for number, value in enumerate(found, 1) if value != number]
    assert not lost, f"{len(lost)} acknowledged writes are lost, the first is {lost[0]}"


@pytest.mark.timeout(TIMEOUT)
def test_a_database_is_killed(server: StoreServer, name: str) -> None:
    with modbus_servers(server.url, name, 1) as (modbus,):
        check(modbus.port, server.kill, server.start)


@pytest.mark.timeout(TIMEOUT)
def test_function_23_is_done_as_a_whole_or_not_at_all(server: StoreServer, name: str) -> None:
    """Other clients that read before and after the kill never see half of a write."""
    with modbus_servers(server.url, name, 1) as (modbus,):
        over = Event()
        torn: list[list[int]] = []

        def look() -> None:
            last = 0
            with TcpClient("127.0.0.1", modbus.port, timeout=PATIENCE) as client:
                while not over.is_set():
                    try:
                        found = client.read_holding_registers(0, 10)
                    except ModbusError:
                        continue
                    if len(set(found)) > 1 or found[0] < last:
                        torn.append(found)
                    last = found[0]

        reader = Thread(target=look, daemon=True)
        reader.start()
        try:
            write(modbus.port, write_ten, server.kill, server.start)
        finally:
            over.set()
            reader.join(PATIENCE)
        assert not torn
        with TcpClient("127.0.0.1", modbus.port, timeout=PATIENCE) as client:
            assert client.read_holding_registers(0, 10) == [WRITES] * 10


@pytest.mark.timeout(TIMEOUT)
def test_a_server_process_is_killed(url: str, name: str) -> None:
    server = ModbusServer(url, name)
    try:
        server.start()
        check(server.port, server.kill, server.start)
    finally:
        server.kill()

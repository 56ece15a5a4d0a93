"""`modwire poll` is killed with SIGKILL, again and again, while its broker or database is away.

With MODWIRE_FULL=1 it is away for a minute, with ten kills meanwhile; else as short as possible.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from time import monotonic

import pytest

from brokers import INSTALL, MOSQUITTO, Mosquitto, Subscriber
from modwire import SequentialBlock, Unit, Units
from modwire_command import started
from modwire_sync import TcpServer
from modwire_tools.poll.sinks.mqtt import MqttSink
from modwire_tools.poll.sinks.sql import SqlSink
from store_servers import POSTGRES, PostgresServer

pytestmark = pytest.mark.timeout(600)
Peer = Callable[[str, bool, str], None]
PATIENCE = 100.0  # seconds
FULL = os.environ.get("MODWIRE_FULL", "") not in ("", "0")
AWAY = 60.0 if FULL else 0.0  # seconds, at least
KILLS = 10 if FULL else 5  # while it is there, and while it is away


class CountingDevice:
    """A device that answers each request with the next number, and knows the last one."""

    def __init__(self) -> None:
        self.last = 0
        self._answered = threading.Condition()
        self.block = _Counting(self)

    def next(self) -> int:
        with self._answered:
            self.last += 1
            self._answered.notify_all()
            return self.last

    def wait_for(self, count: int) -> None:
        """Wait until so many more requests were answered."""
        give_up = monotonic() + PATIENCE
        with self._answered:
            wanted = self.last + count
            while self.last < wanted:
                assert self._answered.wait(give_up - monotonic()), "it is not asked any more"


class _Counting(SequentialBlock):
    def __init__(self, device: CountingDevice) -> None:
        super().__init__(0, [0])
        self._device = device

    def read(self, address: int, count: int) -> list[int]:  # type: ignore[override]
        return [self._device.next()]


@contextmanager
def counting() -> Iterator[tuple[CountingDevice, int]]:
    device = CountingDevice()
    units = Units.single(Unit(holding_registers=device.block))
    with TcpServer(units, ("127.0.0.1", 0)) as server:
        yield device, server.address[1]


def plant(folder: Path, port: int, sink: str) -> Path:
    file = folder / "plant.toml"
    file.write_text(f"""
[spool]
file = "values.spool"
[[device]]
name = "counter"
endpoint = "tcp://127.0.0.1:{port}"
interval = "10ms"
point = [{{ name = "count", at = "hr:0" }}]
[[sink]]
{sink}
""")
    return file


def poll_and_kill(file: Path, device: CountingDevice, seconds: float = 0.0) -> set[int]:
    """Kill the poller a few times in `seconds`; return the numbers that it got at a kill.

    It may not have stored them. Only when it polls, it is killed.
    """
    lost: set[int] = set()
    for _ in range(KILLS):
        with started("poll", file) as command:
            until = monotonic() + seconds / KILLS
            device.wait_for(20)
            while monotonic() < until:
                device.wait_for(1)
            command.child.kill()
            command.child.wait()
            lost.add(device.last)
    return lost


def check(found: list[int], last: int, lost: set[int], most: int) -> None:
    """Check that each number came, in order; those of a reading that was cut off are excused.

    Those that were on their way, at most `most`, come twice: after each kill while the broker is
    there, and when it goes. While it is away, none is on its way.
    """
    missing = set(range(1, last)) - set(found)
    assert missing <= lost
    first = list(dict.fromkeys(found))
    assert first == sorted(first)
    repeated = len(found) - len(first)
    assert repeated <= (KILLS + 1) * most
    print(f"{last} read, {len(missing)} at a kill and not stored, {repeated} came twice")


def test_mqtt(require_peer: Peer, tmp_path: Path) -> None:
    require_peer("mosquitto", MOSQUITTO is not None, INSTALL)
    broker = Mosquitto()
    try:
        broker.start()
        subscriber = Subscriber(broker.port, "plant/counter/count")
        with counting() as (device, port):
            file = plant(tmp_path, port, f'mqtt = "{broker.url}"')
            lost = poll_and_kill(file, device)  # the broker is there
            broker.stop()
            lost |= poll_and_kill(file, device, AWAY)
            broker.start()
            with started("poll", file) as command:
                device.wait_for(20)
                last = device.last
                subscriber.until(lambda all_: any(each.value > last for each in all_[-5:]))
                command.child.terminate()
                assert command.wait() == 0
        subscriber.until(lambda all_: all_[-1].value >= last)
        values = [int(json.loads(each.payload)["value"]) for each in subscriber.messages]
        subscriber.close()
    finally:
        broker.close()
    check(values, last, lost, MqttSink.most)


def test_postgresql(require_peer: Peer, tmp_path: Path) -> None:
    require_peer("PostgreSQL", POSTGRES is not None, "apt-get install postgresql")
    require_peer("psycopg", find_spec("psycopg") is not None, "pip install psycopg[binary]")
    import psycopg

    server = PostgresServer()

    def values() -> list[int]:
        with psycopg.connect(server.url) as connection:
            query = "SELECT value FROM readings ORDER BY id"
            return [int(each[0]) for each in connection.execute(query).fetchall()]

    try:
        server.start()
        with counting() as (device, port):
            file = plant(tmp_path, port, f'sql = "{server.url}"')
            lost = poll_and_kill(file, device)
            with server.down():
                lost |= poll_and_kill(file, device, AWAY)
            with started("poll", file) as command:
                device.wait_for(20)
                last = device.last
                give_up = monotonic() + PATIENCE
                while values()[-1] <= last:
                    assert monotonic() < give_up, command.text
                    device.wait_for(5)
                command.child.terminate()
                assert command.wait() == 0
        found = values()
    finally:
        server.close()
    check(found, last, lost, SqlSink.most)

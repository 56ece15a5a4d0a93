"""The programs of examples/stores serve the values that other programs write to the store."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import pytest
from redis import Redis

from modwire_sync import TcpClient
from programs import PATIENCE, changed, free_port, serving
from store_servers import RedisServer

# Starting servers takes seconds on a busy machine.
pytestmark = pytest.mark.timeout(300)

EXAMPLES = Path(__file__).parents[2] / "examples" / "stores"


def example(name: str, tmp_path: Path, changes: dict[str, str]) -> Path:
    """A copy of an example with other numbers in it."""
    source = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    return changed(source, changes, tmp_path / f"{name}.py")


def test_every_program_is_run_by_a_test() -> None:
    programs = {path.stem for path in EXAMPLES.glob("*.py")}
    assert programs == {"redis_server", "sql_server", "reuse_port"}


def test_a_program_sets_the_voltage_in_redis(redis_server: RedisServer, tmp_path: Path) -> None:
    port = free_port()
    changes = {"5020": str(port), "127.0.0.1:6379": f"127.0.0.1:{redis_server.port}"}
    with (
        serving(example("redis_server", tmp_path, changes), port) as process,
        Redis.from_url(redis_server.url) as redis,
        TcpClient("127.0.0.1", port, timeout=PATIENCE) as client,
    ):
        redis.execute_command("BITFIELD", "meter:input_registers", "SET", "u16", "#0", 2304)
        assert client.read_input_registers(0) == [2304]
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0


def test_a_program_reads_the_values_in_sqlite(tmp_path: Path) -> None:
    port = free_port()
    path = tmp_path / "meter.db"
    changes = {"5020": str(port), "meter.db": str(path)}
    with (
        serving(example("sql_server", tmp_path, changes), port) as process,
        TcpClient("127.0.0.1", port, timeout=PATIENCE) as client,
    ):
        client.write_registers(0, [15, 40])
        database = sqlite3.connect(path)
        try:
            rows = database.execute("SELECT block, address, value FROM meter ORDER BY address")
            assert rows.fetchall() == [("holding_registers", 0, 15), ("holding_registers", 1, 40)]
        finally:
            database.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0


def test_two_processes_serve_one_port(redis_server: RedisServer, tmp_path: Path) -> None:
    port = free_port()
    changes = {"5020": str(port), "127.0.0.1:6379": f"127.0.0.1:{redis_server.port}"}
    script = example("reuse_port", tmp_path, changes)
    group = subprocess.Popen([sys.executable, str(script), "2"], start_new_session=True)
    try:
        give_up = monotonic() + PATIENCE
        with Redis.from_url(redis_server.url) as redis:
            clients: set[str] = set()
            # Connections go to either process, so finally both connect to Redis.
            while len(clients) < 2:
                assert monotonic() < give_up, "only one process has served"
                client = TcpClient("127.0.0.1", port, timeout=PATIENCE)
                try:
                    client.connect()
                    client.mask_write_register(0, 0xFFFE, 1)
                except ConnectionError:
                    sleep(0.02)
                finally:
                    client.close()
                own = redis.client_id()
                clients = {c["id"] for c in redis.client_list() if c["id"] != str(own)}
            found = redis.execute_command("BITFIELD", "plant:holding_registers", "GET", "u16", "#0")
            assert found == [1]
    finally:
        os.killpg(group.pid, signal.SIGKILL)
        group.wait()

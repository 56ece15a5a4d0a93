"""If a store is down, clients get 04 and it is logged; when it is back, the values are there."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from time import monotonic

import pytest

from modwire import ServerDeviceFailureError, Unit, Units
from modwire_stores import RedisStore, StoreUnit, redis_unit, sql_unit
from modwire_sync import TcpClient, TcpServer
from store_servers import PATIENCE, PostgresServer, RedisServer, StoreServer

# Starting servers takes seconds on a busy machine.
pytestmark = pytest.mark.timeout(300)


def open_unit(server: StoreServer, name: str, timeout: float = PATIENCE) -> StoreUnit:
    return open_url(server.url, name, timeout)


def open_url(url: str, name: str, timeout: float = PATIENCE) -> StoreUnit:
    make: Callable[..., StoreUnit] = redis_unit if url.startswith("redis") else sql_unit
    return make(url, name, timeout=timeout)


def test_a_store_that_went_down_comes_back_with_its_values(
    server: StoreServer, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "modwire.stores")
    with (
        open_unit(server, name) as unit,
        TcpServer(Units.single(unit), ("127.0.0.1", 0)) as modbus,
        TcpClient(*modbus.address, timeout=PATIENCE) as client,
    ):
        client.write_registers(0, [1, 2, 3])
        with server.down():
            for _ in range(3):
                with pytest.raises(ServerDeviceFailureError):
                    client.read_holding_registers(0, 3)
                with pytest.raises(ServerDeviceFailureError):
                    client.write_register(0, 9)
        assert client.read_holding_registers(0, 3) == [1, 2, 3]
        client.mask_write_register(0, 0, 7)
        assert client.read_write_registers(0, 3, 1, [8]) == [7, 8, 3]
    entries = [r for r in caplog.records if r.name == "modwire.stores"]
    assert [r.levelname for r in entries] == ["ERROR", "WARNING"], caplog.text
    assert f"127.0.0.1:{server.port}" in caplog.text


def test_a_restart_while_nobody_asks_is_not_noticed(server: StoreServer, name: str) -> None:
    with open_unit(server, name) as unit:
        unit.holding_registers.write(5, [55])
        server.kill()
        server.start()
        assert list(unit.holding_registers.read(5, 1)) == [55]


def test_a_store_that_hangs_fails_in_time(server: StoreServer, name: str) -> None:
    with open_unit(server, name, timeout=3) as unit:
        unit.holding_registers.write(0, [1])
        with server.paused():
            for _ in range(2):  # on the existing connection, and on a new one
                started = monotonic()
                with pytest.raises(ServerDeviceFailureError):
                    unit.holding_registers.write(0, [2])
                assert monotonic() - started < 30
        unit.holding_registers.write(1, [3])
        assert unit.holding_registers.read(1, 1)[0] == 3


def test_a_store_need_not_be_up_when_the_unit_is_made(
    postgres_server: PostgresServer, name: str
) -> None:
    postgres_server.kill()
    try:
        with open_unit(postgres_server, name) as unit:
            with pytest.raises(ServerDeviceFailureError):
                unit.coils.read(0, 1)
            postgres_server.start()
            unit.coils.write(0, [True])
            assert unit.coils.read(0, 1)[0]
    finally:
        if not postgres_server.is_up():
            postgres_server.start()


def test_a_sqlite_file_that_is_locked_fails_in_time(tmp_path: Path) -> None:
    path = tmp_path / "registers.db"
    with sql_unit(str(path), timeout=0.2) as unit:
        unit.holding_registers.write(0, [1])
        other = sqlite3.connect(path, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(ServerDeviceFailureError, match="locked"):
                unit.holding_registers.write(0, [2])
            assert unit.holding_registers.read(0, 1)[0] == 1
            other.execute("ROLLBACK")
        finally:
            other.close()
        unit.holding_registers.write(0, [3])
        assert unit.holding_registers.read(0, 1)[0] == 3


def test_a_file_that_is_no_database_is_told_in_one_sentence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "report.txt"
    path.write_text("no database " * 100)
    with sql_unit(path, "meter") as unit:
        for _ in range(2):
            with pytest.raises(ServerDeviceFailureError, match="failed: file is not a database$"):
                unit.holding_registers.read(0, 1)
        assert repr(unit) == f"<StoreUnit in <SqlStore table meter of sqlite:///{path}, down>>"
    assert caplog.text.count("file is not a database") == 1, caplog.text
    assert path.read_text() == "no database " * 100


def test_a_table_that_was_dropped_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "registers.db"
    with sql_unit(str(path), "meter") as unit:
        unit.holding_registers.write(0, [1])
        other = sqlite3.connect(path, isolation_level=None)
        try:
            other.execute("DROP TABLE meter")
        finally:
            other.close()
        with pytest.raises(ServerDeviceFailureError):
            unit.holding_registers.write(0, [2])
        unit.holding_registers.write(0, [3])
        assert unit.holding_registers.read(0, 1)[0] == 3


def test_a_table_that_cannot_be_made_is_told_at_once(
    postgres_server: PostgresServer, name: str
) -> None:
    """Retries until the timeout would block a thread of the server for each request."""
    with sql_unit(postgres_server.url, f"nowhere.{name}", timeout=PATIENCE) as unit:
        started = monotonic()
        with pytest.raises(Exception, match='schema "nowhere" does not exist'):
            unit.coils.read(0, 1)
        assert monotonic() - started < PATIENCE / 3
        assert not unit.store.is_down


def test_several_make_the_table_at_the_same_time(url: str, name: str) -> None:
    start = Barrier(6)

    def work(number: int) -> None:
        with open_url(url, name) as unit:
            start.wait(PATIENCE)
            unit.holding_registers.write(number, [number + 1])

    with ThreadPoolExecutor(6) as pool:
        for job in [pool.submit(work, number) for number in range(6)]:
            job.result()
    with open_url(url, name) as unit:
        assert list(unit.holding_registers.read(0, 6)) == [1, 2, 3, 4, 5, 6]


def test_a_key_of_another_type_is_no_outage(
    redis_server: RedisServer, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = RedisStore(redis_server.url)
    with redis_unit(redis_server.url, name) as unit, store:
        store.redis.lpush(f"{name}:holding_registers", "x")
        with (
            TcpServer(Units.single(unit), ("127.0.0.1", 0)) as modbus,
            TcpClient(*modbus.address, timeout=PATIENCE) as client,
        ):
            with pytest.raises(ServerDeviceFailureError):
                client.read_holding_registers(0)
            assert client.read_input_registers(0) == [0]
    assert "WRONGTYPE" in caplog.text
    assert "is down" not in caplog.text


def test_other_programs_find_the_values(
    redis_server: RedisServer, tmp_path: Path, name: str
) -> None:
    store = RedisStore(redis_server.url)
    with redis_unit(redis_server.url, name) as unit, store:
        unit.coils.write(11, [True])
        unit.holding_registers.write(3, [2301])
        assert store.redis.getbit(f"{name}:coils", 11) == 1
        fields = store.redis.bitfield(f"{name}:holding_registers").get("u16", "#3").execute()
        assert fields == [2301]
        store.redis.setbit(f"{name}:discrete_inputs", 4, 1)
        assert list(map(bool, unit.discrete_inputs.read(3, 3))) == [False, True, False]
    path = tmp_path / "registers.db"
    with sql_unit(str(path), "meter", prefix="house/") as unit:
        unit.coils.write(11, [True])
        unit.holding_registers.write(3, [2301])
        other = sqlite3.connect(path)
        try:
            rows = other.execute("SELECT block, address, value FROM meter ORDER BY block")
            assert rows.fetchall() == [("house/coils", 11, 1), ("house/holding_registers", 3, 2301)]
        finally:
            other.close()


def test_units_in_stores_are_executed_where_waiting_is_allowed(tmp_path: Path) -> None:
    with sql_unit(str(tmp_path / "registers.db")) as unit:
        assert isinstance(unit, Unit)
        assert unit.blocking
        assert not any(
            block.plain_reads
            for block in (unit.coils, unit.discrete_inputs, unit.holding_registers)
        )


def _after_a_loss(unit: StoreUnit, lose: Callable[[], object]) -> None:
    """Check that the loss is an exception 04 once, and that what is written then is kept."""
    unit.holding_registers.write(0, [1, 2, 3])
    unit.coils.write(0, [True] * 20)
    lose()
    with pytest.raises(ServerDeviceFailureError, match="are lost"):
        unit.holding_registers.read(0, 3)
    with pytest.raises(ServerDeviceFailureError, match="are lost"):
        unit.coils.read(0, 20)
    unit.holding_registers.write(1, [7])
    assert list(unit.holding_registers.read(0, 3)) == [0, 7, 0]
    unit.holding_registers.mask_write(0, 0, 9)  # by a script, which Redis has forgotten too
    assert list(unit.holding_registers.read(0, 1)) == [9]
    lose()
    with pytest.raises(ServerDeviceFailureError, match="are lost"):
        unit.holding_registers.write(0, [8])


def test_a_redis_that_was_flushed_is_noticed(
    redis_server: RedisServer, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    from redis import Redis

    with Redis.from_url(redis_server.url) as owner, redis_unit(redis_server.url, name) as unit:
        _after_a_loss(unit, lambda: (owner.flushall(), owner.script_flush()))
    assert caplog.text.count("are lost") == 1, caplog.text


def test_a_redis_that_restarts_without_its_values_is_noticed(
    redis_server: RedisServer, name: str
) -> None:
    def start_anew() -> None:
        redis_server.kill()
        for each in redis_server.folder.glob("appendonly*"):
            shutil.rmtree(each) if each.is_dir() else each.unlink()
        redis_server.start()

    with redis_unit(redis_server.url, name, timeout=PATIENCE) as unit:
        _after_a_loss(unit, start_anew)


@pytest.mark.parametrize(
    ("refuse", "allow", "word"),
    [
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "replica"),
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "memory"),
        ("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0", "NOREPLICAS"),
    ],
)
def test_a_redis_that_refuses_writes_is_an_outage(
    redis_server: RedisServer, name: str, refuse: str, allow: str, word: str
) -> None:
    """A full disk, a full memory and a failover must not be logged with a traceback each time."""
    from redis import Redis

    with Redis.from_url(redis_server.url) as owner, redis_unit(redis_server.url, name) as unit:
        unit.holding_registers.write(0, [1])
        unit.holding_registers.mask_write(0, 0, 2)
        owner.execute_command(*refuse.split())
        try:
            for act in (
                lambda: unit.holding_registers.write(0, [5]),
                lambda: unit.coils.write(0, [True]),
                lambda: unit.holding_registers.mask_write(0, 0, 4),
                lambda: unit.holding_registers.write_read_registers(0, b"\0\7", 0, 1),
            ):
                with pytest.raises(ServerDeviceFailureError, match=word):
                    act()
        finally:
            owner.execute_command(*allow.split())
        assert list(unit.holding_registers.read(0, 1)) == [2]
        unit.holding_registers.write(0, [3])
        assert list(unit.holding_registers.read(0, 1)) == [3]

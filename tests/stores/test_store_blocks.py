"""Each store keeps the writes of a client, like a unit in memory, and shares them."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from modwire import Block, SequentialBlock, ServerDeviceFailureError, Unit
from modwire.messages import (
    MaskWriteRegisterRequest,
    ReadCoilsRequest,
    ReadDiscreteInputsRequest,
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    ReadWriteMultipleRegistersRequest,
    WriteMultipleCoilsRequest,
    WriteMultipleRegistersRequest,
    WriteSingleCoilRequest,
    WriteSingleRegisterRequest,
)
from modwire_stores import (
    RedisBlock,
    RedisStore,
    SqlBlock,
    SqlStore,
    StoreUnit,
    redis_unit,
    sql_unit,
)

# Starting servers takes seconds on a busy machine.
pytestmark = pytest.mark.timeout(300)

if TYPE_CHECKING:
    from modwire.messages.base import AnyRequest

MakeUnit = Callable[..., StoreUnit]


def memory(size: int) -> Unit:
    return Unit(*(SequentialBlock(0, [0] * size) for _ in range(4)))


def random_request(rng: random.Random, size: int) -> AnyRequest:
    """Return any request for a table; some are past the end."""
    at = rng.randrange(size)
    most = min(120, size + 2 - at)
    count = rng.randint(1, most)
    words = [rng.randrange(0x10000) for _ in range(count)]
    bits = [rng.random() < 0.5 for _ in range(count)]
    to = rng.randrange(size)
    return rng.choice(
        [
            lambda: ReadCoilsRequest(at, count),
            lambda: ReadDiscreteInputsRequest(at, count),
            lambda: ReadHoldingRegistersRequest(at, count),
            lambda: ReadInputRegistersRequest(at, count),
            lambda: WriteSingleCoilRequest(at, bits[0]),
            lambda: WriteSingleRegisterRequest(at, words[0]),
            lambda: WriteMultipleCoilsRequest(at, bits),
            lambda: WriteMultipleRegistersRequest(at, words),
            lambda: MaskWriteRegisterRequest(at, words[0], words[-1]),
            lambda: ReadWriteMultipleRegistersRequest(to, min(count, size + 1 - to), at, words),
        ]
    )()


def test_every_answer_is_that_of_a_unit_in_memory(make_unit: MakeUnit) -> None:
    size = 200
    stored, model = make_unit(addresses=range(size)), memory(size)
    rng = random.Random(4)
    for _ in range(300):
        request = random_request(rng, size)
        answer, wanted = stored.execute(request), model.execute(request)
        assert answer is not None
        assert wanted is not None
        assert answer.encode() == wanted.encode(), request


def test_another_process_sees_what_was_written(make_unit: MakeUnit) -> None:
    one, other = make_unit(), make_unit()
    one.holding_registers.write(65530, [1, 2, 3, 4, 5, 0xFFFF])
    one.coils.write(65533, [True, False, True])
    assert list(other.holding_registers.read(65530, 6)) == [1, 2, 3, 4, 5, 0xFFFF]
    assert other.coils.read_bits(65533, 3) == b"\x05"


def test_the_largest_requests_fit(unit: StoreUnit) -> None:
    bits = [bool(at % 3) for at in range(1968)]
    unit.coils.write(5, bits)
    assert list(map(bool, unit.coils.read(5, 1968))) == bits
    answer = unit.execute(ReadWriteMultipleRegistersRequest(1000, 125, 1010, list(range(121))))
    assert answer is not None
    assert answer.encode()[22:] == b"".join(at.to_bytes(2, "big") for at in range(115))


def test_the_owner_sets_what_clients_may_not_write(unit: StoreUnit) -> None:
    block = unit.input_registers
    assert isinstance(block, (RedisBlock, SqlBlock))
    block[7:10] = [1, 2, 3]
    block[8] = 50
    assert (block[8], block[7:11], block[3:3]) == (50, (1, 50, 3, 0), ())
    answer = unit.execute(ReadInputRegistersRequest(7, 3))
    assert answer is not None
    assert answer.encode() == bytes.fromhex("0406 0001 0032 0003")
    with pytest.raises(IndexError):
        block[65536]
    with pytest.raises(ValueError, match=r"value at address 8 must be 0\.\.65535, got 70000"):
        block[7:9] = [1, 70000]
    with pytest.raises(ValueError, match=r"value at address 7 must be 0\.\.65535, got None"):
        block[7] = None  # type: ignore[call-overload]
    assert block[7] == 1


@pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)
def test_a_table_may_have_any_name_that_can_be_quoted(url: str) -> None:
    for table in ("select", "a b", '"q"', "x'; --", "Zähler", "{table}", "x" * 63):
        with sql_unit(url, table) as unit:
            assert unit.execute(MaskWriteRegisterRequest(3, 0, 9)) is not None
            answer = unit.execute(ReadWriteMultipleRegistersRequest(3, 2, 4, [5]))
            assert answer is not None
            assert answer.encode() == bytes.fromhex("17 04 0009 0005"), table


def test_an_address_outside_is_refused_before_anything_is_done(make_unit: MakeUnit) -> None:
    unit = make_unit(addresses=range(10, 20))
    unit.holding_registers.write(10, [9] * 10)
    for request in (
        WriteMultipleRegistersRequest(18, [1, 1, 1]),
        WriteMultipleRegistersRequest(9, [1]),
        ReadWriteMultipleRegistersRequest(18, 3, 10, [1]),
        MaskWriteRegisterRequest(20, 0, 1),
    ):
        answer = unit.execute(request)
        assert answer is not None
        assert answer.encode()[1:] == b"\x02", request
    assert list(unit.holding_registers.read(10, 10)) == [9] * 10


def test_an_override_of_write_sees_every_function(url: str, name: str) -> None:
    seen: list[tuple[int, list[int]]] = []

    def overridden(base: type[RedisBlock] | type[SqlBlock]) -> type:
        class Watched(base):  # type: ignore[valid-type, misc]
            def write(self, address: int, values: list[int]) -> None:
                seen.append((address, list(values)))
                super().write(address, values)

        return Watched

    block: Block
    if url.startswith("redis"):
        store = RedisStore(url)
        block = overridden(RedisBlock)(store, name)
    else:
        store = SqlStore(url, name)
        block = overridden(SqlBlock)(store, "holding_registers")
    with store:
        unit = Unit(holding_registers=block, blocking=True)
        unit.execute(WriteMultipleRegistersRequest(1, [1, 2]))
        unit.execute(MaskWriteRegisterRequest(1, 0, 8))
        unit.execute(ReadWriteMultipleRegistersRequest(1, 1, 2, [5]))
        assert list(block.read(1, 2)) == [8, 5]
    assert seen == [(1, [1, 2]), (1, [8]), (2, [5])]


def test_what_cannot_be_a_store_is_refused() -> None:
    for url in ("sqlite://", "", "sqlite:///file:x?mode=memory&uri=true"):
        with pytest.raises(ValueError, match="SQLite must have a file"):
            SqlStore(url)
    with pytest.raises(ValueError, match="table must be a name or schema.name, got 'a.'"):
        SqlStore("registers.db", "a.")
    for table in ("a:b", "50%", "a\\b", "a\0b", "x" * 64):
        with pytest.raises(ValueError, match="up to 63 printable characters without % : and"):
            SqlStore("registers.db", table)
    for prefix in ("\0", "x" * 60):
        with pytest.raises(ValueError, match=r"name must have 1\.\.64 printable characters"):
            sql_unit("registers.db", prefix=prefix)
    with pytest.raises(ValueError, match="timeout must be more than 0 seconds, at most 1e6, got 0"):
        SqlStore("registers.db", timeout=0)
    with pytest.raises(ValueError, match="addresses must be in 0..65535"):
        sql_unit("registers.db", addresses=range(0x10001))
    with pytest.raises(ValueError, match="decode_responses"):
        RedisStore("redis://127.0.0.1/0?decode_responses=true")
    with pytest.raises(TypeError, match="redis must be a URL or a redis.Redis, got int"):
        RedisStore(5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="prefix must be a string .*, got ''"):
        redis_unit("redis://x", "")
    with pytest.raises(
        ValueError, match="timeout must be more than 0 seconds, at most 1e6, got '3'"
    ):
        redis_unit("redis://x", "y", timeout="3")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://:s3cret@x", "redis must be a URL, redis://host:6379/0, .*, got http://"),
        ("s3cret@x", "redis must be a URL, redis://host:6379/0, .*, got no scheme"),
        ("redis://:s3cret@x:port/0", r"the port in the URL of Redis must be 0\.\.65535"),
        ("redis://:s3cret@x/meter", "the database .* must be a number, got 'meter'"),
        ("unix:///run/redis.sock?db=meter", "the database .* must be a number, got 'meter'"),
        ("redis://:s3cret@x?port_=1", "URL of Redis has a wrong option: .*'port_'"),
    ],
)
def test_a_wrong_url_of_redis_says_what_is_allowed(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        redis_unit(url, "meter")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("post gres://u:s3cret@x", "database must be a path or a URL such as postgresql://user@"),
        ("postgresql://u:s3cret@x:port/y", "database must be a path or a URL"),
        ("mysql://u:s3cret@x/y", "database must be one of sqlite, .*psycopg, got mysql: give an"),
        ("postgresql+asyncpg://u:s3cret@x/y", "database must be one of .*, got postgresql.asyncpg"),
        ("redis://x", "database must be one of .*, got redis"),
    ],
)
def test_a_wrong_url_of_a_database_says_what_is_allowed(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        sql_unit(url)
    assert "s3cret" not in str(caught.value)


def test_a_path_is_a_sqlite_file(tmp_path: Path) -> None:
    with sql_unit(tmp_path / "registers.db") as unit:
        unit.coils.write(0, [True])
    assert (tmp_path / "registers.db").is_file()


def test_no_password_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    url = "postgresql://meter:s3cret@127.0.0.1:1/x"
    with sql_unit(url) as unit, pytest.raises(ServerDeviceFailureError) as caught:
        unit.coils.read(0, 1)
    assert "meter" in str(caught.value)
    assert "s3cret" not in str(caught.value) + caplog.text


@pytest.mark.parametrize(
    ("module", "call", "extra"),
    [
        ("redis", "redis_unit('redis://x', 'y')", "redis"),
        ("sqlalchemy", "sql_unit('x.db')", "sql"),
        ("psycopg", "sql_unit('postgres://x/y')", "postgresql"),
    ],
)
def test_a_missing_extra_is_named(module: str, call: str, extra: str) -> None:
    script = f"""
import sys
sys.modules[{module!r}] = None
from modwire_stores import redis_unit, sql_unit
try:
    {call}
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert f'pip install "modwire-stores[{extra}]"' in done.stdout, done.stderr


@pytest.mark.parametrize("wrong", [70000, -1, "text", b"\1", 1.5, float("inf")])
def test_a_wrong_value_of_others_is_named_and_leaves_the_others_alone(
    wrong: object, tmp_path: Path
) -> None:
    """It must not keep a connection to the old file, which would then refuse all writes."""
    path = tmp_path / "plant.db"
    with sql_unit(path) as unit:
        block = unit.holding_registers
        assert isinstance(block, SqlBlock)
        block[0:3] = (1, 2, 3)

        def put(value: object) -> None:
            other = sqlite3.connect(path, isolation_level=None)
            try:
                other.execute("PRAGMA ignore_check_constraints = ON")
                other.execute("UPDATE modwire SET value = ? WHERE address = 1", (value,))
            finally:
                other.close()

        put(wrong)
        with pytest.raises(ValueError, match=r"value at address 1 must be 0\.\.65535, got") as told:
            block.read(0, 3)
        put(7)
        assert block[0:3] == (1, 7, 3)
        block[1] = 8
        assert block[0:3] == (1, 8, 3)
        del told  # with the objects of the failed read


def test_a_damaged_file_is_an_outage(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged once, not for each request."""
    path = tmp_path / "plant.db"
    path.write_bytes(b"junk" * 1000)
    with sql_unit(path) as unit:
        for _ in range(2):
            with pytest.raises(ServerDeviceFailureError, match="file is not a database"):
                unit.coils.read(0, 1)
    assert [record.levelname for record in caplog.records] == ["ERROR"]


@pytest.mark.parametrize("path", ["a\0b", "\ud800"])
def test_a_path_that_no_file_has_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="database must be text in UTF-8 without a NUL"):
        sql_unit(path)


def test_a_reset_sets_all_values_to_zero_in_every_process(make_unit: MakeUnit) -> None:
    unit, other = make_unit(addresses=range(3, 300)), make_unit(addresses=range(3, 300))
    for address in (3, 150, 299):
        unit.execute(WriteSingleRegisterRequest(address, 0xABCD))
        unit.execute(WriteSingleCoilRequest(address, True))
    assert other.holding_registers.read(150, 1)[0] == 0xABCD
    unit.reset()
    for each in (unit, other):
        for block in (each.coils, each.holding_registers):
            assert list(block.read(3, 297)) == [0] * 297
    other.execute(WriteSingleRegisterRequest(150, 5))
    assert unit.holding_registers.read(149, 3)[1] == 5


def test_a_reset_leaves_other_addresses_alone(make_unit: MakeUnit) -> None:
    wide, narrow = make_unit(addresses=range(100)), make_unit(addresses=range(10, 21))
    wide.holding_registers.write(0, [7] * 100)
    wide.coils.write(0, [True] * 100)
    narrow.reset()
    assert list(wide.holding_registers.read(0, 100)) == [7] * 10 + [0] * 11 + [7] * 79
    assert list(wide.coils.read(0, 100)) == [1] * 10 + [0] * 11 + [1] * 79

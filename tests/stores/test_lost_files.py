"""A SQLite file that is deleted, replaced or full: no write is acknowledged that is then gone."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from ast import literal_eval
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from modwire import ServerDeviceFailureError, Units
from modwire_stores import StoreUnit, sql_unit
from modwire_sync import TcpClient, TcpServer
from store_servers import PATIENCE

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.name == "nt", reason="Windows keeps files that are open"),
]


def stored(path: Path) -> dict[int, int]:
    """The holding registers that a new program finds in the file."""
    reader = sqlite3.connect(path)
    try:
        found = reader.execute("SELECT address, value FROM modwire WHERE block LIKE 'hold%'")
        return dict(found.fetchall())
    except sqlite3.DatabaseError:  # no such table, or no database
        return {}
    finally:
        reader.close()


def delete(path: Path) -> None:
    path.unlink()


def delete_all(path: Path) -> None:
    for each in path.parent.iterdir():
        each.unlink()


def delete_log(path: Path) -> None:
    path.with_name(path.name + "-wal").unlink()


def delete_index(path: Path) -> None:
    path.with_name(path.name + "-shm").unlink()


def replace(path: Path) -> None:
    delete_all(path)
    sqlite3.connect(path).close()
    path.touch()


def rename(path: Path) -> None:
    path.rename(path.with_name("archive.db"))


def remove_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def copy_over(path: Path) -> None:
    """Write another, smaller file into the same one, as `cp` does."""
    path.write_bytes(bytes(512))


def link_in_a_circle(path: Path) -> None:
    path.rename(path.with_name("archive.db"))
    path.symlink_to(path)


LOSSES = [delete, delete_all, delete_log, delete_index, replace, rename, remove_folder]
LOSSES += [empty, copy_over, link_in_a_circle]


@pytest.mark.parametrize("lose", LOSSES)
def test_no_write_is_acknowledged_into_a_file_that_has_gone(
    tmp_path: Path, lose: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "data" / "plant.db"
    path.parent.mkdir()
    with (
        sql_unit(path) as unit,
        TcpServer(Units.single(unit), ("127.0.0.1", 0)) as server,
        TcpClient(*server.address, timeout=PATIENCE) as client,
    ):
        client.write_registers(0, [1, 2, 3])
        lose(path)
        with pytest.raises(ServerDeviceFailureError):
            client.write_register(0, 9)
        for number in range(8):
            try:
                client.write_register(number, 20 + number)
            except ServerDeviceFailureError:
                continue
            assert stored(path)[number] == 20 + number
    entries = [each for each in caplog.records if each.name == "modwire.stores"]
    assert entries[0].levelname == "ERROR", caplog.text
    assert "plant.db" in entries[0].getMessage()
    assert re.search(
        "was deleted$|was replaced$|was cut from [0-9]+ to [0-9]+ bytes$|cannot be found: ",
        entries[0].getMessage(),
    )


def test_nothing_is_read_from_a_file_that_has_gone(tmp_path: Path) -> None:
    path = tmp_path / "plant.db"
    with sql_unit(path) as unit:
        unit.holding_registers.write(0, [5])
        delete_all(path)
        for _ in range(2):
            with pytest.raises(ServerDeviceFailureError, match=r"plant\.db was deleted$"):
                unit.holding_registers.read(0, 1)
        assert not path.exists(), "an empty database in its place would read as zeros"


def test_a_file_that_is_restored_is_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, backup = tmp_path / "data" / "plant.db", tmp_path / "backup.db"
    path.parent.mkdir()
    with sql_unit(backup) as unit:
        unit.holding_registers.write(0, [77])
    with sql_unit(path) as unit:
        unit.holding_registers.write(0, [5])
        delete_all(path)
        with pytest.raises(ServerDeviceFailureError):
            unit.holding_registers.write(0, [6])
        shutil.copy(backup, path)
        assert list(unit.holding_registers.read(0, 1)) == [77]
        unit.holding_registers.write(0, [78])
        assert stored(path) == {0: 78}
    assert "is back" in caplog.text


def test_close_lets_a_new_file_be_made(tmp_path: Path) -> None:
    path = tmp_path / "plant.db"
    with sql_unit(path) as unit:
        unit.holding_registers.write(0, [5])
        delete_all(path)
        with pytest.raises(ServerDeviceFailureError):
            unit.holding_registers.write(0, [6])
        unit.close()
        unit.holding_registers.write(0, [7])
        assert stored(path) == {0: 7}


def test_an_engine_of_the_user_is_watched_too(tmp_path: Path) -> None:
    path = tmp_path / "plant.db"
    engine = create_engine(f"sqlite:///{path}")
    with sql_unit(engine) as unit:
        unit.holding_registers.write(0, [5])
        replace(path)
        with pytest.raises(ServerDeviceFailureError, match="was replaced"):
            unit.holding_registers.write(0, [6])
        unit.holding_registers.write(0, [7])
        assert stored(path) == {0: 7}
    engine.dispose()


_FILLS = """
import resource, signal, sys
from modwire import ServerDeviceFailureError
from modwire_stores import sql_unit

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
written = {}
with sql_unit(sys.argv[1]) as unit:
    unit.holding_registers.write(0, [1])
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
    refused = 0
    for address in range(0, 20_000, 100):
        try:
            unit.holding_registers.write(address, [address % 251 + 1] * 100)
        except ServerDeviceFailureError:
            refused += 1
        else:
            written[address] = address % 251 + 1
        unit.holding_registers.read(0, 1)
    assert refused > 100, refused
print(written)
"""


def test_a_full_disk_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "plant.db"
    command = [sys.executable, "-c", _FILLS, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    written: dict[int, int] = literal_eval(done.stdout)
    found = stored(path)
    assert written
    assert {address: found.get(address) for address in written} == written
    # Each read ends the outage, each write begins another: that must not fill the log.
    assert len(done.stderr.splitlines()) <= 4, done.stderr


def test_a_file_that_is_read_only_is_told(tmp_path: Path) -> None:
    path = tmp_path / "plant.db"
    with sql_unit(path) as unit:
        unit.holding_registers.write(0, [5])
    with sql_unit(f"sqlite:///file:{path}?mode=ro&uri=true") as unit:
        with pytest.raises(ServerDeviceFailureError, match="readonly"):
            unit.holding_registers.write(0, [6])
        assert list(unit.holding_registers.read(0, 1)) == [5]


def open_many(path: Path) -> list[StoreUnit]:
    return [sql_unit(path) for _ in range(3)]


def test_every_server_on_the_file_notices(tmp_path: Path) -> None:
    path = tmp_path / "plant.db"
    units = open_many(path)
    try:
        for number, unit in enumerate(units):
            unit.holding_registers.write(number, [number + 1])
        delete_all(path)
        for unit in units:
            with pytest.raises(ServerDeviceFailureError):
                unit.holding_registers.write(5, [9])
    finally:
        for unit in units:
            unit.close()


def test_a_log_says_an_outage_once_a_minute(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "modwire.stores")
    path = tmp_path / "plant.db"
    with sql_unit(path) as unit:
        unit.holding_registers.write(0, [5])
    with sql_unit(f"sqlite:///file:{path}?mode=ro&uri=true") as unit:
        for _ in range(20):
            with pytest.raises(ServerDeviceFailureError):
                unit.holding_registers.write(0, [6])
            unit.holding_registers.read(0, 1)
    assert [each.levelname for each in caplog.records] == ["ERROR", "WARNING"], caplog.text

"""The spool of `modwire poll` on disks that are full or damaged, and its lock."""

from __future__ import annotations

import os
import re
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from modwire_tools.poll.delivery import Store
from modwire_tools.poll.delivery.packing import pack
from spooled import Clock, backlog_at, drained, fill, reading, run


def test_a_full_disk_is_said_and_survived(tmp_path: Path) -> None:
    async def test() -> None:
        told: list[str] = []
        clock = Clock()
        backlog = backlog_at(tmp_path / "s", told, clock, memory=50)
        slow = backlog.cursor("slow")
        store = backlog.store
        assert store is not None
        backlog.append(reading(0))
        database = store._database
        (pages,) = database.execute("PRAGMA page_count").fetchone()
        database.execute(f"PRAGMA max_page_count = {pages}")
        for number in range(1, 300):
            clock.now += 1
            backlog.append(reading(number))
        (text,) = told
        assert "database or disk is full; the newest 50 values are kept in memory" in text
        assert backlog.is_failing
        database.execute("PRAGMA max_page_count = 100000")
        for number in range(300, 310):
            clock.now += 1
            backlog.append(reading(number))
        assert told[1:] == ["the spool works again"]
        assert not backlog.is_failing
        assert slow.waiting + slow.dropped == 310
        found = await drained(slow)
        assert len(found) == 310 - slow.dropped
        # What was on disk, and the newest values, in order.
        assert found == sorted(found)  # type: ignore[type-var]
        assert found[0] == 0
        assert found[-50:] == list(range(260, 310))
        backlog.close()

    run(test)


def test_a_full_disk_is_tried_once_a_second(tmp_path: Path) -> None:
    """Each try costs time, in which no device is asked."""

    async def test() -> None:
        clock = Clock()
        backlog = backlog_at(tmp_path / "s", clock=clock)
        backlog.cursor("slow")
        store = backlog.store
        assert store is not None
        fill(store)
        number = 0
        while not backlog.is_failing:
            backlog.append(reading(number))
            number += 1
        fill(store, 1000)
        for _ in range(50):
            clock.now += 0.01
            backlog.append(reading(number))
            number += 1
        assert backlog.is_failing
        clock.now += 1
        backlog.append(reading(number))
        assert not backlog.is_failing
        assert store.count(0) == number + 1
        backlog.close()

    run(test)


def test_an_almost_full_disk_takes_a_part_and_the_end_takes_the_rest(tmp_path: Path) -> None:
    async def test() -> None:
        clock = Clock()
        backlog = backlog_at(tmp_path / "s", clock=clock)
        backlog.cursor("slow")
        store = backlog.store
        assert store is not None
        fill(store)
        for number in range(3000):
            backlog.append(reading(number))
        assert backlog.is_failing
        saved = store.count(0)
        fill(store, 10)
        clock.now += 1
        backlog.append(reading(3000))
        assert backlog.is_failing
        assert saved + 200 < store.count(0) < 3001
        fill(store, 1000)
        backlog.close()
        again = backlog_at(tmp_path / "s")
        assert await drained(again.cursor("slow")) == list(range(3001))
        again.close()

    run(test)


def test_a_damaged_reading_is_left_out_and_said(tmp_path: Path) -> None:
    async def test() -> None:
        first = backlog_at(tmp_path / "s")
        first.cursor("a")
        for number in range(3):
            first.append(reading(number))
        first.close()
        with closing(sqlite3.connect(tmp_path / "s")) as database, database:
            database.execute("UPDATE readings SET data = x'FF' WHERE id = 2")
        told: list[str] = []
        again = backlog_at(tmp_path / "s", told)
        assert await drained(again.cursor("a")) == [0, 2]
        assert "this is no reading" in told[0]
        again.close()

    run(test)


def test_a_file_that_is_no_spool_is_said(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("these are the values of a plant, as text\n" * 100)
    with pytest.raises(OSError, match=r"cannot open the spool .*: file is not a database"):
        Store(tmp_path / "s")
    with closing(sqlite3.connect(tmp_path / "t")) as database:
        database.execute("PRAGMA user_version = 9")
    with pytest.raises(OSError, match="it has format 9, this version knows 1"):
        Store(tmp_path / "t")


def test_a_spool_that_is_in_use_is_refused_and_says_by_whom(tmp_path: Path) -> None:
    """By whatever name; the first one does not notice, and its end frees the spool."""
    first = Store(tmp_path / "s")
    other = tmp_path / "link"
    other.symlink_to(tmp_path / "s")
    who = re.escape(f"process {os.getpid()} on {socket.gethostname()}")
    for name in ("s", "link"):
        with pytest.raises(OSError, match=f"the spool .*{name} is in use by {who}: each poller"):
            Store(tmp_path / name)
    first.append([(1, 1.7e9, 1, pack(reading(1)))])
    first.close()
    again = Store(other)
    assert again.last == 1
    again.close()


def test_a_spool_that_cannot_be_opened_is_not_locked(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("text" * 1000)
    for _ in range(2):
        with pytest.raises(OSError, match="file is not a database"):
            Store(tmp_path / "s")
    with pytest.raises(OSError, match=r"cannot lock the spool .*s\.lock: No such file"):
        Store(tmp_path / "nowhere" / "s")


def test_a_commit_waits_for_the_disk_if_that_is_wanted(tmp_path: Path) -> None:
    """SQLite: 1 is a sync at each checkpoint, 2 at each commit too."""
    for is_synced, level in ((False, 1), (True, 2)):
        store = Store(tmp_path / f"{level}", is_synced=is_synced)
        assert store._database.execute("PRAGMA synchronous").fetchone() == (level,)
        store.close()

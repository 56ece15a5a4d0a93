"""The spool of `modwire poll`: nothing is lost, in order, at least once."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modwire_tools.poll.delivery import Backlog, Cursor, Store
from modwire_tools.poll.delivery.packing import pack, unpack
from modwire_tools.poll.sample import BAD, GOOD, STALE, Sample

VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.lists(st.booleans()).map(tuple)
)
SAMPLES = st.builds(
    Sample,
    st.just("m"),
    st.text(),
    VALUES,
    st.sampled_from([GOOD, STALE, BAD]),
    st.text(),
    st.floats(0, 1e10),
    st.text(),
    st.just({"hall": "3"}),
)


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(test())  # type: ignore[arg-type]


def reading(*values: int) -> list[Sample]:
    return [Sample("m", "p", value, GOOD, "", 1.7e9, "", {}) for value in values]


def values(samples: list[Sample]) -> list[object]:
    return [each.value for each in samples]


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def backlog_at(
    file: Path | None, told: list[str] | None = None, clock: Clock | None = None, **more: object
) -> Backlog:
    store = None if file is None else Store(file)
    report = [].append if told is None else told.append
    return Backlog(report, clock or Clock(), store, **more)  # type: ignore[arg-type]


async def drained(cursor: Cursor) -> list[object]:
    """Take all values that wait."""
    found: list[object] = []
    while cursor.waiting:
        found += values(await cursor.take(3))
        cursor.done()
    return found


@given(st.lists(SAMPLES, min_size=1, max_size=5))
def test_a_reading_on_disk_is_the_same(samples: list[Sample]) -> None:
    # The reason and the time of good values are those of the reading.
    good = [
        each._replace(reason="", time=samples[0].time) if each.quality == GOOD else each
        for each in samples
    ]
    assert unpack(pack(good)) == good


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x90", b"\x93\x01\x02\x03", b"\xc1" * 10])
def test_other_bytes_are_no_reading(data: bytes) -> None:
    with pytest.raises(ValueError, match="this is no reading"):
        unpack(data)


def test_what_was_not_taken_is_there_after_a_restart(tmp_path: Path) -> None:
    async def test() -> None:
        first = backlog_at(tmp_path / "s")
        fast, slow = first.cursor("fast"), first.cursor("slow")
        for number in range(10):
            first.append(reading(number, -number))
        assert await drained(fast) == [value for n in range(10) for value in (n, -n)]
        assert values(await slow.take(5)) == [0, 0, 1, -1, 2, -2]
        slow.done()
        assert values(await slow.take(1)) == [3, -3]  # handed out, and not taken
        first.close()
        again = backlog_at(tmp_path / "s")
        assert again.cursor("fast").waiting == 0
        slow = again.cursor("slow")
        assert slow.waiting == 14
        again.append(reading(10))
        assert await drained(slow) == [v for n in range(3, 10) for v in (n, -n)] + [10]
        assert await drained(again.cursor("fast")) == [10]
        # What all have taken is deleted.
        assert again.store is not None
        assert again.store.size == 0
        again.close()

    run(test)


def test_a_new_sink_begins_with_the_next_value_and_an_old_one_is_forgotten(tmp_path: Path) -> None:
    async def test() -> None:
        backlog = backlog_at(tmp_path / "s")
        old = backlog.cursor("old")
        backlog.append(reading(1))
        new = backlog.cursor("new")
        backlog.keep_only(["new"])
        backlog.append(reading(2))
        assert await drained(new) == [2]
        assert old.waiting == 1
        assert backlog.store is not None
        assert set(backlog.store.cursors()) == {"new"}
        assert backlog.store.size == 0
        backlog.close()

    run(test)


def test_a_queue_in_memory_drops_the_oldest_and_counts_them() -> None:
    async def test() -> None:
        backlog = backlog_at(None, memory=10)
        slow, fast = backlog.cursor("slow"), backlog.cursor("fast")
        for number in range(25):
            backlog.append(reading(number))
            assert await drained(fast) == [number]
        assert (slow.waiting, slow.dropped, fast.dropped) == (10, 15, 0)
        assert await drained(slow) == list(range(15, 25))

    run(test)


def test_a_sink_that_lags_reads_from_the_disk_what_is_no_longer_in_memory(tmp_path: Path) -> None:
    async def test() -> None:
        backlog = backlog_at(tmp_path / "s", memory=10)
        slow = backlog.cursor("slow")
        for number in range(1000):
            backlog.append(reading(number))
        assert (slow.waiting, slow.dropped) == (1000, 0)
        assert await drained(slow) == list(range(1000))
        backlog.close()

    run(test)


def test_a_spool_that_is_full_drops_the_oldest_and_counts_them(tmp_path: Path) -> None:
    async def test() -> None:
        backlog = backlog_at(tmp_path / "s", size=2000, memory=5)
        slow = backlog.cursor("slow")
        for number in range(200):
            backlog.append(reading(number))
        assert backlog.store is not None
        assert backlog.store.size <= 2000
        assert slow.waiting + slow.dropped == 200
        left = await drained(slow)
        assert left == list(range(slow.dropped, 200))
        assert 20 < len(left) < 100
        backlog.close()

    run(test)


def test_values_that_are_too_old_are_dropped_and_a_clock_that_jumps_drops_none(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        clock = Clock()
        backlog = backlog_at(tmp_path / "s", clock=clock, age=100.0)
        slow = backlog.cursor("slow")
        for number in range(30):
            clock.now += 10
            backlog.append(reading(number))
        assert slow.waiting + slow.dropped == 30
        assert 9 <= slow.waiting <= 12
        assert await drained(slow) == list(range(slow.dropped, 30))
        backlog.close()

    run(test)


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


def fill(store: Store, spare: int = 0) -> None:
    """Let the database have no room for more than `spare` pages."""
    (pages,) = store._database.execute("PRAGMA page_count").fetchone()
    store._database.execute(f"PRAGMA max_page_count = {pages + spare}")


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


STEPS = st.lists(
    st.tuples(st.sampled_from(["append", "take", "done", "crash"]), st.integers(0, 1)),
    max_size=40,
)


@settings(deadline=None, max_examples=60)
@given(steps=STEPS, memory=st.sampled_from([1, 4, 1000]))
def test_each_sink_gets_all_values_in_order_whatever_happens(
    steps: list[tuple[str, int]], memory: int
) -> None:
    """A crash forgets what was handed out; the next start hands it out again, and nothing else."""

    async def test(file: Path) -> None:
        backlog = backlog_at(file, memory=memory)
        names = ("a", "b")
        cursors = [backlog.cursor(name) for name in names]
        seen: list[list[object]] = [[], []]  # handed out
        taken: list[int] = [0, 0]
        out: list[list[object]] = [[], []]
        count = 0
        for step, which in steps:
            if step == "append":
                backlog.append(reading(count))
                count += 1
            elif step == "take" and cursors[which].waiting:
                out[which] = values(await cursors[which].take(2))
                assert out[which][0] == taken[which]
                seen[which] += out[which]
            elif step == "done":
                cursors[which].done()
                taken[which] += len(out[which])
                out[which] = []
            elif step == "crash":
                # SIGKILL: what was committed is on disk, and nothing more.
                assert backlog.store is not None
                backlog.store.close()
                backlog = backlog_at(file, memory=memory)
                order = names[::-1] if which else names
                known = {name: backlog.cursor(name) for name in order}
                cursors = [known[name] for name in names]
                out = [[], []]
        for which, cursor in enumerate(cursors):
            assert cursor.waiting == count - taken[which]
            seen[which] += await drained(cursor)
            assert list(dict.fromkeys(seen[which])) == list(range(count))
        backlog.close()

    # Opening a database waits for the disk several times.
    memory_disk = Path("/dev/shm")
    with TemporaryDirectory(dir=memory_disk if memory_disk.is_dir() else None) as folder:
        asyncio.run(test(Path(folder) / "s"))

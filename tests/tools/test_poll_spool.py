"""The spool of `modwire poll`: nothing is lost, in order, at least once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modwire_tools.poll.delivery.packing import pack, unpack
from modwire_tools.poll.sample import BAD, GOOD, STALE, Sample
from spooled import Clock, backlog_at, drained, reading, run, values

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

"""`Backlog`: the values that sinks have not taken yet, in memory and in a spool on disk.

There is one sequence of readings for all sinks. Each sink has a `Cursor` in it, which is its queue:
a slow one falls behind, and holds up nobody. The newest readings are in memory, so that a sink
that keeps up never reads the disk.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from ..sample import Sample
from .packing import pack, unpack
from .store import Row, Store

MEMORY = 100_000
"""The values that are in memory, at most."""

_READ_AT_ONCE = _SAVED_AT_ONCE = 200  # readings
_RETRY = 1.0  # seconds until the next try, after the disk has failed


class _Reading(NamedTuple):
    number: int
    samples: Sequence[Sample]


class Cursor:
    """The queue of one sink.

    - `waiting`: the number of values that the sink has not taken yet.
    - `taken`: the number that it has; `again`: those that were handed out more than once.
    - `dropped`: the number that were dropped before it could take them: the oldest ones go first.
    """

    def __init__(self, backlog: Backlog, name: str, number: int, waiting: int) -> None:
        self.name = name
        self.number = number  # of the last reading that the sink has taken
        self.waiting = waiting
        self.taken = self.again = self.dropped = 0
        self._backlog = backlog
        self._out: list[_Reading] = []
        self._arrived = asyncio.Event()
        if waiting:
            self._arrived.set()

    def arrived(self, count: int) -> None:
        """Count values that were added to the backlog."""
        self.waiting += count
        self._arrived.set()

    async def take(self, most: int) -> list[Sample]:
        """Return the oldest values, about `most` of them; wait if there are none.

        They are handed out again unless `done` is called.
        """
        if self._out:
            self.again += sum(len(each.samples) for each in self._out)
        while not self._out:
            await self._arrived.wait()
            count = 0
            for reading in self._backlog.behind(self.number):
                self._out.append(reading)
                count += len(reading.samples)
                if count >= most:
                    break
            else:
                if not self._out:
                    self._arrived.clear()
                    self.waiting = 0
        return [sample for reading in self._out for sample in reading.samples]

    def done(self) -> None:
        """Count the values that were handed out last as taken."""
        out, self._out = self._out, []
        if not out:
            return
        count = sum(len(each.samples) for each in out)
        self.taken += count
        self.waiting = max(0, self.waiting - count)
        self.number = max(self.number, out[-1].number)
        if self.number >= self._backlog.last:
            self.waiting = 0  # whatever was left out, or counted wrongly
        if not self.waiting:
            self._arrived.clear()
        self._backlog.took(self)

    def skip(self, number: int, count: int) -> None:
        """Leave out readings up to `number`, `count` values: they are gone."""
        self.number = number
        self.dropped += count
        self.waiting = max(0, self.waiting - count)


class Backlog:
    """The readings of a plant, numbered; `clock` returns seconds since 1970 that never jump.

    Without a `store`, the `memory` newest values are kept. With one, it keeps `size` bytes and
    `age` seconds, and `memory` is only what is not read from the disk again. `report` is called
    with a sentence if the disk fails, and when it works again. `last` is the number of the newest
    reading.
    """

    def __init__(
        self,
        report: Callable[[str], None],
        clock: Callable[[], float],
        store: Store | None = None,
        *,
        size: int = 10**9,
        age: float = 7 * 86400.0,
        memory: int = MEMORY,
    ) -> None:
        self.cursors: dict[str, Cursor] = {}
        self.store = store
        self.is_failing = False
        self._report = report
        self._clock = clock
        self._size = size
        self._age = age
        self._memory = memory
        self._recent: deque[_Reading] = deque()
        self._in_memory = 0
        self._unsaved: deque[Row] = deque()
        self.last = store.last if store is not None else 0
        # The places of sinks that have no queue yet.
        self._known = dict(store.cursors()) if store is not None else {}
        self._next_look = self._retry_at = 0.0

    def cursor(self, name: str) -> Cursor:
        """Return the queue of a sink; a new one begins with the next reading."""
        if name not in self.cursors:
            number = self._known.pop(name, None)
            store = self.store
            if number is None or store is None:
                self.cursors[name] = Cursor(self, name, self.last, 0)
                if store is not None:
                    self._guarded(lambda: store.set_cursor(name, self.last, 0))
            else:
                self.cursors[name] = Cursor(self, name, number, store.count(number))
        return self.cursors[name]

    def keep_only(self, names: Sequence[str]) -> None:
        """Forget the queues of sinks with other names."""
        for name, number in self._known.items():
            if name not in names and self.store is not None:
                count = self.store.count(number)
                if count:
                    self._report(f"the spool has {count} values for {name}, which is gone: dropped")
        self.cursors = {name: each for name, each in self.cursors.items() if name in names}
        self._known = {name: each for name, each in self._known.items() if name in names}
        if self.store is not None:
            store = self.store
            self._guarded(lambda: store.forget_sinks(names))

    def append(self, samples: Sequence[Sample]) -> None:
        """Add a reading: values of one device."""
        if not samples or not self.cursors:
            return
        self.last += 1
        self._recent.append(_Reading(self.last, samples))
        self._in_memory += len(samples)
        if self.store is not None:
            now = self._clock()
            self._unsaved.append((self.last, now, len(samples), pack(samples)))
            if not self.is_failing or now >= self._retry_at:
                self._retry_at = now + _RETRY
                self._guarded(self._save)
        while self._in_memory > self._memory and len(self._recent) > 1:
            self._drop_from_memory()
        for cursor in self.cursors.values():
            cursor.arrived(len(samples))

    def _drop_from_memory(self) -> None:
        """Drop the oldest reading in memory; without a store, it is lost for slow sinks."""
        oldest = self._recent.popleft()
        self._in_memory -= len(oldest.samples)
        if self._unsaved and self._unsaved[0][0] == oldest.number:
            self._unsaved.popleft()
        elif self.store is not None:
            return
        for cursor in self.cursors.values():
            if cursor.number < oldest.number:
                # With a store, older readings that it has are still to be taken.
                number = oldest.number if self.store is None else cursor.number
                cursor.skip(number, len(oldest.samples))

    def _save(self) -> None:
        assert self.store is not None
        while self._unsaved:
            # Of many, a disk that is almost full has room for some.
            rows = list(islice(self._unsaved, _SAVED_AT_ONCE))
            self.store.append(rows)
            for _ in rows:
                self._unsaved.popleft()
        if self.store.size > self._size or self._clock() >= self._next_look:
            self._next_look = self._clock() + min(60.0, self._age / 10)
            self._bound()

    def _bound(self) -> None:
        """Drop the oldest readings if the spool is too large, or they are too old."""
        store = self.store
        assert store is not None
        waiting = {name: store.count(each.number) for name, each in self.cursors.items()}
        # A twentieth more than is needed, so that not each reading has to drop one.
        size = self._size if store.size <= self._size else self._size * 19 // 20
        newest = store.drop(size, self._clock() - self._age)
        while self._recent and self._recent[0].number <= newest:
            self._in_memory -= len(self._recent.popleft().samples)
        for name, cursor in self.cursors.items():
            if cursor.number < newest:
                cursor.skip(newest, waiting[name] - store.count(newest))

    def behind(self, number: int) -> Iterator[_Reading]:
        """Yield the readings behind the one with this number, oldest first."""
        first = self._recent[0].number if self._recent else self.last + 1
        if number + 1 < first and self.store is not None:
            rows = self.store.read(number, _READ_AT_ONCE)
            for row in rows:
                try:
                    yield _Reading(row[0], unpack(row[3]))
                except ValueError as error:
                    self._report(f"the spool {self.store.file}: {error}; it is left out")
            if rows:
                return
        yield from islice(self._recent, max(0, number + 1 - first), None)

    def took(self, cursor: Cursor) -> None:
        """Store what a sink has taken, and forget what all have."""
        oldest = self._oldest()
        while self._recent and self._recent[0].number <= oldest:
            self._in_memory -= len(self._recent.popleft().samples)
        while self._unsaved and self._unsaved[0][0] <= oldest:
            self._unsaved.popleft()
        if self.store is not None:
            self._guarded(lambda: self._save_cursor(cursor))

    def _save_cursor(self, cursor: Cursor) -> None:
        assert self.store is not None
        self.store.set_cursor(cursor.name, cursor.number, self._oldest())

    def _oldest(self) -> int:
        """Return the number of the last reading that all sinks have taken."""
        numbers = [each.number for each in self.cursors.values()]
        return min([*numbers, *self._known.values()])

    def _guarded(self, action: Callable[[], None]) -> None:
        """Do what needs the disk; if that fails, say so once, and go on in memory."""
        try:
            action()
        except OSError as error:
            if not self.is_failing:
                self.is_failing = True
                self._report(f"{error}; the newest {self._memory} values are kept in memory")
        else:
            if self.is_failing and not self._unsaved:
                self.is_failing = False
                self._report("the spool works again")

    def close(self) -> None:
        """Close the spool."""
        if self.store is not None:
            if self._unsaved:
                self._guarded(self._save)
            self.store.close()

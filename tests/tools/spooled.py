"""A backlog of `modwire poll` for tests, with readings of one number each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from modwire_tools.poll.delivery import Backlog, Cursor, Store
from modwire_tools.poll.sample import GOOD, Sample


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


def fill(store: Store, spare: int = 0) -> None:
    """Let the database have no room for more than `spare` pages."""
    (pages,) = store._database.execute("PRAGMA page_count").fetchone()
    store._database.execute(f"PRAGMA max_page_count = {pages + spare}")

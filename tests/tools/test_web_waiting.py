"""Values that the page has to wait for: it reads them in threads, and shows outages."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import msgspec
import trio
from starlette.websockets import WebSocket

from linked_page import Link
from modwire import Block, ServerDeviceFailureError, Unit, Units
from modwire_tools.web import UnitsView
from modwire_tools.web.live import Live
from modwire_tools.web.shown import Shown

VALUES = {"kind": "values", "device": 0, "unit": 1, "table": "holding_registers", "count": 2}
TABLES = {"kind": "tables", "device": 0, "unit": 1}


class Database(Block):
    """A block that notes the threads in which it is read; `is_down` is for tests."""

    def __init__(self) -> None:
        self.threads: set[int] = set()
        self.values = [7, 8]
        self.is_down = False

    def ranges(self) -> Sequence[range]:
        return [range(len(self.values))]

    def read(self, address: int, count: int) -> Sequence[int]:
        self.threads.add(threading.get_ident())
        if self.is_down:
            raise ServerDeviceFailureError(detail="the database is down")
        return self.values[address : address + count]


def plant(database: Database) -> UnitsView:
    return UnitsView(Units({1: Unit(holding_registers=database, blocking=True)}))


def changes(shown: Shown) -> Any:
    """Return the next changes, as a browser receives them."""
    for part in shown.waiting():
        part.look()
    return msgspec.json.decode(msgspec.json.encode(shown.changes()))


def test_the_page_reads_in_a_worker_thread() -> None:
    database = Database()

    async def main() -> None:
        link = Link()
        socket: WebSocket = link.socket()
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(Live(plant(database), None).serve, socket)
                link.send({"show": {"a": VALUES, "b": TABLES}})
                found: dict[str, dict[str, object]] = {}
                while not found:
                    found = await link.push()
                assert found["a"] == {"all": [7, 8]}
                nursery.cancel_scope.cancel()

    trio.run(main)
    assert database.threads
    assert threading.get_ident() not in database.threads


def test_an_outage_is_shown_once_and_its_end() -> None:
    database = Database()
    shown = Shown(plant(database))
    shown.show({"a": VALUES})
    assert changes(shown) == {"a": {"all": [7, 8]}}
    database.is_down = True
    assert changes(shown) == {"a": {"error": "the unit refuses it: the database is down"}}
    assert changes(shown) == {}
    database.is_down = False
    assert changes(shown) == {"a": {"all": [7, 8]}}
    assert changes(shown) == {}

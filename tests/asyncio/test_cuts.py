"""A call that ends at any await, or at any line: the client works on, with right values only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from itertools import count
from typing import Any

import pytest
import uvloop

from asyncio_peers import PATIENCE, NewLoop, descriptors_of, each_loop, play, soon
from cutting import Cut, Cutter, device
from modwire_asyncio import Client, connect
from own_sockets import count_descriptors, needs_proc
from server_peers import wait_until

pytestmark = [needs_proc, each_loop]

Run = Callable[[Client], Awaitable[object]]


class Steps:
    """Awaits something, and cancels this task at its await number `place`.

    It is cancelled while it waits; or, if `is_woken`, when the result is there, just before the
    task sees it.
    """

    def __init__(self, awaitable: Awaitable[object], place: int, *, is_woken: bool) -> None:
        self._steps = awaitable.__await__()
        self._left = place
        self._is_woken = is_woken
        self.has_cancelled = False

    def __await__(self) -> Generator[Any, Any, object]:
        error: BaseException | None = None
        while True:
            try:
                waits_for = next(self._steps) if error is None else self._steps.throw(error)
            except StopIteration as end:
                return end.value
            self._left -= 1
            if self._left == 0:
                self._cancel(waits_for)
            try:
                error = None
                yield waits_for
            except BaseException as raised:  # noqa: BLE001 - passed on
                error = raised

    def _cancel(self, waits_for: Any) -> None:
        self.has_cancelled = True
        task = asyncio.current_task()
        assert task is not None
        if self._is_woken and waits_for is not None:
            waits_for.add_done_callback(lambda _: task.cancel())
        else:
            asyncio.get_running_loop().call_soon(task.cancel)


async def cut(run: Awaitable[object], place: int, *, is_woken: bool) -> bool:
    """Await `run` in a task that is cancelled at an await; return False if it has fewer."""
    steps = Steps(run, place, is_woken=is_woken)

    async def in_task() -> None:
        await steps

    task = asyncio.ensure_future(in_task())
    await asyncio.wait([task])
    if not task.cancelled():
        await task
    return steps.has_cancelled


async def check(client: Client, value: int) -> None:
    """Fail unless the client works, at once and without an error."""
    reading = client.read_holding_registers(value)
    assert await asyncio.wait_for(reading, PATIENCE) == [value]


async def nothing(client: Client) -> None:
    pass


async def read(client: Client) -> None:
    assert await client.read_holding_registers(7) == [7]


async def cut_everywhere(
    endpoint: str, run: Run, before: Run = nothing, *, is_woken: bool = False
) -> int:
    """Cut a run at each of its awaits, and use the client after each; return their number."""
    client = connect(endpoint + ("&" if "?" in endpoint else "?") + "timeout=2")
    await check(client, 1)
    descriptors = count_descriptors()
    for place in count(1):
        await before(client)
        if not await cut(run(client), place, is_woken=is_woken):
            break
        await check(client, 100 + place)
        await asyncio.gather(check(client, 200 + place), check(client, 201 + place))
    await client.aclose()
    await soon(lambda: count_descriptors() <= descriptors)  # the device closes its ends in threads
    return place


WOKEN = pytest.mark.parametrize("is_woken", [False, True], ids=["waiting", "woken"])
KINDS = pytest.mark.parametrize("kind", ["tcp", "udp", "rtu"])


@WOKEN
@KINDS
def test_a_call(kind: str, is_woken: bool, new_loop: NewLoop) -> None:
    async def main() -> None:
        assert await cut_everywhere(endpoint, read, is_woken=is_woken) >= 2

    with device(kind) as (slow, endpoint):
        slow.pause = 0.01
        play(main, new_loop)


@WOKEN
@KINDS
def test_the_first_call(kind: str, is_woken: bool, new_loop: NewLoop) -> None:
    async def main() -> None:
        places = await cut_everywhere(
            endpoint, read, lambda client: client.aclose(), is_woken=is_woken
        )
        assert places >= 3

    with device(kind) as (_, endpoint):
        play(main, new_loop)


@WOKEN
@KINDS
def test_closing(kind: str, is_woken: bool, new_loop: NewLoop) -> None:
    async def main() -> None:
        places = await cut_everywhere(endpoint, lambda client: client.aclose(), is_woken=is_woken)
        assert places >= 2

    with device(kind) as (_, endpoint):
        play(main, new_loop)


@WOKEN
def test_other_callers_get_right_values(is_woken: bool, new_loop: NewLoop) -> None:
    """They are not affected at all."""

    async def others(client: Client, first: int) -> None:
        for value in range(first, first + 200):
            assert await client.read_holding_registers(value) == [value]

    async def main() -> None:
        cuts = 0
        client = connect(f"{endpoint}?timeout=5&max_in_flight=4")
        await check(client, 1)
        going_on = asyncio.gather(*(others(client, first) for first in (1000, 2000, 3000)))
        for place in count():
            if going_on.done():
                break
            cuts += await cut(read(client), 1 + place % 4, is_woken=is_woken)
        await going_on
        await client.aclose()
        assert cuts > 20

    with device() as (slow, endpoint):
        slow.pause = 0.001
        play(main, new_loop)


class Interrupt(Cut, KeyboardInterrupt):
    """An exception of a signal handler, which ends the loop from any callback, as Ctrl+C does."""


class Interrupted:
    """A client in a loop whose runs are interrupted; then all tasks are cancelled, as by `run`."""

    def __init__(self, endpoint: str, new_loop: NewLoop) -> None:
        self.loop = new_loop()
        self.faults: list[Any] = []
        self.loop.set_exception_handler(lambda _, fault: self.faults.append(fault))
        options = "timeout=2&late_reply_window=0.01"
        self.client = connect(endpoint + ("&" if "?" in endpoint else "?") + options)
        self._cutter = Cutter()

    def run(self, main: Awaitable[object]) -> None:
        self.loop.run_until_complete(main)

    def cut(self, run: Run, place: int) -> bool:
        """Interrupt a run at a line of modwire; return False if it has fewer lines."""
        was_cut = self._cutter.run(
            lambda: self.run(run(self.client)), place, by_lines=True, error=Interrupt
        )
        with suppress(RuntimeError):  # the loop may stop once more, for a run that has ended
            self.run(asyncio.sleep(0))
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        if left:
            self.run(asyncio.wait(left))
            for task in left:
                task.cancelled() or task.exception()
        return was_cut

    def close(self) -> None:
        self.run(self.client.aclose())
        self.loop.close()


@pytest.mark.timeout(180)
# What an interrupted function has just opened is closed by the collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_at_any_line_of_a_call(new_loop: NewLoop) -> None:
    if new_loop is uvloop.new_event_loop:
        pytest.skip("uvloop hides interrupts in callbacks")
    descriptors = descriptors_of(new_loop)
    with device() as (_, endpoint):
        interrupted = Interrupted(endpoint, new_loop)
        client = interrupted.client
        interrupted.run(check(client, 1))
        for place in count(1):
            if not interrupted.cut(read, place):
                break
            interrupted.run(check(client, 100 + place))
        interrupted.close()
    assert place > 80
    wait_until(lambda: count_descriptors() <= descriptors)

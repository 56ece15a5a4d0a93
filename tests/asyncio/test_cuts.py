"""A call that ends at any await, or at any line: the client works on, with right values only."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Generator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from asyncio_peers import LOOPS, PATIENCE, NewLoop, each_loop, play, settle, soon
from cutting import device
from modwire_asyncio import Client, UnixClient, connect
from own_sockets import count_descriptors, needs_proc

pytestmark = [needs_proc, each_loop]

FULL = os.environ.get("MODWIRE_FULL", "") not in ("", "0")
PROGRAM = Path(__file__).with_name("interrupts.py")

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


@pytest.mark.timeout(1300 if FULL else 130)
@KINDS
def test_an_interrupt_at_any_line(kind: str, new_loop: NewLoop) -> None:
    """Every line with MODWIRE_FULL=1, which takes minutes; otherwise some of them."""
    name = next(each for each, made in LOOPS.items() if made is new_loop)
    done = subprocess.run(
        [sys.executable, str(PROGRAM), name, kind, "1" if FULL else "11"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=1200 if FULL else 120,
        check=False,
        text=True,
    )
    assert (done.stdout, done.returncode) == ("\n", 0)


class Watched(socket.socket):
    """A socket that notices if its descriptor was closed behind its back.

    Then closing it, or collecting it, can close what another thread has opened meanwhile.
    """

    robbed = 0

    def _look(self) -> None:
        if self.fileno() >= 0:
            try:
                os.fstat(self.fileno())
            except OSError:
                Watched.robbed += 1

    def close(self) -> None:
        self._look()
        super().close()

    def __del__(self) -> None:
        self._look()


@pytest.mark.parametrize("kind", ["tcp", "udp", "unix"])
def test_a_cancelled_opening_closes_no_descriptor_of_others(
    kind: str, new_loop: NewLoop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """uvloop closes the descriptor of a socket that it was given, if it is cancelled then."""

    async def main() -> None:
        opening: asyncio.Future[None] | None = None
        for passes in count(1):
            if opening is not None and not opening.cancelled():
                break
            client = UnixClient(path) if kind == "unix" else connect(endpoint)
            opening = asyncio.ensure_future(client.connect())
            for _ in range(passes):
                await asyncio.sleep(0)
            opening.cancel()
            await asyncio.wait([opening])
            await client.aclose()
            await settle()
            gc.collect()
        assert passes > 3

    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as far, device(kind.replace("unix", "tcp")) as (_, endpoint):
        far.bind(path)
        far.listen(64)
        monkeypatch.setattr(socket, "socket", Watched)
        Watched.robbed = 0
        play(main, new_loop)
        gc.collect()
    assert Watched.robbed == 0

"""A cancelled call: other calls are not affected, and its late response is dropped."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from asyncio_peers import (
    Device,
    Far,
    Listener,
    NewLoop,
    descriptors_of,
    each_loop,
    play,
    reply,
    settle,
)
from modwire import ConnectionLostError
from modwire_asyncio import TcpClient
from own_sockets import count_descriptors, needs_proc

pytestmark = [pytest.mark.long, each_loop]

CALLERS = 16
FULL = os.environ.get("MODWIRE_FULL", "") not in ("", "0")
CANCELLATIONS = 100_000 if FULL else 4_000


async def cancelled(task: asyncio.Task[list[int]]) -> None:
    """Cancel a task, and wait for its end."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@asynccontextmanager
async def pair(**options: Any) -> AsyncIterator[tuple[TcpClient, Far]]:
    """Yield a connected client, and the peer's end of its connection."""
    async with Listener() as listener, TcpClient("127.0.0.1", listener.port, **options) as client:
        yield client, await listener.accept()


def reading(client: TcpClient, address: int) -> asyncio.Task[list[int]]:
    return asyncio.ensure_future(client.read_holding_registers(address, timeout=20.0))


async def expect(call: Awaitable[list[int]], address: int) -> None:
    assert await call == [address]


def test_the_receiver_is_cancelled_and_the_others_go_on(new_loop: NewLoop) -> None:
    async def main() -> None:
        async with pair(max_in_flight=16) as (client, far):
            calls = [reading(client, address) for address in range(8)]
            requests = [await far.request() for _ in calls]
            for call in calls[:6]:  # the first has the turn, then the second, and so on
                await cancelled(call)
            await far.send(*map(reply, requests))
            assert [await call for call in calls[6:]] == [[6], [7]]

    play(main, new_loop)


def test_a_call_that_waits_for_its_place_is_never_sent(new_loop: NewLoop) -> None:
    async def main() -> None:
        async with pair() as (client, far):
            first = reading(client, 1)
            request = await far.request()
            second = reading(client, 2)
            await settle()
            await cancelled(second)
            third = reading(client, 3)
            await settle()
            await far.send(reply(request))
            request = await far.request()
            assert request[8:10] == b"\0\3"
            await far.send(reply(request))
            assert [await first, await third] == [[1], [3]]

    play(main, new_loop)


def test_the_next_call_is_sent_when_the_one_before_is_cancelled(new_loop: NewLoop) -> None:
    async def main() -> None:
        async with pair() as (client, far):
            first, second = reading(client, 1), reading(client, 2)
            late = reply(await far.request())
            await cancelled(first)
            await far.send(late, reply(await far.request()))
            await expect(second, 2)

    play(main, new_loop)


def test_cancelled_while_the_link_is_opened(new_loop: NewLoop) -> None:
    """The caller that came first is cancelled; the others wait for the same attempt."""

    async def main() -> None:
        asked, answered = asyncio.Event(), asyncio.Event()
        attempts = 0

        class SlowNames(TcpClient):
            async def _open_link(self):  # type: ignore[no-untyped-def]
                nonlocal attempts
                attempts += 1
                asked.set()
                await answered.wait()
                return await super()._open_link()

        async with Listener() as listener:
            client = SlowNames("127.0.0.1", listener.port)
            calls = [reading(client, address) for address in range(4)]
            await asked.wait()
            await settle()
            await cancelled(calls[0])
            answered.set()
            far = await listener.accept()
            for _ in range(3):
                await far.send(reply(await far.request()))
            assert [await call for call in calls[1:]] == [[1], [2], [3]]
            assert attempts == 1
            await client.aclose()

    play(main, new_loop)


def test_all_that_wait_for_the_link_are_cancelled(new_loop: NewLoop) -> None:
    """Nobody is left: the attempt ends, and the next call makes one of its own."""

    async def main() -> None:
        asked = asyncio.Event()
        ended: list[bool] = []

        class NoNames(TcpClient):
            async def _open_link(self):  # type: ignore[no-untyped-def]
                if ended:
                    return await super()._open_link()
                asked.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    ended.append(True)

        async with Listener() as listener:
            client = NoNames("127.0.0.1", listener.port)
            calls = [reading(client, address) for address in range(3)]
            await asked.wait()
            await settle()
            for call in calls:
                await cancelled(call)
            await settle()
            assert ended == [True]
            call = reading(client, 5)
            far = await listener.accept()
            await far.send(reply(await far.request()))
            await expect(call, 5)
            await client.aclose()

    play(main, new_loop)


def test_cancelled_while_there_is_no_room_to_send(new_loop: NewLoop) -> None:
    """The bytes that the transport has are sent all the same, and their answer is a late one."""

    async def main() -> None:
        async with pair(max_in_flight=16) as (client, far):
            first = reading(client, 1)
            request = await far.request()
            link = client._turns.link
            assert link is not None
            link.pause_writing()  # type: ignore[attr-defined]
            second, third = reading(client, 2), reading(client, 3)
            await settle()
            await cancelled(second)
            link.resume_writing()  # type: ignore[attr-defined]
            await far.send(reply(request))
            request = await far.request()
            assert request[8:10] == b"\0\3"
            await far.send(reply(request))
            assert [await first, await third] == [[1], [3]]

    play(main, new_loop)


def test_closing_ends_the_calls_that_wait(new_loop: NewLoop) -> None:
    async def main() -> None:
        async with Listener() as listener:
            client = TcpClient("127.0.0.1", listener.port, max_in_flight=2)
            calls = [reading(client, address) for address in range(4)]
            far = await listener.accept()
            await far.request(24)
            await client.aclose()
            for call in calls:
                with pytest.raises(ConnectionLostError, match="closed"):
                    await call
            assert await far.ended()

    play(main, new_loop)


class Crowd:
    """16 tasks that read on one client, and are cancelled at random."""

    def __init__(self, client: TcpClient, dice: random.Random, cancellations: int) -> None:
        self._client = client
        self._dice = dice
        self._cancellations = cancellations
        self.completed = self.cancelled = 0

    async def _call(self) -> None:
        task = asyncio.current_task()
        while self.cancelled < self._cancellations:
            address = self._dice.randrange(0x10000)
            try:
                assert await self._client.read_holding_registers(address) == [address]
                self.completed += 1
            except asyncio.CancelledError:
                self.cancelled += 1
                getattr(task, "uncancel", lambda: None)()

    async def run(self, *, may_sleep: bool) -> None:
        dice = self._dice
        tasks = [asyncio.ensure_future(self._call()) for _ in range(CALLERS)]
        while left := [task for task in tasks if not task.done()]:
            for _ in range(dice.randrange(4)):
                await asyncio.sleep(0)
            if may_sleep and dice.random() < 0.2:
                await asyncio.sleep(dice.random() * 0.005)
            if self.cancelled < self._cancellations:
                dice.choice(left).cancel()
            else:
                await asyncio.wait(left)
        for task in tasks:
            await task


@needs_proc
@pytest.mark.timeout(1800 if FULL else 120)
@pytest.mark.parametrize("max_in_flight", [1, 3, 16])
@pytest.mark.parametrize("may_sleep", [False, True], ids=["quick", "slow"])
def test_cancellations_among_callers_on_one_connection(
    max_in_flight: int, may_sleep: bool, new_loop: NewLoop
) -> None:
    """Every completed call has its own answer, none hangs, and nothing is left."""
    quick = not may_sleep and max_in_flight == 16
    cancellations = CANCELLATIONS if quick else CANCELLATIONS // 8

    async def main() -> None:
        dice = random.Random(max_in_flight)
        async with Listener() as listener:
            client = TcpClient(
                "127.0.0.1", listener.port, timeout=30.0, max_in_flight=max_in_flight
            )
            async with client:
                far = await listener.accept()
                device = Device(dice, may_sleep=may_sleep)
                serving = asyncio.ensure_future(device.serve(far))
                crowd = Crowd(client, dice, cancellations)
                await crowd.run(may_sleep=may_sleep)
                assert client.is_open
                assert await client.read_holding_registers(1) == [1]
            await serving
            assert len(listener.ends) == 1  # one connection for all of it
        assert crowd.cancelled >= cancellations
        assert crowd.completed > cancellations // 100

    descriptors = descriptors_of(new_loop)
    play(main, new_loop, 1700.0 if FULL else 100.0)
    assert count_descriptors() <= descriptors


def test_a_task_that_is_cancelled_again_while_it_is_cancelled(new_loop: NewLoop) -> None:
    async def main() -> None:
        async with pair(max_in_flight=4) as (client, far):
            calls = [reading(client, address) for address in range(4)]
            requests = [await far.request() for _ in calls]
            for _ in range(3):
                calls[0].cancel()
                calls[2].cancel()
            await far.send(*map(reply, requests))
            for call in (calls[0], calls[2]):
                with pytest.raises(asyncio.CancelledError):
                    await call
            assert [await calls[1], await calls[3]] == [[1], [3]]
            await answer_one(client, far)

    play(main, new_loop)


async def answer_one(client: TcpClient, far: Far) -> None:
    call = reading(client, 9)
    await far.send(reply(await far.request()))
    await expect(call, 9)

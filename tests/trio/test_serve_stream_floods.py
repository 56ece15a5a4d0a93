"""Floods on many streams at once: other peers get their turn, and the log stays short."""

from __future__ import annotations

import logging

import pytest
import trio
import trio.testing

from modwire_trio import serve_stream
from server_peers import READ, READ_ANSWER
from serving_peers import End, play, single


class Flood(trio.abc.Stream):
    """A peer that always has more requests, and reads all answers."""

    turns = 0

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        Flood.turns += 1
        return READ * ((max_bytes or 2048) // len(READ))

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


def test_streams_that_flood_take_turns() -> None:
    async def main() -> None:
        near, far = trio.testing.memory_stream_pair()
        end = End(far)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_stream, single(), near)
            for _ in range(64):
                nursery.start_soon(serve_stream, single(), Flood())
            await end.ask(READ, READ_ANSWER)
            before = Flood.turns
            for _ in range(10):
                await end.ask(READ, READ_ANSWER)
            # Without turns, each of the 64 is served before each of these answers.
            assert Flood.turns - before < 10 * 32
            nursery.cancel_scope.cancel()

    play(main)


def test_streams_that_are_lost_one_after_another_do_not_fill_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        for _ in range(20):
            near, far = trio.testing.memory_stream_pair()
            await far.send_all(b"GET / HTTP/1.1")
            await serve_stream(single(), near)

    with caplog.at_level(logging.WARNING, "modwire.server"):
        play(main)
    assert len(caplog.records) == 1

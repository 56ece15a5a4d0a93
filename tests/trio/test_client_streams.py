"""`Client` on a given stream: one that ends, is full, or carries no Modbus."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from client_peers import Far, pair, play, reply
from modwire import (
    ConnectionLostError,
    FrameError,
    RtuFraming,
)
from modwire_trio import Client


def test_a_given_stream_that_ended_is_not_opened_anew() -> None:
    async def main() -> None:
        client, far = pair()
        async with client, trio.open_nursery() as nursery:

            async def device() -> None:
                await far.request()
                await far.stream.aclose()

            nursery.start_soon(device)
            with pytest.raises(ConnectionLostError, match="the server closed the connection"):
                await client.read_holding_registers(0)
            assert not client.is_open
            for _ in range(3):
                start = trio.current_time()
                with pytest.raises(ConnectionLostError, match="stream that it was given"):
                    await client.read_holding_registers(0)
                assert trio.current_time() == start

    play(main)


def test_closing_ends_the_calls_that_wait() -> None:
    async def main() -> None:
        client, far = pair()

        async def caller() -> None:
            with pytest.raises(ConnectionLostError, match="was closed"):
                await client.read_holding_registers(0)

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(caller)
            await trio.testing.wait_all_tasks_blocked()
            await client.aclose()
        await far.request()
        assert await far.ended()

    play(main)


def test_closing_a_client_that_was_never_used_closes_its_stream() -> None:
    async def main() -> None:
        client, far = pair()
        await client.aclose()
        assert await far.ended()
        with pytest.raises(ConnectionLostError):
            await client.connect()

    play(main)


def test_a_stream_that_ended_between_two_calls_is_closed() -> None:
    async def main() -> None:
        client, far = pair(framing=RtuFraming)
        await client.connect()
        await far.stream.send_eof()  # type: ignore[attr-defined]
        with pytest.raises(ConnectionLostError):
            await client.read_coils(0)
        assert await far.ended()

    play(main)


def test_a_stream_that_sends_no_modbus_is_closed() -> None:
    async def main() -> None:
        client, far = pair()
        async with client, trio.open_nursery() as nursery:

            async def device() -> None:
                await far.request()
                await far.send(b"HTTP/1.1 400 Bad Request")

            nursery.start_soon(device)
            with pytest.raises(FrameError, match="protocol id must be 0"):
                await client.read_holding_registers(0)
            assert not client.is_open
            assert await far.ended()

    play(main)


def test_a_stream_that_takes_nothing_is_given_up() -> None:
    async def main() -> None:
        near, far = trio.testing.lockstep_stream_pair()
        async with Client(near, timeout=2.0) as client:
            start = trio.current_time()
            with pytest.raises(ConnectionLostError, match="could not send within 2 s"):
                await client.read_holding_registers(0)
            assert trio.current_time() - start == pytest.approx(2.0)
        await far.aclose()

    play(main)


def test_a_stream_without_buffers_is_served_too() -> None:
    async def main() -> None:
        near, other = trio.testing.lockstep_stream_pair()
        far = Far(other)
        got: dict[int, list[int]] = {}

        async def caller(address: int) -> None:
            got[address] = await client.read_holding_registers(address)

        async with Client(near, max_in_flight=4) as client, trio.open_nursery() as nursery:
            for address in range(40):
                nursery.start_soon(caller, address)
            for _ in range(40):
                await far.send(reply(await far.request()))
        assert got == {address: [address] for address in range(40)}

    play(main)

"""`Client` on memory streams, with a clock that jumps: outcomes and times of calls."""

from __future__ import annotations

import logging

import pytest
import trio
import trio.testing

from client_peers import accept, listening, pair, play, reply
from modwire import (
    ClientOptions,
    IllegalDataAddressError,
    InvalidResponseError,
    ResponseTimeoutError,
    RtuFraming,
)
from modwire.checksums import crc16
from modwire_trio import TcpClient


def rtu(body: bytes) -> bytes:
    return body + crc16(body).to_bytes(2, "little")


def test_a_call_gives_what_the_device_answered() -> None:
    async def main() -> None:
        client, far = pair()
        async with client, trio.open_nursery() as nursery:

            async def device() -> None:
                request = await far.request()
                assert request == bytes.fromhex("0001 0000 0006 01 03 0005 0002")
                await far.send(reply(request, 7, 8))

            nursery.start_soon(device)
            assert await client.read_holding_registers(5, 2) == [7, 8]
            assert client.is_open
        assert not client.is_open
        assert await far.ended()

    play(main)


def test_an_answer_in_single_bytes_is_the_same_answer() -> None:
    async def main() -> None:
        client, far = pair()
        async with client, trio.open_nursery() as nursery:

            async def device() -> None:
                for byte in reply(await far.request(), 99):
                    await far.send(bytes([byte]))
                    await trio.testing.wait_all_tasks_blocked()

            nursery.start_soon(device)
            assert await client.read_holding_registers(0) == [99]

    play(main)


def test_an_exception_response_is_raised() -> None:
    async def main() -> None:
        client, far = pair()
        async with client, trio.open_nursery() as nursery:

            async def device() -> None:
                request = await far.request()
                await far.send(request[:4] + b"\0\3\1\x83\2")

            nursery.start_soon(device)
            with pytest.raises(IllegalDataAddressError):
                await client.read_holding_registers(0)
            assert client.is_open

    play(main)


def test_an_answer_that_does_not_fit_is_an_error_and_the_link_stays() -> None:
    async def main() -> None:
        client, far = pair()
        async with client, trio.open_nursery() as nursery:

            async def device() -> None:
                await far.send(reply(await far.request(), 1, 2))
                await far.send(reply(await far.request(), 3))

            nursery.start_soon(device)
            with pytest.raises(InvalidResponseError):
                await client.read_holding_registers(0)
            assert await client.read_holding_registers(0) == [3]

    play(main)


@pytest.mark.parametrize("max_in_flight", [1, 16])
def test_a_call_without_an_answer_ends_on_time_and_its_late_answer_is_dropped(
    max_in_flight: int,
) -> None:
    async def main() -> None:
        client, far = pair(timeout=2.0, max_in_flight=max_in_flight)
        async with client:
            start = trio.current_time()
            with pytest.raises(ResponseTimeoutError):
                await client.read_holding_registers(1)
            assert trio.current_time() - start == pytest.approx(2.0)
            late = reply(await far.request())
            async with trio.open_nursery() as nursery:

                async def device() -> None:
                    request = await far.request()
                    await far.send(late, reply(request))

                nursery.start_soon(device)
                assert await client.read_holding_registers(2) == [2]

    play(main)


def test_a_call_may_have_a_timeout_of_its_own_and_reads_are_repeated() -> None:
    async def main() -> None:
        client, far = pair(retries=2)
        async with client:
            start = trio.current_time()
            with pytest.raises(ResponseTimeoutError):
                await client.read_holding_registers(1, timeout=0.5)
            assert trio.current_time() - start == pytest.approx(1.5)
            first, second, third = [await far.request() for _ in range(3)]
            assert first[6:] == second[6:] == third[6:]

    play(main)


def test_each_of_several_callers_waits_for_its_own_time() -> None:
    """The task that receives for all wakes up for a deadline that was set later."""

    async def main() -> None:
        client, _ = pair(max_in_flight=16, timeout=8.0)
        ends: dict[float, float] = {}

        async def caller(timeout: float) -> None:  # noqa: ASYNC109
            with pytest.raises(ResponseTimeoutError):
                await client.read_holding_registers(0, timeout=timeout)
            ends[timeout] = trio.current_time() - start

        async with client:
            start = trio.current_time()
            async with trio.open_nursery() as nursery:
                for timeout in (8.0, 2.0, 5.0, 1.0):
                    nursery.start_soon(caller, timeout)
                    await trio.testing.wait_all_tasks_blocked()
        assert {key: pytest.approx(key) for key in ends} == ends
        assert len(ends) == 4

    play(main)


def test_replies_in_any_order_reach_their_own_callers() -> None:
    async def main() -> None:
        client, far = pair(max_in_flight=16)
        got: dict[int, list[int]] = {}

        async def caller(address: int) -> None:
            got[address] = await client.read_holding_registers(address)

        async with client, trio.open_nursery() as nursery:
            for address in range(16):
                nursery.start_soon(caller, address)
            requests = [await far.request() for _ in range(16)]
            for request in reversed(requests):
                await far.send(reply(request))
        assert got == {address: [address] for address in range(16)}

    play(main)


def test_calls_are_sent_in_their_order_also_those_that_wait_for_the_link() -> None:
    async def main() -> None:
        with listening() as listener:
            client = TcpClient("127.0.0.1", listener.getsockname()[1])
            asked = []
            async with client, trio.open_nursery() as nursery:
                await (await accept(listener)).stream.aclose()
                await client.aclose()
                for address in range(20):
                    nursery.start_soon(client.read_holding_registers, address)
                    # Each runs until it waits before the next one starts.
                    for _ in range(5):
                        await trio.lowlevel.checkpoint()
                far = await accept(listener)
                for _ in range(20):
                    request = await far.request()
                    asked.append(int.from_bytes(request[8:10], "big"))
                    await far.send(reply(request))
            await far.stream.aclose()
        assert asked == list(range(20))

    trio.run(main)


def test_no_caller_starves_while_others_call_without_end() -> None:
    async def main() -> None:
        client, far = pair(max_in_flight=2)
        calls = dict.fromkeys(range(6), 0)

        async def caller(address: int) -> None:
            while True:
                assert await client.read_holding_registers(address) == [address]
                calls[address] += 1

        async with client, trio.open_nursery() as nursery:
            for address in calls:
                nursery.start_soon(caller, address)
            for _ in range(600):
                await far.send(reply(await far.request()))
            nursery.cancel_scope.cancel()
        assert min(calls.values()) >= 90, calls

    play(main)


def test_calls_that_fail_let_other_tasks_run() -> None:
    async def main() -> None:
        client, far = pair()
        async with client, trio.open_nursery() as nursery:

            async def device() -> None:
                request = await far.request()
                await far.send(request[:4] + b"\0\3\1\x83\2")

            nursery.start_soon(device)
            with trio.testing.assert_checkpoints(), pytest.raises(IllegalDataAddressError):
                await client.read_holding_registers(0)

    play(main)


def test_rtu_on_a_stream_takes_no_stale_answer_for_its_own() -> None:
    """A response between two calls belongs to neither, although it fits the second."""

    async def main() -> None:
        client, far = pair(framing=RtuFraming)
        async with client:
            with pytest.raises(ResponseTimeoutError):
                await client.read_holding_registers(0)
            await far.request(8)
            await trio.sleep(5)  # longer than the timeout for the unit
            await far.send(rtu(bytes([1, 3, 2, 0, 1])))
            async with trio.open_nursery() as nursery:

                async def device() -> None:
                    await far.request(8)
                    await far.send(rtu(bytes([1, 3, 2, 0, 2])))

                nursery.start_soon(device)
                assert await client.read_holding_registers(0) == [2]

    play(main)


def test_rtu_callers_are_served_one_after_the_other() -> None:
    async def main() -> None:
        client, far = pair(framing=RtuFraming)
        got: list[int] = []

        async def caller(address: int) -> None:
            got.extend(await client.read_holding_registers(address))

        async with client, trio.open_nursery() as nursery:
            for address in range(5):
                nursery.start_soon(caller, address)
                await trio.testing.wait_all_tasks_blocked()
            for address in range(5):
                request = await far.request(8)
                assert request[3] == address
                await far.send(rtu(bytes([1, 3, 2, 0, address])))
        assert got == [0, 1, 2, 3, 4]

    play(main)


def test_a_broadcast_is_done_after_its_turnaround() -> None:
    async def main() -> None:
        options = ClientOptions(unit=0, turnaround=0.2)
        client, far = pair(framing=RtuFraming, options=options)
        async with client:
            start = trio.current_time()
            await client.write_register(1, 2)
            assert trio.current_time() - start == pytest.approx(0.2)
            assert (await far.request(8))[0] == 0

    play(main)


def test_wrong_arguments_are_refused_before_a_link_is_opened() -> None:
    async def main() -> None:
        client = TcpClient("192.0.2.1")  # an address for documentation
        with pytest.raises(ValueError, match=r"unit must be 0\.\.255, got 256"):
            await client.read_coils(0, unit=256)
        with pytest.raises(ValueError, match="timeout must be greater than 0"):
            await client.read_coils(0, timeout=0)
        with pytest.raises(ValueError, match=r"1\.\.2000"):
            await client.read_coils(0, 2001)

    play(main)


def test_every_call_is_a_checkpoint() -> None:
    async def main() -> None:
        client, far = pair()
        async with client, trio.open_nursery() as nursery:

            async def device() -> None:
                await far.send(reply(await far.request()))

            nursery.start_soon(device)
            with trio.testing.assert_checkpoints():
                await client.read_holding_registers(0)
            with trio.testing.assert_checkpoints():
                await client.connect()
        with trio.testing.assert_checkpoints():
            await client.aclose()

    play(main)


def test_a_call_in_a_cancelled_scope_sends_nothing() -> None:
    async def main() -> None:
        client, far = pair()
        async with client:
            with trio.CancelScope() as scope:
                scope.cancel()
                await client.write_register(0, 1)
            assert scope.cancelled_caught
            assert client.is_open
        assert await far.ended()

    play(main)


def test_bytes_are_logged_where_that_is_wanted(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        client, far = pair()
        async with client, trio.open_nursery() as nursery:

            async def device() -> None:
                await far.send(reply(await far.request()))

            nursery.start_soon(device)
            await client.read_holding_registers(1)

    caplog.set_level(logging.DEBUG)
    play(main)
    assert [(record.name, record.getMessage()) for record in caplog.records] == [
        ("modwire.client", "stream: opened"),
        ("modwire.wire", "stream: sent 00 01 00 00 00 06 01 03 00 01 00 01"),
        ("modwire.wire", "stream: received 00 01 00 00 00 05 01 03 02 00 01"),
        ("modwire.client", "stream: the client was closed"),
    ]

"""`serve_tcp` among hostile or broken peers: caps, time limits, and peers that never read."""

from __future__ import annotations

import errno
import socket
from typing import Any

import pytest
import trio
import trio.testing

from modwire_trio import serve_tcp
from server_peers import READ, READ_ANSWER, memory_unit, tcp
from serving_peers import (
    SLOW_ANSWER,
    SLOW_READ,
    Greedy,
    OddUnits,
    dialled,
    play_by_hand,
    served,
    settled,
    single,
    waiting_units,
)

LONG = tcp("0300000064")
LONG_ANSWER = tcp("03c8" + "".join(f"{value:04x}" for value in range(100)))


# Who gets in.


def test_the_connection_that_was_idle_longest_makes_room() -> None:
    async def main() -> None:
        async with (
            served(serve_tcp, single(), 0, max_connections=3) as server,
            dialled(server.address) as first,
            dialled(server.address) as second,
            dialled(server.address) as third,
        ):
            for end in (first, second, third, first):  # so the second one is idle longest
                await end.ask(READ, READ_ANSWER)
            async with dialled(server.address) as newcomer:
                await newcomer.ask(READ, READ_ANSWER)
                assert await second.is_closed()
                await first.ask(READ, READ_ANSWER)
                await third.ask(READ, READ_ANSWER)

    trio.run(main)


def test_connections_that_wait_for_their_unit_are_not_closed_for_others() -> None:
    async def main() -> None:
        units, unit = waiting_units()
        async with (
            served(serve_tcp, units, 0, max_connections=1) as server,
            dialled(server.address) as end,
        ):
            await end.send(SLOW_READ)
            await unit.entered.wait()
            async with dialled(server.address) as newcomer:
                assert await newcomer.is_closed()
            unit.opened.set()
            assert await end.receive(len(SLOW_ANSWER)) == SLOW_ANSWER

    trio.run(main)


@pytest.mark.parametrize("is_pipelined", [False, True])
def test_a_peer_that_hung_up_while_its_unit_waits_makes_room(is_pipelined: bool) -> None:
    async def main() -> None:
        units, unit = waiting_units()
        async with served(serve_tcp, units, 0, max_connections=1) as server:
            async with dialled(server.address) as gone:
                await gone.send(SLOW_READ)
                await unit.entered.wait()
                if is_pipelined:
                    await gone.send(SLOW_READ)  # which the server does not read before the end
            async with dialled(server.address) as newcomer:
                await newcomer.ask(READ, READ_ANSWER)
        assert unit.asked == 1
        assert unit.cancelled == 1

    trio.run(main)


def test_a_peer_that_ends_its_sending_is_answered_if_no_room_is_needed() -> None:
    async def main() -> None:
        units, unit = waiting_units()
        async with (
            served(serve_tcp, units, 0, max_connections=2) as server,
            dialled(server.address) as end,
            dialled(server.address) as other,
        ):
            await end.send(SLOW_READ)
            await unit.entered.wait()
            assert isinstance(end.stream, trio.SocketStream)
            await end.stream.send_eof()
            await other.ask(READ, READ_ANSWER)
            unit.opened.set()
            assert await end.receive(len(SLOW_ANSWER)) == SLOW_ANSWER
            assert await end.is_closed()

    trio.run(main)


def test_only_allowed_networks_get_in(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with served(serve_tcp, single(), 0, host="", allow=["127.0.0.2", "::1"]) as server:
            local = ("127.0.0.1", server.address.port)
            async with dialled(local) as stranger:
                assert await stranger.is_closed()
            async with dialled(local, source="127.0.0.2") as friend:
                await friend.ask(READ, READ_ANSWER)

    trio.run(main)
    assert "127.0.0.1" in caplog.text
    assert "not allowed" in caplog.text


def test_hooks_see_the_peer() -> None:
    async def main() -> None:
        seen: list[object] = []
        hook = lambda peer, *_: seen.append(peer)  # noqa: E731 - it is short
        async with (
            served(serve_tcp, single(), 0, host="", on_call=hook) as server,
            dialled(("127.0.0.1", server.address.port)) as end,
        ):
            await end.ask(READ, READ_ANSWER)
            assert isinstance(end.stream, trio.SocketStream)
            assert seen == [end.stream.socket.getsockname()]

    trio.run(main)


def test_without_file_descriptors_it_pauses_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It evicts a connection and tries again at once; if that fails too, it pauses first."""
    failures = 2
    attempts = 0
    accept = socket.socket.accept

    def fails(listener: socket.socket) -> tuple[socket.socket, Any]:
        nonlocal attempts
        attempts += 1
        if attempts <= failures:
            raise OSError(errno.EMFILE, "Too many open files")
        return accept(listener)

    async def main(clock: trio.testing.MockClock) -> None:
        async with (
            served(serve_tcp, single(), 0) as server,
            dialled(server.address) as first,
            dialled(server.address) as second,
            dialled(server.address) as third,
        ):
            for end in (first, second, third):
                await end.ask(READ, READ_ANSWER)
                clock.jump(1.0)
            monkeypatch.setattr(socket.socket, "accept", fails)
            async with dialled(server.address) as late:
                await late.send(READ)
                await third.ask(READ, READ_ANSWER)
                await settled()
                assert attempts == failures, "both without a pause between them"
                clock.jump(0.2)
                await settled()
                assert attempts == failures, "it tried without a pause"
                clock.jump(1.0)
                assert await late.receive(len(READ_ANSWER)) == READ_ANSWER
            assert await first.is_closed(), "the one that is idle longest makes room"
            for end in (second, third):
                await end.ask(READ, READ_ANSWER)

    play_by_hand(main)
    assert caplog.text.count("Too many open files") == 1


def test_the_pause_of_accepting_does_not_delay_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = trio.Event()

    def fails(listener: socket.socket) -> tuple[socket.socket, Any]:
        tried.set()
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    async def main() -> None:
        async with served(serve_tcp, single(), 0, grace=1000.0) as server:
            monkeypatch.setattr(socket.socket, "accept", fails)
            async with dialled(server.address):
                await tried.wait()
                await server.stop()

    trio.run(main)


# What peers do.


def test_a_peer_that_never_reads_costs_little_and_stalls_no_other() -> None:
    async def main() -> None:
        seen: list[object] = []
        async with (
            served(serve_tcp, single(), 0, on_call=lambda *_: seen.append(1)) as server,
            dialled(server.address) as greedy,
            dialled(server.address) as other,
            trio.open_nursery() as nursery,
        ):
            asking = Greedy(greedy, LONG)
            nursery.start_soon(asking.run)
            answered = -1
            while answered != len(seen):
                answered = len(seen)
                await settled()  # the buffers of both directions are full
            asking.stop()
            for _ in range(10):
                await other.ask(READ, READ_ANSWER)
            assert len(seen) == answered + 10, "no more requests of the greedy one are taken"
            # When it finally reads, no response is missing.
            whole, part = divmod(asking.sent, len(LONG))
            assert await greedy.receive(whole * len(LONG_ANSWER)) == whole * LONG_ANSWER
            await greedy.ask(LONG[part:], LONG_ANSWER)

    trio.run(main)


def test_a_peer_that_never_reads_is_idle_too() -> None:
    async def main(clock: trio.testing.MockClock) -> None:
        async with (
            served(serve_tcp, single(), 0, idle_timeout=10.0) as server,
            dialled(server.address) as greedy,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(Greedy(greedy, LONG).run)
            await settled()  # the buffers of both directions are full
            clock.jump(10.1)

    play_by_hand(main)


def test_a_flood_leaves_others_their_turn() -> None:
    async def main() -> None:
        async with (
            served(serve_tcp, single(), 0) as server,
            dialled(server.address) as flooding,
            dialled(server.address) as other,
            trio.open_nursery() as nursery,
        ):

            async def flood() -> None:
                while True:
                    await flooding.stream.send_all(READ * 300)

            async def drain() -> None:
                while True:
                    await flooding.stream.receive_some(65536)

            nursery.start_soon(flood)
            nursery.start_soon(drain)
            for _ in range(50):
                await other.ask(READ, READ_ANSWER)
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_idle_connections_are_closed_and_busy_ones_are_not() -> None:
    async def main(clock: trio.testing.MockClock) -> None:
        units, unit = waiting_units()
        async with (
            served(serve_tcp, units, 0, idle_timeout=10.0) as server,
            dialled(server.address) as silent,
            dialled(server.address) as waiting,
        ):
            await silent.ask(READ, READ_ANSWER)
            await waiting.send(SLOW_READ)
            await unit.entered.wait()
            clock.jump(9.9)
            await settled()
            await silent.ask(READ, READ_ANSWER)  # in time, and the timeout counts from here
            clock.jump(9.9)
            await settled()
            clock.jump(0.2)
            assert await silent.is_closed()
            clock.jump(100.0)
            await settled()
            unit.opened.set()
            assert await waiting.receive(len(SLOW_ANSWER)) == SLOW_ANSWER, "it was not idle"
            await settled()
            clock.jump(10.1)
            assert await waiting.is_closed()

    play_by_hand(main)


def test_a_bug_ends_one_connection_and_never_the_server(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with (
            served(serve_tcp, OddUnits({1: memory_unit()}), 0) as server,
            dialled(server.address) as good,
        ):
            for _ in range(3):
                async with dialled(server.address) as bad:
                    await bad.send(tcp("0300050001", unit=13))
                    assert await bad.is_closed()
                await good.ask(READ, READ_ANSWER)

    trio.run(main)
    assert caplog.text.count("ends: an error that is no peer's") == 1


def test_noise_ends_the_connection_of_its_sender_only() -> None:
    async def main() -> None:
        async with served(serve_tcp, single(), 0) as server, dialled(server.address) as good:
            for noise in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"\xff" * 4096):
                async with dialled(server.address) as bad:
                    await bad.send(noise)
                    assert await bad.is_closed()
                await good.ask(READ, READ_ANSWER)

    trio.run(main)


def test_peers_that_go_in_the_middle_free_their_place() -> None:
    async def main() -> None:
        units, unit = waiting_units()
        async with served(serve_tcp, units, 0, max_connections=2) as server:
            async with dialled(server.address) as end:
                await end.send(SLOW_READ * 3)
                await unit.entered.wait()
                assert isinstance(end.stream, trio.SocketStream)
                linger = b"\1\0\0\0\0\0\0\0"  # closing resets the connection
                end.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            async with dialled(server.address) as half:
                await half.send(READ[:5])
            unit.opened.set()
            async with dialled(server.address) as one, dialled(server.address) as other:
                for _ in range(3):
                    await one.ask(READ, READ_ANSWER)
                    await other.ask(READ, READ_ANSWER)

    trio.run(main)

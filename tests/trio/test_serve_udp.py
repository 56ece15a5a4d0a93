"""`serve_udp`: each request gets a response, to the peer that sent it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trio
import trio.testing

from modwire import RtuFraming
from modwire_trio import UdpClient, serve_udp
from server_peers import PATIENCE, READ, READ_ANSWER, gated_units, rtu, tcp
from serving_peers import (
    SLOW_ANSWER,
    SLOW_READ,
    OddUnits,
    in_thread,
    memory_unit,
    served,
    single,
    waiting_units,
)


class Peer:
    """A UDP socket that sends requests to one server."""

    def __init__(self, link: trio.socket.SocketType) -> None:
        self.link = link

    async def send(self, data: bytes) -> None:
        await self.link.send(data)

    async def receive(self) -> bytes:
        with trio.fail_after(PATIENCE):
            return await self.link.recv(65536)

    async def ask(self, request: bytes, answer: bytes) -> None:
        await self.send(request)
        received = await self.receive()
        assert received == answer, f"{received.hex(' ')} is not {answer.hex(' ')}"


@contextmanager
def peer(address: tuple[str, int], source: str = "") -> Iterator[Peer]:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as plain:
        if source:
            plain.bind((source, 0))
        plain.connect(address)
        yield Peer(trio.socket.from_stdlib_socket(plain))


def test_each_peer_gets_the_answers_to_its_own_requests() -> None:
    async def main() -> None:
        seen: list[object] = []
        async with served(
            serve_udp, single(), 0, on_call=lambda who, *_: seen.append(who)
        ) as server:
            with peer(server.address) as one, peer(server.address) as two:
                await one.send(tcp("0300010001", 1))
                await two.send(tcp("0300020001", 2))
                assert await one.receive() == tcp("03020001", 1)
                assert await two.receive() == tcp("03020002", 2)
                assert set(seen) == {one.link.getsockname(), two.link.getsockname()}

    trio.run(main)


def test_several_requests_in_a_datagram_get_an_answer_each() -> None:
    async def main() -> None:
        async with served(serve_udp, single(), 0) as server:
            with peer(server.address) as client:
                client.link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
                await client.send(b"".join(tcp("0300010001", number) for number in range(3)))
                answers = {await client.receive() for _ in range(3)}
                assert answers == {tcp("03020001", number) for number in range(3)}
                await client.send((READ * 5461)[:65000])
                assert await client.receive() == READ_ANSWER

    trio.run(main)


def test_a_broken_datagram_leaves_nothing_behind() -> None:
    async def main() -> None:
        async with served(serve_udp, single(), 0) as server:
            with peer(server.address) as client:
                no_modbus = bytes.fromhex("000100010006010300000001")
                for broken in (READ[:-1], b"\xff" * 300, b"", no_modbus):
                    await client.send(broken)
                    await client.ask(READ, READ_ANSWER)

    trio.run(main)


def test_rtu_frames_in_datagrams_and_a_client_of_ours() -> None:
    async def main() -> None:
        async with served(serve_udp, single(), 0, framing=RtuFraming) as server:
            with peer(server.address) as client:
                await client.ask(rtu("0300050001"), rtu("03020005"))
                await client.ask(rtu("080000a537"), rtu("080000a537"))
            async with UdpClient(*server.address, framing=RtuFraming) as ours:
                assert await ours.read_holding_registers(5, 3) == [5, 6, 7]

    trio.run(main)


@pytest.mark.parametrize("host", ["::1", ""])
def test_ipv6(host: str) -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")

    async def main() -> None:
        async with served(serve_udp, single(), 0, host=host) as server:
            for target in ("::1", "127.0.0.1") if not host else (host,):
                with peer((target, server.address.port)) as client:
                    await client.ask(READ, READ_ANSWER)

    trio.run(main)


def test_units_that_block_stall_no_other_peer_and_too_many_calls_get_06() -> None:
    async def main() -> None:
        units, gate = gated_units()
        async with served(serve_udp, units, 0, max_calls=2, workers=1) as server:
            with peer(server.address) as slow, peer(server.address) as other:
                await slow.send(tcp("0300000001", 1, unit=2) + tcp("0300000001", 2, unit=2))
                await in_thread(gate.wait_entered)
                await other.ask(READ, READ_ANSWER)
                await other.ask(tcp("0300000001", 3, unit=2), tcp("8306", 3, unit=2))
                gate.opened.set()
                answers = {await slow.receive(), await slow.receive()}
                assert answers == {tcp("03024711", number, unit=2) for number in (1, 2)}
        assert units[2].busy_count == 1

    trio.run(main)


def test_hooks_of_calls_that_are_awaited_see_their_own_peer() -> None:
    async def main() -> None:
        seen: list[object] = []
        units, unit = waiting_units()
        async with served(serve_udp, units, 0, on_call=lambda who, *_: seen.append(who)) as server:
            with peer(server.address) as slow, peer(server.address) as other:
                await slow.send(SLOW_READ)
                await unit.entered.wait()
                await other.ask(READ, READ_ANSWER)
                unit.opened.set()
                assert await slow.receive() == SLOW_ANSWER
                assert seen == [other.link.getsockname(), slow.link.getsockname()]

    trio.run(main)


def test_when_cancelled_the_answers_of_calls_that_are_out_are_sent_and_no_others() -> None:
    async def main() -> None:
        units, unit = waiting_units()
        async with served(serve_udp, units, 0) as server:
            with peer(server.address) as client:
                await client.send(SLOW_READ)
                await unit.entered.wait()
                server.scope.cancel()
                await trio.testing.wait_all_tasks_blocked()
                await client.send(tcp("0600050777"))
                await trio.testing.wait_all_tasks_blocked(0.01)
                unit.opened.set()
                assert await client.receive() == SLOW_ANSWER
                await server.over()
        assert list(units[1].holding_registers.read(5, 1)) == [5], "the write was not done"

    trio.run(main)


def test_a_call_that_hangs_ends_with_the_grace() -> None:
    async def main() -> None:
        units, unit = waiting_units()
        async with served(serve_udp, units, 0, grace=0.05) as server:
            with peer(server.address) as client:
                await client.send(SLOW_READ)
                await unit.entered.wait()
                await server.stop()

    trio.run(main)


def test_only_allowed_networks_are_answered(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with served(serve_udp, single(), 0, allow=["127.0.0.2"]) as server:
            with peer(server.address) as stranger, peer(server.address, "127.0.0.2") as friend:
                await stranger.send(tcp("060005ffff"))
                await friend.ask(READ, READ_ANSWER)

    trio.run(main)
    assert "not allowed" in caplog.text


def test_a_bug_costs_one_datagram(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with served(serve_udp, OddUnits({1: memory_unit()}), 0) as server:
            with peer(server.address) as client:
                await client.send(tcp("0300050001", unit=13))
                await client.ask(READ, READ_ANSWER)

    trio.run(main)
    assert "no luck" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"port": 70000}, r"port must be 0\.\.65535, got 70000"),
        ({"port": 0, "max_calls": 0}, "max_calls must be a whole number, at least 1, got 0"),
        ({"port": 0, "grace": -1}, "grace must be at least 0 seconds, got -1"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(arguments: dict[str, Any], message: str) -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match=message):
            await serve_udp(single(), **arguments)

    trio.run(main)


def test_a_port_in_use_is_an_error() -> None:
    async def main() -> None:
        async with served(serve_udp, single(), 0) as server:
            with pytest.raises(OSError, match=str(server.address.port)):
                await serve_udp(single(), server.address.port)

    trio.run(main)

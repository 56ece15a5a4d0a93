"""`serve_tcp` on sockets: its addresses, its peers, and its end."""

from __future__ import annotations

import os
import signal
import socket
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from modwire import AsciiFraming, RtuFraming, Unit, Units
from modwire_trio import AsyncUnit, RemoteUnit, TcpClient, serve_tcp
from server_peers import READ, READ_ANSWER, gated_units, memory_unit, rtu, tcp
from serving_peers import (
    SLOW_ANSWER,
    SLOW_READ,
    Greedy,
    dialled,
    in_thread,
    play_by_hand,
    served,
    settled,
    single,
    waiting_units,
    without_epoll,
)

LONG = tcp("0300000064")


@pytest.fixture(autouse=True, params=[True, False], ids=["epoll", "no epoll"])
def _epoll(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test twice: one task waits for all sockets, or a task for each."""
    if not request.param:
        without_epoll(monkeypatch)


# Where it listens.


def test_it_tells_where_it_listens_and_answers_there() -> None:
    async def main() -> None:
        async with served(serve_tcp, single(), 0) as server:
            host, port = server.address
            assert host == "127.0.0.1"
            assert port > 0
            async with dialled(server.address) as one, dialled(server.address) as other:
                for _ in range(3):
                    await one.ask(READ, READ_ANSWER)
                    await other.ask(READ, READ_ANSWER)

    trio.run(main)


@pytest.mark.parametrize("host", ["", "::1", "localhost", "0.0.0.0"])
def test_hosts_are_names_and_addresses_of_both_kinds(host: str) -> None:
    if ":" in host and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")

    async def main() -> None:
        async with served(serve_tcp, single(), 0, host=host) as server:
            port = server.address.port
            targets = {"": ["127.0.0.1", "::1"], "0.0.0.0": ["127.0.0.1"]}.get(host, [host])
            for target in targets:
                if ":" not in target or socket.has_dualstack_ipv6():
                    async with dialled((target, port)) as end:
                        await end.ask(READ, READ_ANSWER)

    trio.run(main)


def test_a_port_in_use_is_a_plain_error_and_no_group() -> None:
    async def main() -> None:
        async with served(serve_tcp, single(), 0) as server:
            port = server.address.port
            with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1 port {port}"):
                await serve_tcp(single(), port)

    trio.run(main)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"port": -1}, r"port must be 0\.\.65535, got -1"),
        ({"port": "502"}, r"port must be 0\.\.65535, got '502'"),
        ({"port": 0, "host": None}, "host must be a name or an IP address, got None"),
        (
            {"port": 0, "max_connections": 0},
            "max_connections must be a whole number, at least 1, got 0",
        ),
        ({"port": 0, "workers": 0}, "workers must be a whole number, at least 1, got 0"),
        ({"port": 0, "allow": "10.0.0.0/8"}, "allow must be a list of networks"),
        ({"port": 0, "allow": ["10.0.0.1/8"]}, "10.0.0.1/8 has host bits set"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(arguments: dict[str, Any], message: str) -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match=message):
            await serve_tcp(single(), **arguments)

    trio.run(main)


def test_several_servers_share_a_port_where_that_is_asked_for() -> None:
    async def main() -> None:
        async with served(serve_tcp, single(), 0, reuse_port=True) as one:
            port = one.address.port
            async with (
                served(serve_tcp, single(), port, reuse_port=True),
                dialled(one.address) as end,
            ):
                await end.ask(READ, READ_ANSWER)

    trio.run(main)


# Who is served.


@pytest.mark.parametrize("framing", [RtuFraming, AsciiFraming])
def test_serial_frames_in_a_tcp_stream(framing: type[RtuFraming]) -> None:
    async def main() -> None:
        units = Units({1: memory_unit()})
        async with (
            served(serve_tcp, units, 0, framing=framing) as server,
            TcpClient(*server.address, framing=framing) as client,
        ):
            assert await client.read_holding_registers(5, 3) == [5, 6, 7]
            assert await client.return_query_data([1, 2, 3]) == [1, 2, 3]

    trio.run(main)


def test_silence_ends_a_frame_on_tcp_too() -> None:
    async def main(clock: trio.testing.MockClock) -> None:
        units = Units({1: memory_unit()})
        async with (
            served(serve_tcp, units, 0, framing=RtuFraming, idle_timeout=60.0) as server,
            dialled(server.address) as end,
        ):
            await end.send(rtu("080000a537"))
            await settled()
            clock.jump(1.0)
            assert await end.receive(8) == rtu("080000a537")
            await end.ask(rtu("0300050001"), rtu("03020005"))

    play_by_hand(main)


def test_units_that_block_stall_their_client_only() -> None:
    async def main() -> None:
        units, gate = gated_units()
        async with (
            served(serve_tcp, units, 0) as server,
            dialled(server.address) as slow,
            dialled(server.address) as other,
        ):
            await slow.send(SLOW_READ + READ)
            await in_thread(gate.wait_entered)
            for _ in range(10):
                await other.ask(READ, READ_ANSWER)
            gate.opened.set()
            answers = SLOW_ANSWER + READ_ANSWER
            assert await slow.receive(len(answers)) == answers, "in order"

    trio.run(main)


def test_only_so_many_calls_block_threads_at_once() -> None:
    async def main() -> None:
        units, gate = gated_units()
        async with (
            served(serve_tcp, units, 0, workers=1) as server,
            dialled(server.address) as one,
            dialled(server.address) as other,
        ):
            await one.send(SLOW_READ)
            await in_thread(gate.wait_entered)
            await other.send(SLOW_READ)
            await one.send(READ)
            async with dialled(server.address) as third:
                for _ in range(10):
                    await third.ask(READ, READ_ANSWER)
            assert not gate.entered.acquire(blocking=False), "the second one waits for a thread"
            gate.opened.set()
            assert await one.receive(len(SLOW_ANSWER)) == SLOW_ANSWER
            assert await other.receive(len(SLOW_ANSWER)) == SLOW_ANSWER

    trio.run(main)


def test_a_gateway_asks_several_devices_at_once() -> None:
    async def main() -> None:
        far_units, far = waiting_units()
        async with (
            served(serve_tcp, far_units, 0) as device,
            TcpClient(*device.address) as client,
            TcpClient(*device.address) as other_client,
        ):
            units = Units({1: RemoteUnit(client, 2), 2: RemoteUnit(other_client, 1)})
            async with (
                served(serve_tcp, units, 0) as gateway,
                dialled(gateway.address) as slow,
                dialled(gateway.address) as quick,
            ):
                await slow.send(READ)
                await far.entered.wait()
                await quick.ask(tcp("0300050001", unit=2), tcp("03020005", unit=2))
                far.opened.set()
                assert await slow.receive(len(READ_ANSWER)) == tcp("03024711")

    trio.run(main)


# The end.


def test_when_cancelled_calls_may_end_and_new_connections_are_refused() -> None:
    async def main() -> None:
        units, gate = gated_units()
        async with (
            served(serve_tcp, units, 0) as server,
            dialled(server.address) as slow,
            dialled(server.address) as idle,
        ):
            await idle.ask(READ, READ_ANSWER)
            await slow.send(SLOW_READ + READ)
            await in_thread(gate.wait_entered)
            server.scope.cancel()
            assert await idle.is_closed()
            with pytest.raises(OSError, match="connect"):
                await trio.open_tcp_stream(*server.address)
            gate.opened.set()
            assert await slow.receive(99) == SLOW_ANSWER
            await server.over()

    trio.run(main)


def test_a_thread_that_hangs_cannot_keep_it_from_ending() -> None:
    async def main() -> None:
        units, gate = gated_units()
        async with (
            served(serve_tcp, units, 0, grace=0.1, workers=1) as server,
            dialled(server.address) as one,
            dialled(server.address) as two,
        ):
            await one.send(SLOW_READ)
            await two.send(SLOW_READ)
            await in_thread(gate.wait_entered)
            await server.stop()
            assert await one.is_closed()
            assert await two.is_closed()
            gate.opened.set()

    trio.run(main)


def test_answers_that_are_not_read_delay_the_end_by_the_grace_at_most() -> None:
    async def main(clock: trio.testing.MockClock) -> None:
        async with (
            served(serve_tcp, single(), 0, grace=10.0) as server,
            dialled(server.address) as greedy,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(Greedy(greedy, LONG).run)
            await settled()  # the buffers of both directions are full
            server.scope.cancel()
            await settled()
            assert not server.ended.is_set()
            clock.jump(10.1)
            await server.over()

    play_by_hand(main)


def test_it_leaves_no_file_open() -> None:
    async def main() -> None:
        async def once() -> None:
            async with (
                served(serve_tcp, single(), 0) as server,
                dialled(server.address) as one,
                dialled(server.address) as other,
            ):
                await one.ask(READ, READ_ANSWER)
                await other.ask(READ, READ_ANSWER)
                await server.stop()

        await once()
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            await once()
        assert len(os.listdir("/proc/self/fd")) == before

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("this system does not list the open files")
    trio.run(main)


def test_an_interrupted_program_ends_with_the_interrupt_alone() -> None:
    class Status:
        def started(self, value: object = None) -> None:
            trio.lowlevel.spawn_system_task(self.interrupt)

        async def interrupt(self) -> None:
            await trio.testing.wait_all_tasks_blocked()
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        trio.run(partial(serve_tcp, single(), 0, task_status=Status()))


def test_it_may_be_cancelled_before_it_has_accepted_anybody() -> None:
    async def main() -> None:
        for _ in range(20):
            async with trio.open_nursery() as nursery:
                await nursery.start(serve_tcp, single(), 0)
                nursery.cancel_scope.cancel()

    trio.run(main)


@pytest.mark.parametrize("kind", ["cancelled", "foreign", "thread"])
def test_a_unit_cannot_end_the_server_with_what_no_exception_handler_sees(kind: str) -> None:
    class Foreign(BaseException):
        pass

    class Leaking(AsyncUnit):
        async def execute(self, request: Any, *, broadcast: bool = False) -> Any:
            if kind == "foreign":
                raise Foreign
            kept: BaseException | None = None
            with trio.CancelScope() as scope:
                scope.cancel()
                try:
                    await trio.sleep_forever()
                except trio.Cancelled as error:
                    kept = error
            assert kept is not None
            raise kept

    class Blocking(Unit):
        def execute(self, request: Any, *, broadcast: bool = False) -> Any:
            raise Foreign

    bad = Blocking(blocking=True) if kind == "thread" else Leaking()
    units = Units({1: memory_unit(), 2: bad})

    async def main() -> None:
        async with (
            served(serve_tcp, units, 0) as server,
            dialled(server.address) as end,
            dialled(server.address) as other,
        ):
            await end.ask(tcp("0300000001", unit=2), tcp("8304", unit=2))
            await end.ask(READ, READ_ANSWER)
            await other.ask(READ, READ_ANSWER)

    trio.run(main)

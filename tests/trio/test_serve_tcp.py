"""`serve_tcp` and `serve_unix` on sockets: who gets in, who is served, and how it ends."""

from __future__ import annotations

import errno
import os
import socket
import stat
import time
from pathlib import Path
from typing import Any

import pytest
import trio

from modwire import AsciiFraming, RtuFraming, Units
from modwire.networks import HostPort
from modwire_trio import RemoteUnit, TcpClient, serve_tcp, serve_unix
from server_peers import READ, READ_ANSWER, gated_units, memory_unit, rtu, tcp
from serving_peers import (
    SLOW_ANSWER,
    SLOW_READ,
    OddUnits,
    dialled,
    in_thread,
    served,
    single,
    until,
    waiting_units,
)

LONG = tcp("0300000064")
LONG_ANSWER = tcp("03c8" + "".join(f"{value:04x}" for value in range(100)))


# Where it listens.


def test_it_tells_where_it_listens_and_answers_there() -> None:
    async def main() -> None:
        async with served(serve_tcp, single(), 0) as server:
            assert isinstance(server.address, HostPort)
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


def test_a_port_in_use_is_told_alone_and_in_no_group() -> None:
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
        ({"port": 0, "max_connections": 0}, "max_connections must be at least 1, got 0"),
        ({"port": 0, "workers": 0}, "workers must be at least 1, got 0"),
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
    failures = 2
    attempts: list[float] = []
    accept = socket.socket.accept

    def fails(listener: socket.socket) -> tuple[socket.socket, Any]:
        if len(attempts) < failures:
            attempts.append(time.monotonic())
            raise OSError(errno.EMFILE, "Too many open files")
        return accept(listener)

    async def main() -> None:
        async with (
            served(serve_tcp, single(), 0) as server,
            dialled(server.address) as first,
            dialled(server.address) as second,
            dialled(server.address) as third,
        ):
            for end in (first, second, third):
                await end.ask(READ, READ_ANSWER)
            monkeypatch.setattr(socket.socket, "accept", fails)
            async with dialled(server.address) as late:
                await late.send(READ)
                await third.ask(READ, READ_ANSWER)
                assert await late.receive(len(READ_ANSWER)) == READ_ANSWER
            for end in (first, second):
                assert await end.is_closed(), "the one that is idle longest makes room"
            await third.ask(READ, READ_ANSWER)

    trio.run(main)
    assert len(attempts) == failures
    assert attempts[-1] - attempts[0] >= 0.2, "it tried without a pause"
    assert caplog.text.count("Too many open files") == failures


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
    async def main() -> None:
        units = Units({1: memory_unit()})
        async with (
            served(serve_tcp, units, 0, framing=RtuFraming, idle_timeout=60.0) as server,
            dialled(server.address) as end,
        ):
            start = trio.current_time()
            await end.ask(rtu("080000a537"), rtu("080000a537"))
            assert trio.current_time() - start < 5.0
            await end.ask(rtu("0300050001"), rtu("03020005"))

    trio.run(main)


def test_units_that_block_stall_nobody_but_their_client() -> None:
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


def test_a_peer_that_never_reads_costs_little_and_stalls_nobody() -> None:
    async def main() -> None:
        seen: list[object] = []
        async with (
            served(serve_tcp, single(), 0, on_call=lambda *_: seen.append(1)) as server,
            dialled(server.address) as greedy,
            dialled(server.address) as other,
        ):
            assert isinstance(greedy.stream, trio.SocketStream)
            plain = greedy.stream.socket
            sent = 0
            with trio.CancelScope() as scope:
                while True:
                    scope.deadline = trio.current_time() + 0.5
                    sent += await plain.send(LONG * 100)
            answered = len(seen)
            for _ in range(10):
                await other.ask(READ, READ_ANSWER)
            assert len(seen) == answered + 10, "no more requests of the greedy one are taken"
            # It loses nothing when it reads at last.
            whole, part = divmod(sent, len(LONG))
            for _ in range(whole):
                assert await greedy.receive(len(LONG_ANSWER)) == LONG_ANSWER
            await greedy.ask(LONG[part:], LONG_ANSWER)

    trio.run(main)


def test_a_peer_that_never_reads_is_idle_too() -> None:
    async def main() -> None:
        async with (
            served(serve_tcp, single(), 0, idle_timeout=0.2) as server,
            dialled(server.address) as greedy,
        ):
            assert isinstance(greedy.stream, trio.SocketStream)
            with trio.fail_after(20.0):
                try:
                    while True:
                        await greedy.stream.socket.send(LONG * 100)
                except ConnectionError:
                    pass

    trio.run(main)


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
    async def main() -> None:
        units, unit = waiting_units()
        async with (
            served(serve_tcp, units, 0, idle_timeout=0.3) as server,
            dialled(server.address) as silent,
            dialled(server.address) as waiting,
        ):
            start = trio.current_time()
            await waiting.send(SLOW_READ)
            await unit.entered.wait()
            assert await silent.is_closed()
            assert trio.current_time() - start >= 0.27
            await trio.sleep(0.3)
            unit.opened.set()
            assert await waiting.receive(len(SLOW_ANSWER)) == SLOW_ANSWER, "it was not idle"
            assert await waiting.is_closed()

    trio.run(main)


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
    assert caplog.text.count("ends: an error that is no peer's") == 3


def test_noise_is_nobodys_trouble_but_its_senders() -> None:
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


# The end.


def test_when_cancelled_calls_may_end_and_nobody_new_gets_in() -> None:
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


def test_answers_that_nobody_takes_last_no_longer_than_the_grace() -> None:
    async def main() -> None:
        async with (
            served(serve_tcp, single(), 0, grace=0.1) as server,
            dialled(server.address) as greedy,
        ):
            assert isinstance(greedy.stream, trio.SocketStream)
            with trio.CancelScope() as scope:
                while True:
                    scope.deadline = trio.current_time() + 0.3
                    await greedy.stream.socket.send(LONG * 100)
            await server.stop()

    trio.run(main)


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
        pytest.skip("this system does not tell which files are open")
    trio.run(main)


# Unix sockets.


def test_a_unix_socket_is_made_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "modbus"

    async def main() -> None:
        seen: list[object] = []
        async with served(
            serve_unix, single(), str(path), on_call=lambda peer, *_: seen.append(peer)
        ) as server:
            assert server.address == str(path)
            assert stat.S_ISSOCK(path.stat().st_mode)
            async with dialled(str(path)) as end:
                await end.ask(READ, READ_ANSWER)
        assert seen == [str(path)]
        assert not path.exists()

    trio.run(main)


def test_the_file_is_gone_before_the_grace_is_over(tmp_path: Path) -> None:
    path = tmp_path / "modbus"

    async def main() -> None:
        units, unit = waiting_units()
        async with served(serve_unix, units, str(path)) as server, dialled(str(path)) as end:
            await end.send(SLOW_READ)
            await unit.entered.wait()
            server.scope.cancel()
            await until(lambda: not path.exists())
            assert not server.ended.is_set()
            unit.opened.set()
            assert await end.receive(99) == SLOW_ANSWER

    trio.run(main)


def test_a_stale_socket_file_is_replaced_and_others_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "modbus"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    async def main() -> None:
        async with served(serve_unix, single(), str(path)):
            async with dialled(str(path)) as end:
                await end.ask(READ, READ_ANSWER)
            with pytest.raises(OSError, match="cannot listen on"):
                await serve_unix(single(), str(path))
            async with dialled(str(path)) as end:
                await end.ask(READ, READ_ANSWER)
        path.write_text("not a socket")
        with pytest.raises(OSError, match="cannot listen on"):
            await serve_unix(single(), str(path))
        assert path.read_text() == "not a socket"
        with pytest.raises(OSError, match="cannot listen on"):
            await serve_unix(single(), "x" * 300)

    trio.run(main)


def test_the_file_of_a_server_that_took_the_path_over_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "modbus"

    async def main() -> None:
        async with served(serve_unix, single(), str(path)) as old:
            path.unlink()
            async with served(serve_unix, single(), str(path)):
                await old.stop()
                async with dialled(str(path)) as end:
                    await end.ask(READ, READ_ANSWER)

    trio.run(main)

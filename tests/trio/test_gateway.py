"""`Gateway` on trio: clients take turns; requests of disconnected clients are dropped."""

from __future__ import annotations

import logging
import socket
import struct
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing

from modwire import (
    ClientOptions,
    Request,
    Response,
    ServerOptions,
    Unit,
    WriteSingleRegisterResponse,
)
from modwire.errors import GatewayTargetFailedError, ResponseTimeoutError
from modwire_trio import (
    Client,
    Gateway,
    TcpClient,
    serve_serial,
    serve_stream,
    serve_tcp,
    serve_udp,
)
from server_peers import PATIENCE, line, memory_unit, rtu, tcp
from serving_peers import End, dialled, in_thread, served, settled, until, without_epoll


class FakeLine(Client):
    """A client with calls that end when the test lets them; `asked` has the written values."""

    def __init__(self, **options: Any) -> None:
        near, _ = trio.testing.memory_stream_pair()
        super().__init__(near, options=ClientOptions(**options))
        self.asked: list[tuple[int | None, int]] = []
        self.may_end = trio.Semaphore(0)
        self.error: Exception | None = None

    async def call(
        self,
        request: Request[Any],
        *,
        unit: int | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> Any:
        pdu = request.encode()
        self.asked.append((unit, pdu[4]))
        with trio.fail_after(PATIENCE):
            await self.may_end.acquire()
        if self.error is not None:
            raise self.error
        return None if unit == 0 else WriteSingleRegisterResponse(0, pdu[4])

    def let(self, count: int) -> None:
        """Let `count` calls end."""
        for _ in range(count):
            self.may_end.release()

    async def wait_asked(self, count: int) -> None:
        await until(lambda: len(self.asked) >= count)


def write(value: int, unit: int = 1) -> bytes:
    return tcp(f"060000{value:04x}", value, unit=unit)


@pytest.mark.parametrize("has_epoll", [True, False])
@pytest.mark.parametrize("resets", [True, False])
def test_a_waiting_request_of_a_peer_that_leaves_is_not_sent(
    has_epoll: bool, resets: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_epoll:
        without_epoll(monkeypatch)

    async def main() -> None:
        fake = FakeLine()
        async with (
            served(serve_tcp, Gateway(fake), 0) as server,
            dialled(server.address) as first,
            dialled(server.address) as last,
        ):
            await first.send(write(1))
            await fake.wait_asked(1)
            async with dialled(server.address) as leaving:
                await leaving.send(write(2))
                await settled()
                if resets:
                    assert isinstance(leaving.stream, trio.SocketStream)
                    leaving.stream.setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                    )
            await settled()
            await last.send(write(3))
            await settled()
            fake.let(2)
            assert await first.receive(12) == write(1)
            assert await last.receive(12) == write(3)
            fake.let(1)
            await last.ask(write(4), write(4))
        assert fake.asked == [(1, 1), (1, 3), (1, 4)]

    trio.run(main)


def test_a_peer_that_only_ends_its_sending_gets_06_for_what_was_queued() -> None:
    """The request that the device is executing gets its normal response."""

    async def main() -> None:
        fake = FakeLine()
        async with (
            served(serve_tcp, Gateway(fake), 0) as server,
            dialled(server.address) as first,
            dialled(server.address) as second,
        ):
            for number, peer in enumerate((first, second), 1):
                await peer.send(write(number))
                await fake.wait_asked(1)
                assert isinstance(peer.stream, trio.SocketStream)
                await peer.stream.send_eof()
            assert await second.receive(9) == tcp("8606", 2)
            fake.let(1)
            assert await first.receive(12) == write(1)
            assert await first.is_closed()

    trio.run(main)


def test_the_end_of_the_server_withdraws_what_waits() -> None:
    """The device must not execute a write after the server has ended."""

    async def main() -> None:
        fake = FakeLine()
        gateway = Gateway(fake)
        async with trio.open_nursery() as nursery:
            async with served(serve_tcp, gateway, 0, grace=0) as server:
                for number in (1, 2, 3):
                    peer = await nursery.start(partial(_open, server.address))
                    await peer.send(write(number))
                    await fake.wait_asked(1)
                    await settled()
            fake.let(1)
            async with (
                served(serve_tcp, gateway, 0) as second,
                dialled(second.address) as peer,
            ):
                await peer.ask(write(9), write(9))
            nursery.cancel_scope.cancel()
        assert fake.asked == [(1, 1), (1, 9)]

    async def _open(address: tuple[str, int], *, task_status: trio.TaskStatus[Any]) -> None:
        async with dialled(address) as peer:
            task_status.started(peer)
            await trio.sleep_forever()

    trio.run(main)


def test_as_many_are_asked_at_once_as_the_line_takes() -> None:
    async def main() -> None:
        fake = FakeLine(max_in_flight=4)
        async with served(serve_udp, Gateway(fake), 0) as server:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
                plain.connect(server.address)
                peer = trio.socket.from_stdlib_socket(plain)
                for number in range(6):
                    await peer.send(write(number))
                await fake.wait_asked(4)
                await settled()
                assert len(fake.asked) == 4
                fake.let(6)
                with trio.fail_after(PATIENCE):
                    answers = {await peer.recv(99) for _ in range(6)}
                assert answers == {write(number) for number in range(6)}

    trio.run(main)


def test_a_server_that_is_cancelled_leaves_the_line_to_the_others() -> None:
    """One server's request waits for its turn, the device executes the other's request."""

    async def main() -> None:
        fake = FakeLine()
        gateway = Gateway(fake, {1: 17})
        async with AsyncExitStack() as stack:
            ends, servers = [], []
            for number in range(3):
                near, far = trio.testing.memory_stream_pair()
                server = served(serve_stream, gateway, near, grace=0)
                servers.append(await stack.enter_async_context(server))
                ends.append(End(far))
                await ends[-1].send(write(number))
                await settled()
            await servers[1].stop()
            await settled()
            assert fake.asked == [(17, 0)]
            await servers[0].stop()
            await fake.wait_asked(2)
            fake.let(1)
            assert await ends[2].receive(12) == write(2)
        assert fake.asked == [(17, 0), (17, 2)]

    trio.run(main)


def test_an_error_of_the_client_is_answered_with_04_and_reported() -> None:
    """The next request in the queue must still be sent."""
    told: list[BaseException] = []
    options = ServerOptions(on_error=lambda peer, request, error: told.append(error))

    async def main() -> None:
        fake = FakeLine()
        fake.error = ValueError("odd")
        fake.let(2)
        async with (
            served(serve_tcp, Gateway(fake), 0, options=options) as server,
            dialled(server.address) as first,
            dialled(server.address) as second,
        ):
            for number, peer in enumerate((first, second), 1):
                await peer.send(write(number))
            for number, peer in enumerate((first, second), 1):
                assert await peer.receive(9) == tcp("8604", number)
        assert told == [fake.error] * 2

    trio.run(main)


def test_a_dead_unit_is_logged_once_and_when_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        fake = FakeLine(late_reply_window=0.01)
        gateway = Gateway(fake, {1: 17}, pause=0.01)
        async with served(serve_tcp, gateway, 0) as server, TcpClient(*server.address) as client:
            fake.error = ResponseTimeoutError("no answer")
            fake.let(1)
            with pytest.raises(GatewayTargetFailedError):
                await client.write_register(0, 1)
            fake.error = None
            fake.let(1)
            with trio.fail_after(PATIENCE):
                while True:
                    try:
                        await client.write_register(0, 1)
                        break
                    except GatewayTargetFailedError:
                        await trio.sleep(0.001)

    with caplog.at_level(logging.WARNING, "modwire.server"):
        trio.run(main)
    assert [record.getMessage() for record in caplog.records] == [
        "gateway to stream: unit 17 does not answer: it is not asked for 0.01 s",
        "gateway to stream: unit 17 answers again",
    ]


def test_a_broadcast_comes_before_what_was_asked_after_it() -> None:
    """It goes to the gateway's own units and to each line, and gets no response."""

    async def main() -> None:
        fake, other = FakeLine(), FakeLine()
        gateway = Gateway(fake, [1])
        gateway.add_line(other, [2])
        gateway[5] = own = memory_unit()
        with line() as port:
            async with served(serve_serial, gateway, port.port, baudrate=115200, parity="N"):
                port.send(rtu("0600000007", unit=0))
                await fake.wait_asked(1)
                port.send(rtu("0600000009", unit=1))
                fake.let(1)
                await other.wait_asked(1)
                assert fake.asked == [(0, 7)]
                other.let(1)
                fake.let(1)
                answer = await in_thread(lambda: port.receive(8))
                assert answer == rtu("0600000009", unit=1)
        assert (fake.asked, other.asked) == ([(0, 7), (1, 9)], [(0, 7)])
        assert own.holding_registers.read(0, 1) == (7,)

    trio.run(main)


def test_a_full_queue_on_udp_is_busy_and_other_units_are_not() -> None:
    async def main() -> None:
        fake = FakeLine()
        gateway = Gateway(fake, [1], queue=2)
        gateway[5] = Unit(holding_registers=memory_unit().holding_registers, blocking=True)
        async with served(serve_udp, gateway, 0, max_calls=1) as server:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
                plain.connect(server.address)
                peer = trio.socket.from_stdlib_socket(plain)

                async def receive() -> bytes:
                    with trio.fail_after(PATIENCE):
                        return await peer.recv(99)

                for number in (1, 2, 3, 4):
                    await peer.send(write(number))
                    await fake.wait_asked(1)
                    await settled()
                assert await receive() == tcp("8606", 4)
                await peer.send(tcp("0300050001", 5, unit=5))
                assert await receive() == tcp("03020005", 5, unit=5)
                for number in (1, 2, 3):
                    fake.let(1)
                    assert await receive() == write(number)

    trio.run(main)


def test_hooks_see_what_the_device_answers() -> None:
    calls: list[Response | None] = []

    async def main() -> None:
        fake = FakeLine()
        fake.let(1)
        options = {"on_call": lambda peer, request, response: calls.append(response)}
        async with (
            served(serve_tcp, Gateway(fake), 0, **options) as server,
            dialled(server.address) as peer,
        ):
            await peer.ask(write(1), write(1))

    trio.run(main)
    assert calls == [WriteSingleRegisterResponse(0, 1)]

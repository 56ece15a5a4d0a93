"""The clients on sockets: links that are opened, lost and reopened; `connect`."""

from __future__ import annotations

import itertools
import os
import socket
from pathlib import Path

import pytest
import trio
import trio.testing

import modwire_trio
from client_peers import (
    PATIENCE,
    Far,
    Names,
    accept,
    listening,
    play,
    refusing_port,
    reply,
)
from modwire import (
    ClientOptions,
    ConnectionLostError,
    ResponseTimeoutError,
    RtuFraming,
    TcpFraming,
)
from modwire_trio import (
    Client,
    SerialClient,
    TcpClient,
    UdpClient,
    UnixClient,
    connect,
)


def _port(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port


async def answer(far: Far) -> None:
    await far.send(reply(await far.request()))


def test_tcp_from_an_address_of_ones_own() -> None:
    async def main() -> None:
        with listening() as listener:
            async with TcpClient(
                "127.0.0.1", _port(listener), source_address=("127.0.0.1", 0), timeout=5
            ) as client:
                far = await accept(listener)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(answer, far)
                    assert await client.read_holding_registers(7) == [7]
                assert repr(client) == f"<TcpClient tcp://127.0.0.1:{_port(listener)}, open>"
            assert await far.ended()
            await far.stream.aclose()

    trio.run(main)


def test_unix(tmp_path: Path) -> None:
    path = str(tmp_path / "device")

    async def main() -> None:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            listener.setblocking(False)
            async with UnixClient(path) as client:
                far = await accept(listener)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(answer, far)
                    assert await client.read_holding_registers(8) == [8]
            await far.stream.aclose()

    trio.run(main)


def test_udp_each_frame_has_a_datagram_of_its_own_and_lost_ones_are_sent_again() -> None:
    async def main() -> None:
        with trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
            await far.bind(("127.0.0.1", 0))
            port = far.getsockname()[1]
            got: list[int] = []

            async def caller(address: int) -> None:
                got.extend(await client.read_holding_registers(address))

            async def device() -> None:
                while True:
                    request, client_address = await far.recvfrom(300)
                    assert len(request) == 12
                    await far.sendto(reply(request), client_address)

            client = UdpClient("127.0.0.1", port, max_in_flight=16, retries=100, timeout=0.3)
            async with client, trio.open_nursery() as devices:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(caller, 0)
                    await far.recvfrom(300)  # the first request is lost
                    devices.start_soon(device)
                    for address in range(1, 8):
                        nursery.start_soon(caller, address)
                devices.cancel_scope.cancel()
            assert sorted(got) == list(range(8))

    trio.run(main)


def test_a_udp_port_without_a_listener_is_a_lost_link() -> None:
    async def main() -> None:
        # No other test has a socket on this address of the loopback network.
        async with UdpClient("127.0.99.1", 1502, timeout=PATIENCE) as client:
            with pytest.raises(ConnectionLostError):
                await client.read_holding_registers(0)

    trio.run(main)


def test_a_name_is_tried_at_each_of_its_addresses() -> None:
    async def main() -> None:
        with listening() as listener:  # of IPv4 only; "localhost" may be ::1 first
            async with TcpClient("localhost", _port(listener)) as client:
                assert client.is_open
                await (await accept(listener)).stream.aclose()

    trio.run(main)


@pytest.mark.parametrize("source", [None, ("127.0.0.1", 0)])
def test_a_refused_connection_says_so(source: tuple[str, int] | None) -> None:
    async def main() -> None:
        with refusing_port() as port:
            client = TcpClient("127.0.0.1", port, source_address=source)
            with pytest.raises(ConnectionLostError, match="cannot be opened: .*refused") as caught:
                await client.read_coils(0)
        error: BaseException | None = caught.value
        while error is not None:
            assert not hasattr(error, "exceptions"), "an ExceptionGroup leaks"
            error = error.__cause__

    trio.run(main)


def test_a_name_that_cannot_be_resolved_says_so() -> None:
    async def main() -> None:
        for name in ("no..name", "nobody.invalid"):
            with pytest.raises(ConnectionLostError, match="cannot be opened"):
                await TcpClient(name).connect()

    trio.run(main)


def test_connecting_takes_no_longer_than_it_may() -> None:
    async def never(attempt: int) -> None:
        await trio.sleep_forever()

    async def main() -> None:
        Names(never)
        client = TcpClient("far.example", connect_timeout=4.0)
        start = trio.current_time()
        with pytest.raises(ConnectionLostError, match="timed out"):
            await client.connect()
        assert trio.current_time() - start == pytest.approx(4.0)

    play(main)


def test_closing_ends_the_calls_that_wait_for_a_link() -> None:
    begun = trio.Event()

    class Slow(TcpClient):
        async def _open_socket(self) -> trio.socket.SocketType:
            begun.set()
            await trio.sleep_forever()
            raise AssertionError

    async def call(client: TcpClient) -> None:
        with pytest.raises(ConnectionLostError, match="the client was closed"):
            await client.read_holding_registers(5)

    async def main() -> None:
        client = Slow("meter")
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(call, client)
                await begun.wait()
                await client.aclose()
        assert not client.is_open

    trio.run(main)


def test_failures_to_open_are_followed_by_pauses_and_shared_by_all_waiting_calls() -> None:
    attempts = []

    async def fail(attempt: int) -> None:
        attempts.append(trio.current_time())
        await trio.sleep(1)
        raise OSError("out of order")

    async def main() -> None:
        Names(fail)
        client = TcpClient("device.example")
        errors: list[ConnectionLostError] = []

        async def caller() -> None:
            with pytest.raises(ConnectionLostError) as caught:
                await client.read_coils(0)
            errors.append(caught.value)

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(caller)
        assert len(attempts) == 1
        assert all("out of order" in str(error) for error in errors)
        for _ in range(8):
            await caller()
        assert len(attempts) < 9  # the later calls failed at once
        assert "the next try is in" in str(errors[-1])
        pauses = [b - a - 1 for a, b in itertools.pairwise(attempts)]
        assert pauses[:4] == pytest.approx([0, 0.1, 0.2, 0.4])
        with trio.testing.assert_checkpoints(), pytest.raises(ConnectionLostError):
            await client.read_coils(0)

    play(main)


def test_a_connection_closed_while_idle_is_opened_anew_before_a_write() -> None:
    async def main(clock: trio.testing.MockClock) -> None:
        with listening() as listener:
            client = TcpClient("127.0.0.1", _port(listener))
            async with client, trio.open_nursery() as nursery:
                far = await accept(listener)
                nursery.start_soon(client.read_holding_registers, 1)
                await answer(far)
                await trio.testing.wait_all_tasks_blocked(0.05)
                await far.stream.aclose()
                clock.jump(0.6)  # a client looks at a link that was idle for so long
                nursery.start_soon(client.write_register, 1, 2)
                far = await accept(listener)
                await far.send(await far.request())
            await far.stream.aclose()

    clock = trio.testing.MockClock()  # it stands still, but for the jump
    trio.run(main, clock, clock=clock)


def test_a_read_that_met_a_closing_connection_is_repeated_once_and_a_write_is_not() -> None:
    async def main() -> None:
        with listening() as listener:
            client = TcpClient("127.0.0.1", _port(listener))
            async with client:
                far = await accept(listener)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(client.read_holding_registers, 1)
                    await answer(far)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(client.read_holding_registers, 2)
                    await far.request()
                    await far.stream.aclose()
                    far = await accept(listener)
                    await answer(far)

                async def close() -> None:
                    await far.request()
                    await far.stream.aclose()

                async with trio.open_nursery() as nursery:
                    nursery.start_soon(close)
                    with pytest.raises(ConnectionLostError):
                        await client.write_register(1, 2)

    trio.run(main)


def test_no_descriptor_is_left_behind() -> None:
    async def main() -> None:
        with listening() as listener:
            client = TcpClient("127.0.0.1", _port(listener), timeout=0.01)

            async def once() -> None:
                async with client:
                    far = await accept(listener)
                    with pytest.raises(ResponseTimeoutError):
                        await client.read_coils(0)
                    await far.stream.aclose()

            await once()
            before = len(os.listdir("/proc/self/fd"))
            for _ in range(20):
                await once()
            assert len(os.listdir("/proc/self/fd")) == before

    trio.run(main)


@pytest.mark.parametrize(
    ("endpoint", "kind", "name"),
    [
        ("tcp://192.0.2.1", TcpClient, "tcp://192.0.2.1:502"),
        ("udp://192.0.2.1:1502", UdpClient, "udp://192.0.2.1:1502"),
        ("unix:///run/x", UnixClient, "unix:///run/x"),
        ("rtu+tcp://[::1]:502", TcpClient, "rtu+tcp://[::1]:502"),
        ("ascii:///dev/ttyS0?baudrate=9600", SerialClient, "ascii:///dev/ttyS0"),
    ],
)
def test_each_endpoint_has_its_client(endpoint: str, kind: type[Client], name: str) -> None:
    client = connect(endpoint)
    assert type(client) is kind
    assert client.name == name
    assert isinstance(client, Client)
    assert isinstance(client, trio.abc.AsyncResource)


def test_endpoints_and_arguments_that_are_wrong() -> None:
    with pytest.raises(ValueError, match="cannot be verified without ca"):
        connect("tls://192.0.2.1")
    with pytest.raises(ValueError, match="must be left out beside options"):
        TcpClient("192.0.2.1", unit=2, options=ClientOptions())
    with pytest.raises(ValueError, match="framing must be one for serial lines"):
        SerialClient("/dev/ttyS0", framing=TcpFraming)
    assert connect("tcp://192.0.2.1?unit=3&timeout=2&retries=1").options.retries == 1


def test_rtu_over_tcp_takes_no_late_answer_for_the_next_one() -> None:
    from modwire.checksums import crc16

    def rtu(value: int) -> bytes:
        body = bytes([1, 3, 2, 0, value])
        return body + crc16(body).to_bytes(2, "little")

    async def main() -> None:
        with listening() as listener:
            options = ClientOptions(response_timeout=0.05, late_reply_window=0.0)
            async with TcpClient(
                "127.0.0.1", _port(listener), framing=RtuFraming, options=options
            ) as client:
                far = await accept(listener)
                with pytest.raises(ResponseTimeoutError):
                    await client.read_holding_registers(0)
                await far.request(8)
                await far.send(rtu(111))
                async with trio.open_nursery() as nursery:

                    async def device() -> None:
                        await far.request(8)
                        await far.send(rtu(222))

                    nursery.start_soon(device)
                    got = await client.read_holding_registers(0, timeout=PATIENCE)
                    assert got == [222]
                await far.stream.aclose()

    trio.run(main)


def test_all_is_exported() -> None:
    for name in ("Client", "TcpClient", "UdpClient", "UnixClient", "SerialClient", "connect"):
        assert name in modwire_trio.__all__

"""A loop that cannot wait for descriptors, as that of Windows (Proactor): threads do it then."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from asyncio_peers import PATIENCE, play, soon
from cutting import device
from modwire import ConnectionLostError, SequentialBlock, Unit, Units
from modwire.sniffing import HeardExchange
from modwire_asyncio import SerialServer, TcpClient, TcpServer, UdpClient, UdpServer, connect
from modwire_asyncio.sniffing import SerialSniffer
from own_sockets import count_descriptors, needs_proc
from pty_pair import PtyPair

pytestmark = needs_proc


class LoopWithoutReaders(asyncio.SelectorEventLoop):
    """Its own transports still work, and nothing else."""

    def add_reader(self, *arguments: Any) -> None:
        raise NotImplementedError

    add_writer = add_reader  # type: ignore[assignment]


def threads() -> set[str]:
    return {each.name for each in threading.enumerate() if each.name.startswith("modwire-")}


def units() -> Units:
    return Units({1: Unit(holding_registers=SequentialBlock(0, range(200)))})


@pytest.fixture
def serial_pair() -> Iterator[tuple[str, str]]:
    """Yield the paths of two ports that are connected."""
    pair = PtyPair()
    yield pair.left, pair.right
    pair.close()


def play_without_readers(main: Any) -> None:
    """Run `main`; no thread and no descriptor is left."""
    descriptors = count_descriptors()
    play(main, LoopWithoutReaders)
    for thread in threading.enumerate():
        if thread.name.startswith("modwire-"):
            thread.join(PATIENCE)
            assert not thread.is_alive(), thread
    assert count_descriptors() <= descriptors


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_a_server(kind: str) -> None:
    async def main() -> None:
        server: Any = TcpServer if kind == "tcp" else UdpServer
        client: Any = TcpClient if kind == "tcp" else UdpClient
        async with server(units(), ("127.0.0.1", 0)) as serving:
            assert threads() == {"modwire-watch"}
            one, other = (client(*serving.address, timeout=PATIENCE) for _ in range(2))
            async with one, other:
                for address in range(100):
                    assert await one.read_holding_registers(address) == [address]
                    assert await other.read_holding_registers(address) == [address]
        if kind == "tcp":
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(serving.address).close()

    play_without_readers(main)


def test_many_connections_at_once() -> None:
    async def main() -> None:
        async with TcpServer(units(), ("127.0.0.1", 0)) as server:
            clients = [TcpClient(*server.address, timeout=PATIENCE) for _ in range(60)]  # type: ignore[misc]
            calls = [each.read_holding_registers(at) for at, each in enumerate(clients)]
            assert await asyncio.gather(*calls) == [[at] for at in range(60)]
            for each in clients:
                await each.aclose()

    play_without_readers(main)


def test_a_serial_client() -> None:
    async def main() -> None:
        client = connect(f"{endpoint}&timeout=20")
        for _ in range(2):
            async with client:
                assert threads() == {"modwire-serial"}
                for address in range(20):
                    assert await client.read_holding_registers(address) == [address]
        call = asyncio.ensure_future(client.read_holding_registers(5))
        await soon(lambda: client.is_open)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await client.read_holding_registers(6) == [6]
        await client.aclose()

    with device("rtu") as (_, endpoint):
        play_without_readers(main)


def test_a_serial_server(serial_pair: tuple[str, str]) -> None:
    async def main() -> None:
        near, far = serial_pair
        async with SerialServer(units(), far, parity="N"):
            client = connect(f"rtu://{near}?parity=N&timeout=20")
            for address in range(20):
                assert await client.read_holding_registers(address) == [address]
            await client.aclose()

    play_without_readers(main)


def test_a_sniffer_and_a_port_that_is_not_there(serial_pair: tuple[str, str]) -> None:
    async def main() -> None:
        near, far = serial_pair
        async with SerialSniffer(far, parity="N", timeout=0.1) as sniffer:
            client = connect(f"rtu://{near}?parity=N&timeout=0.1")
            with pytest.raises(TimeoutError):
                await client.read_holding_registers(5)
            await client.aclose()
            heard = await sniffer.hear(PATIENCE)
            assert isinstance(heard, HeardExchange)
            assert heard.request.pdu == bytes.fromhex("0300050001")
        with pytest.raises(ConnectionLostError, match="No such file"):
            await connect("rtu:///dev/no-such-port").connect()

    play_without_readers(main)

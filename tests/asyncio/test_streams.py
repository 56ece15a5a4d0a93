"""`Client` on what somebody else has opened: transports, readers and writers, TLS."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest

from asyncio_peers import PATIENCE, Listener, NewLoop, each_loop, play, reply, soon
from certificates import make_certificate
from modwire import ConnectionLostError, RtuFraming, SequentialBlock, Unit, Units
from modwire_asyncio import Client, TcpServer

pytestmark = each_loop


def units() -> Units:
    return Units({1: Unit(holding_registers=SequentialBlock(0, range(200)))})


class Noted(asyncio.Protocol):
    """A protocol of a program's own."""

    def __init__(self) -> None:
        self.received = b""
        self.lost: list[Exception | None] = []

    def data_received(self, data: bytes) -> None:
        self.received += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)


async def opened(port: int, protocol: Noted) -> asyncio.Transport:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(lambda: protocol, "127.0.0.1", port)
    return transport


def test_a_transport(new_loop: NewLoop) -> None:
    """The protocol that it had gets no bytes any more, and is told when the transport is lost."""

    async def main() -> None:
        protocol = Noted()
        async with TcpServer(units(), ("127.0.0.1", 0), framing=RtuFraming) as server:
            transport = await opened(server.address[1], protocol)  # type: ignore[arg-type]
            async with Client(transport, framing=RtuFraming) as client:
                for address in range(50):
                    assert await client.read_holding_registers(address) == [address]
            assert transport.is_closing()
            await soon(lambda: protocol.lost)
            with pytest.raises(ConnectionLostError, match="lost or closed"):
                await client.read_holding_registers(0)
        assert (protocol.received, protocol.lost) == (b"", [None])

    play(main, new_loop)


def test_a_reader_and_a_writer(new_loop: NewLoop) -> None:
    """After the client is closed, `wait_closed` of the writer returns."""

    async def main() -> None:
        async with TcpServer(units(), ("127.0.0.1", 0)) as server:
            host, port = server.address
            reader, writer = await asyncio.open_connection(host, port)
            async with Client((reader, writer), max_in_flight=16, name="a pair") as client:
                calls = [client.read_holding_registers(address) for address in range(16)]
                assert await asyncio.gather(*calls) == [[address] for address in range(16)]
                assert client.name == "a pair"
            await asyncio.wait_for(writer.wait_closed(), PATIENCE)

    play(main, new_loop)


def test_a_reader_and_a_writer_whose_peer_goes_away(new_loop: NewLoop) -> None:
    async def main() -> None:
        async with Listener() as listener:
            pair = await asyncio.open_connection("127.0.0.1", listener.port)
            far = await listener.accept()
            async with Client(pair, timeout=PATIENCE) as client:
                call = asyncio.ensure_future(client.read_holding_registers(5))
                await far.request()
                await far.aclose()
                with pytest.raises(ConnectionLostError):
                    await call
                with pytest.raises(ConnectionLostError, match="lost or closed"):
                    await client.read_holding_registers(6)
            await asyncio.wait_for(pair[1].wait_closed(), PATIENCE)

    play(main, new_loop)


def test_a_stream_that_is_closed_unused(new_loop: NewLoop) -> None:
    async def main() -> None:
        async with Listener() as listener:
            pair = await asyncio.open_connection("127.0.0.1", listener.port)
            far = await listener.accept()
            client = Client(pair)
            await client.aclose()
            assert await far.ended()
            with pytest.raises(ConnectionLostError, match="lost or closed"):
                await client.read_holding_registers(0)

    play(main, new_loop)


def test_bytes_that_came_before_the_client(new_loop: NewLoop) -> None:
    """A program may have talked on the stream before; what it has read is not the client's."""

    async def main() -> None:
        async with Listener() as listener:
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            far = await listener.accept()
            await far.send(b"OK\r\n")
            assert await reader.readline() == b"OK\r\n"
            async with Client((reader, writer)) as client:
                call = asyncio.ensure_future(client.read_holding_registers(5))
                await far.send(reply(await far.request()))
                assert await call == [5]

    play(main, new_loop)


@pytest.mark.parametrize("stream", ["127.0.0.1", None, 5, (1, 2), object()])
def test_what_is_no_stream_is_refused(stream: Any, new_loop: NewLoop) -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match="^stream must be a transport or "):
            Client(stream)

    play(main, new_loop)


def contexts(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    certificate = make_certificate(tmp_path)
    ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ours.load_cert_chain(certificate)
    return ours, ssl.create_default_context(cafile=str(certificate))


@pytest.mark.parametrize("is_pair", [False, True], ids=["transport", "pair"])
def test_tls(is_pair: bool, tmp_path: Path, new_loop: NewLoop) -> None:
    ours, theirs = contexts(tmp_path)

    answering: list[asyncio.Task[None]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering.append(asyncio.current_task())  # type: ignore[arg-type]
        try:
            while True:
                writer.write(reply(await reader.readexactly(12)))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=ours)
        port = server.sockets[0].getsockname()[1]
        named: dict[str, Any] = {"ssl": theirs, "server_hostname": "localhost"}
        stream: Any
        if is_pair:
            stream = await asyncio.open_connection("127.0.0.1", port, **named)
        else:
            loop = asyncio.get_running_loop()
            stream, _ = await loop.create_connection(Noted, "127.0.0.1", port, **named)
        async with Client(stream, max_in_flight=4, timeout=PATIENCE) as client:
            for first in range(0, 200, 50):
                calls = [client.read_holding_registers(first + each) for each in range(50)]
                assert await asyncio.gather(*calls) == [[first + each] for each in range(50)]
            assert await client.read_holding_registers(7) == [7]
        if is_pair:
            await asyncio.wait_for(stream[1].wait_closed(), PATIENCE)
        server.close()
        await server.wait_closed()
        await asyncio.gather(*answering)

    play(main, new_loop)


def test_a_tls_peer_that_goes_away(tmp_path: Path, new_loop: NewLoop) -> None:
    ours, theirs = contexts(tmp_path)

    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(12)
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(leave, "127.0.0.1", 0, ssl=ours)
        port = server.sockets[0].getsockname()[1]
        pair = await asyncio.open_connection(
            "127.0.0.1", port, ssl=theirs, server_hostname="localhost"
        )
        async with Client(pair, timeout=PATIENCE) as client:
            with pytest.raises(ConnectionLostError):
                await client.read_holding_registers(0)
        server.close()
        await server.wait_closed()

    play(main, new_loop)

"""The adapter kit on asyncio: a client that tasks share, and a server whose units may block."""

import asyncio
from contextlib import closing, suppress
from time import monotonic
from typing import TypeVar

import modwire
from modwire.client.turns import Turns
from modwire.server.connection import Connection, Next

T = TypeVar("T", bound=modwire.Response)
FRAMING, OPTIONS = modwire.TcpFraming, modwire.ClientOptions(max_in_flight=4, response_timeout=0.2)
TABLE = modwire.SequentialBlock(0, range(2300, 2310))
UNITS = modwire.Units({1: modwire.Unit(holding_registers=TABLE, blocking=True)})


class Link:
    """A connection on which one read is always pending."""

    is_datagram = is_connection = is_sending = False  # the writer buffers unsent bytes

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.arriving: asyncio.Future[bytes] = asyncio.ensure_future(reader.read(4096))

    def receive_now(self) -> bytes | None:
        if not self.arriving.done():
            return None
        arrived, self.arriving = self.arriving, asyncio.ensure_future(self.reader.read(4096))
        return b"" if arrived.exception() else arrived.result()

    def send(self, data: bytes, now: float) -> float:
        self.writer.write(data)
        return 0.0  # seconds that a serial line is busy with it

    def withdraw(self, adu: bytes) -> bool:
        return True  # called only while `is_sending`

    def close(self) -> None:
        self.writer.transport.abort()


class Client(modwire.AsyncCalls):
    """A client on one connection, which tasks share; all other methods use `call`."""

    def __init__(self, link: Link) -> None:
        self.turns: Turns[Link, asyncio.Future[bytes]] = Turns(
            "meter", FRAMING, OPTIONS, wake=lambda each: each.set_result(b""), discard=Link.close
        )
        self.turns.opened(link, monotonic())

    async def call(
        self, request: modwire.Request[T], *, unit: int | None = None, timeout: float | None = None
    ) -> T:
        turns = self.turns
        if (begun := turns.begin(request, unit, timeout, monotonic())) is None:
            raise turns.no_link()
        exchange, link = begun, turns.link
        try:
            while link and (until := turns.step(exchange, monotonic(), link, link.receive_now())):
                waiter = link.arriving
                if turns.receiver is not exchange:  # another task receives for all
                    waiter = turns.waiting[exchange] = asyncio.Future()
                await asyncio.wait([waiter], timeout=until - monotonic())
        except BaseException:  # this task was cancelled: the calls of others go on
            turns.give_up(exchange, monotonic())
            raise
        return exchange.result()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    core = Connection(modwire.ServerProtocol(FRAMING), UNITS, monotonic())
    with closing(writer), suppress(OSError):
        while (following := core.next()) is not Next.CLOSE:
            if following is Next.SEND:
                writer.write(core.unsent)
                core.unsent = b""
                await writer.drain()
            elif following is Next.EXECUTE and (call := core.take_call()):
                execute = core.protocol.executor.execute_async
                core.finish(call, await execute(call, UNITS, asyncio.to_thread), monotonic())
            elif data := await reader.read(4096):
                core.receive_data(data, monotonic())
            else:
                core.stop("the peer has closed it")
    core.ended(core.reason)


async def main() -> None:
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        client = Client(Link(*await asyncio.open_connection(*server.sockets[0].getsockname())))
        write, read = client.write_register, client.read_holding_registers
        calls = [write(0, 50), read(0), read(9, 2), read(0, unit=9), read(0, unit=9, timeout=5)]
        asyncio.get_running_loop().call_later(0.5, client.turns.close)
        for result in await asyncio.gather(*calls, return_exceptions=True):
            print(f"{type(result).__name__}: {result}")


if __name__ == "__main__":
    asyncio.run(main())

"""The core in asyncio: a server, and a client that gets every method by writing `call`."""

import asyncio
from typing import Any, TypeVar

import modwire

T = TypeVar("T", bound=modwire.Response)
OPTIONS = modwire.ClientOptions(max_in_flight=4, response_timeout=0.2)
METER = modwire.Unit(holding_registers=modwire.SequentialBlock(0, range(2300, 2310)))


class Client(modwire.AsyncCalls, asyncio.Protocol):
    """One connection that tasks may share: four of their requests are under way at once."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport, self.loop = transport, asyncio.get_running_loop()
        self.protocol = modwire.ClientProtocol(modwire.TcpFraming, OPTIONS)
        self.waiting: dict[modwire.Exchange[Any], asyncio.Future[None]] = {}
        self.timer: asyncio.Handle = self.loop.call_soon(self.work)

    async def call(
        self, request: modwire.Request[T], *, unit: int | None = None, timeout: float | None = None
    ) -> T:
        if self.transport.is_closing():
            raise modwire.ConnectionLostError("the connection is closed")
        exchange = self.protocol.start(request, unit, now=self.loop.time(), timeout=timeout)
        self.waiting[exchange] = done = self.loop.create_future()
        self.work()
        try:
            await done
        finally:  # if this task was cancelled, the others' requests go on
            del self.waiting[exchange]
            self.protocol.cancel(exchange, self.loop.time())
            self.work()
        return exchange.result()

    def work(self) -> None:
        """Send what may be sent, wake whose exchange is done, and come back at the deadline."""
        self.timer.cancel()
        self.protocol.handle_timeout(self.loop.time())
        self.transport.write(self.protocol.data_to_send(self.loop.time()))
        for exchange, done in self.waiting.items():
            if exchange.done and not done.done():
                done.set_result(None)
        if self.protocol.broken:
            self.transport.abort()
        if (deadline := self.protocol.deadline()) is not None:
            self.timer = self.loop.call_at(deadline, self.work)

    def data_received(self, data: bytes) -> None:
        self.protocol.receive_data(data, self.loop.time())
        self.work()

    def connection_lost(self, exc: Exception | None) -> None:
        self.protocol.connection_lost(modwire.ConnectionLostError(exc or "it was closed"))
        self.work()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    server, clock = modwire.ServerProtocol(modwire.TcpFraming), asyncio.get_running_loop().time
    while not server.closed and (data := await reader.read(4096)):
        server.receive_data(data, clock())
        writer.write(server.answer_all(modwire.Units({1: METER})))
    writer.close()


async def main() -> None:
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        address = server.sockets[0].getsockname()
        _, client = await asyncio.get_running_loop().create_connection(Client, *address)
        write, read = client.write_register, client.read_holding_registers
        calls = [write(0, 50), read(0), read(9, 2), read(0, unit=9), read(0, unit=9, timeout=5)]
        client.loop.call_later(0.5, client.transport.close)
        for result in await asyncio.gather(*calls, return_exceptions=True):
            print(f"{type(result).__name__}: {result}")


if __name__ == "__main__":
    asyncio.run(main())

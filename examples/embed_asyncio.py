"""The core in asyncio: a server, and a client that has every method by writing `call`."""

import asyncio
from typing import Any, TypeVar

import modwire
from modwire import ModbusError, Request, Response

ResponseT = TypeVar("ResponseT", bound=Response)
METER = modwire.Unit(holding_registers=modwire.SequentialBlock(0, range(2300, 2310)))


class Client(modwire.AsyncCalls, asyncio.Protocol):
    """Any number of tasks may share it; four of their requests are under way at once."""

    def __init__(self) -> None:
        options = modwire.ClientOptions(max_in_flight=4, response_timeout=0.2)
        self.protocol = modwire.ClientProtocol(modwire.TcpFraming, options)
        self.waiting: dict[modwire.Exchange[Any], asyncio.Future[None]] = {}
        self.loop = asyncio.get_running_loop()

    async def call(
        self, request: Request[ResponseT], *, unit: int | None = None, timeout: float | None = None
    ) -> ResponseT:
        if self.transport.is_closing():
            raise modwire.ConnectionLostError("the connection is closed")
        exchange = self.protocol.start(request, unit, now=self.loop.time(), timeout=timeout)
        self.waiting[exchange] = answered = self.loop.create_future()
        self.work()
        try:
            await answered
        finally:  # the task may have been cancelled: that must not hold up the others
            del self.waiting[exchange]
            self.protocol.cancel(exchange, self.loop.time())
            self.work()
        return exchange.result()

    def work(self) -> None:
        """Send what may be sent, wake whoever has a result, and come back at the deadline."""
        self.timer.cancel()
        self.protocol.handle_timeout(self.loop.time())
        self.transport.write(self.protocol.data_to_send(self.loop.time()))
        for exchange, answered in self.waiting.items():
            if exchange.done and not answered.done():
                answered.set_result(None)
        if self.protocol.broken:
            self.transport.abort()
        if (deadline := self.protocol.deadline()) is not None:
            self.timer = self.loop.call_at(deadline, self.work)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        self.timer: asyncio.Handle = self.loop.call_soon(self.work)

    def data_received(self, data: bytes) -> None:
        self.protocol.receive_data(data, self.loop.time())
        self.work()

    def connection_lost(self, error: Exception | None) -> None:
        self.protocol.connection_lost(modwire.ConnectionLostError(f"closed: {error}"))
        self.work()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    server, clock = modwire.ServerProtocol(modwire.TcpFraming), asyncio.get_running_loop().time
    while not server.closed and (data := await reader.read(4096)):
        server.receive_data(data, clock())
        writer.write(server.answer_all(modwire.Units({1: METER})))
    writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    _, client = await asyncio.get_running_loop().create_connection(Client, *address)
    await client.write_register(0, 50)
    read = client.read_holding_registers
    client.loop.call_later(0.5, client.transport.close)
    calls = [read(0), read(1, 3), read(9, 2), read(0, unit=9), read(0, unit=9, timeout=5)]
    for result in await asyncio.gather(*calls, return_exceptions=True):
        print(f"{type(result).__name__}: {result}")


if __name__ == "__main__":
    asyncio.run(main())

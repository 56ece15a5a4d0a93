"""Clients on trio, beside the shortest trio client for the same bytes.

Each sample runs its own loop and connects in it; only the calls are timed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from itertools import repeat
from time import perf_counter

import trio
from rounds import FLOOR, OURS, Sample
from servers import ADDRESS, ANSWER, COUNT, REQUEST, REQUESTS, check_values

# Makes `count` calls on its own connection; returns the seconds that one call took.
Timed = Callable[[int, int], Awaitable[float]]


async def _connect(port: int) -> trio.SocketStream:
    """Return a connection that was used once, like those of the other clients."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    await stream.send_all(REQUEST)
    if await stream.receive_some(4096) != ANSWER:
        raise RuntimeError("the server did not answer as it should")
    return stream


async def _raw(port: int, count: int) -> float:
    """One caller: send_all, receive_some."""
    async with await _connect(port) as stream:
        send, receive = stream.send_all, stream.receive_some
        started = perf_counter()
        for _ in repeat(None, count):
            await send(REQUEST)
            if len(await receive(4096)) != len(ANSWER):
                raise RuntimeError("the server did not answer as it should")
        return (perf_counter() - started) / count


async def _raw_fail_after(port: int, count: int) -> float:
    """The same with a timeout for each call, like any client."""
    async with await _connect(port) as stream:
        send, receive = stream.send_all, stream.receive_some
        started = perf_counter()
        for _ in repeat(None, count):
            with trio.fail_after(3.0):
                await send(REQUEST)
                if len(await receive(4096)) != len(ANSWER):
                    raise RuntimeError("the server did not answer as it should")
        return (perf_counter() - started) / count


async def _raw_shared(port: int, count: int) -> float:
    """A task for each of `REQUESTS`, and one that assigns the answers by transaction id.

    The tasks send on the socket: two tasks cannot call a stream's send_all() at once, and so few
    bytes always fit into the socket's buffer.
    """
    async with await _connect(port) as stream:
        return await _shared(stream, stream.socket.send, count)


async def _raw_turns(port: int, count: int) -> float:
    """The same with the stream only, which may be TLS or memory: the tasks take turns to send."""
    turn = trio.Lock()
    async with await _connect(port) as stream:

        async def send(request: bytes) -> int:
            async with turn:
                await stream.send_all(request)
            return len(request)

        return await _shared(stream, send, count)


async def _shared(
    stream: trio.SocketStream, send: Callable[[bytes], Awaitable[int]], count: int
) -> float:
    size = len(ANSWER)
    waiting: dict[bytes, trio.Event] = {}

    async def read() -> None:
        data = b""
        async for more in stream:
            data += more
            while len(data) >= size:
                waiting.pop(data[:2]).set()
                data = data[size:]

    async def call(request: bytes) -> None:
        transaction = request[:2]
        for _ in repeat(None, count // len(REQUESTS)):
            answered = waiting[transaction] = trio.Event()
            if await send(request) != len(request):
                raise RuntimeError("a request was sent in part")
            await answered.wait()

    async with trio.open_nursery() as reading:
        reading.start_soon(read)
        started = perf_counter()
        async with trio.open_nursery() as calling:
            for request in REQUESTS:
                calling.start_soon(call, request)
        took = perf_counter() - started
        reading.cancel_scope.cancel()
    return took / count


async def _modwire(port: int, count: int) -> float:
    from modwire_trio import TcpClient

    async with TcpClient("127.0.0.1", port) as client:
        check_values(await client.read_holding_registers(ADDRESS, COUNT))
        started = perf_counter()
        for _ in repeat(None, count):
            await client.read_holding_registers(ADDRESS, COUNT)
        return (perf_counter() - started) / count


async def _modwire_shared(port: int, count: int) -> float:
    from modwire_trio import TcpClient

    callers = len(REQUESTS)

    async def call() -> None:
        for _ in repeat(None, count // callers):
            await client.read_holding_registers(ADDRESS, COUNT)

    async with TcpClient("127.0.0.1", port, max_in_flight=callers) as client:
        check_values(await client.read_holding_registers(ADDRESS, COUNT))
        started = perf_counter()
        async with trio.open_nursery() as calling:
            for _ in range(callers):
                calling.start_soon(call)
        return (perf_counter() - started) / count


ONE: dict[str, Timed] = {FLOOR: _raw, OURS: _modwire, "raw with timeout": _raw_fail_after}
SHARED: dict[str, Timed] = {
    FLOOR: _raw_shared,
    OURS: _modwire_shared,
    "raw, sending in turns": _raw_turns,
}


def samples(port: int, callers: int, count: int) -> dict[str, Sample]:
    """Return the clients for one caller, or for as many as there are `REQUESTS`."""
    clients = ONE if callers == 1 else SHARED
    return {name: partial(trio.run, timed, port, count) for name, timed in clients.items()}

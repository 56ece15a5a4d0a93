"""The examples work: each is run as a user would run it, and its output is checked."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from modwire import (
    AsyncCalls,
    ConnectionLostError,
    Response,
    ResponseTimeoutError,
    SequentialBlock,
    Unit,
)
from programs import run

if TYPE_CHECKING:
    from modwire.messages.base import AnyRequest

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

EXAMPLES = Path(__file__).parents[1] / "examples"


def load(name: str) -> ModuleType:
    """An example as a module."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def lines_of_code(text: str) -> list[str]:
    """The lines of a program without its docstrings, comments and empty lines."""
    code = re.sub(r'^ *""".+?"""$', "", text, flags=re.MULTILINE | re.DOTALL)
    return [each for each in code.splitlines() if each.strip() and not each.strip().startswith("#")]


def test_every_example_is_run_by_a_test() -> None:
    """`test_package_examples.py` runs the examples in the folders of the packages."""
    tested = {"embed_asyncio", "embed_selectors"}
    assert {path.stem for path in EXAMPLES.glob("*.py")} == tested


def test_the_core_serves_and_asks_in_a_selectors_loop() -> None:
    assert run(EXAMPLES / "embed_selectors.py") == [
        "ReadHoldingRegistersResponse(registers=(2302, 2311, 2297))",
        "WriteSingleRegisterResponse(address=3, value=30)",
        "IllegalDataAddressError: unit 1: exception 02 (illegal data address) in answer to "
        "ReadHoldingRegistersRequest(address=3, count=2)",
        "ResponseTimeoutError: unit 9 did not answer "
        "ReadHoldingRegistersRequest(address=0, count=1) within 0.2 s: nothing came",
        "both connections closed",
    ]


def test_the_core_serves_and_asks_in_asyncio() -> None:
    assert run(EXAMPLES / "embed_asyncio.py") == [
        "NoneType: None",
        "list: [50]",
        "IllegalDataAddressError: meter, unit 1: exception 02 (illegal data address) in answer to "
        "ReadHoldingRegistersRequest(address=9, count=2)",
        "ResponseTimeoutError: meter: unit 9 did not answer "
        "ReadHoldingRegistersRequest(address=0, count=1) within 0.2 s: nothing came",
        "ConnectionLostError: meter, unit 9: the client was closed; the request was "
        "ReadHoldingRegistersRequest(address=0, count=1)",
    ]


# The asyncio example; docs/how-to/embed.md says that it is short and complete.


def test_the_asyncio_client_is_short_and_has_every_method() -> None:
    text = (EXAMPLES / "embed_asyncio.py").read_text(encoding="utf-8")
    assert len(lines_of_code(text)) <= 80
    client = load("embed_asyncio").Client
    assert client.call is not AsyncCalls.call
    methods = [name for name in dir(AsyncCalls) if not name.startswith("_") and name != "call"]
    assert "read_coils" in methods
    assert "read_device_identification" in methods
    for name in methods:
        assert getattr(client, name) is getattr(AsyncCalls, name)


@asynccontextmanager
async def asyncio_client(handler: Handler) -> AsyncIterator[Any]:
    """The example's client, connected to a server that handles the connection with `handler`."""
    ended = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
            await reader.read()  # until the client has gone
        finally:
            writer.close()
            ended.set()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        example = load("embed_asyncio")
        address = server.sockets[0].getsockname()
        client = example.Client(example.Link(*await asyncio.open_connection(*address)))
        yield client
        client.turns.close()
        await ended.wait()


def answer(request: bytes) -> bytes:
    """Return the response to a read of one register: its value is its address."""
    return request[:4] + b"\x00\x05" + request[6:8] + b"\x02" + request[8:10]


def test_tasks_that_share_the_asyncio_client_get_their_own_answers() -> None:
    """With four concurrent requests and responses in another order, each task gets its own."""

    async def last_one_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests = [await reader.readexactly(12) for _ in range(4)]
        writer.writelines(answer(request) for request in reversed(requests))

    async def scenario() -> list[list[int]]:
        async with asyncio_client(last_one_first) as client:
            calls = [client.read_holding_registers(address, timeout=10) for address in range(4)]
            answers: list[list[int]] = await asyncio.gather(*calls)
            return answers

    assert asyncio.run(scenario()) == [[0], [1], [2], [3]]


def test_a_cancelled_task_takes_nothing_from_the_others() -> None:
    """The places of four cancelled calls are free at once; their late responses are dropped."""

    async def wait_for_five(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests = [await reader.readexactly(12) for _ in range(5)]
        writer.writelines(answer(request) for request in requests)

    async def scenario() -> list[int]:
        async with asyncio_client(wait_for_five) as client:
            tasks = [
                asyncio.create_task(client.read_holding_registers(address, timeout=10))
                for address in range(5)
            ]
            await asyncio.sleep(0)
            for task in tasks[:4]:
                task.cancel()
            found: list[int] = await tasks[4]
            assert all(task.cancelled() for task in tasks[:4])
            return found

    assert asyncio.run(scenario()) == [4]


def test_a_call_on_a_lost_asyncio_connection_fails_at_once() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(12)
        writer.close()

    async def scenario() -> None:
        async with asyncio_client(hang_up) as client:
            for _ in range(2):  # one during the loss of the link, one after it
                with pytest.raises(ConnectionLostError):
                    await client.read_holding_registers(0, timeout=10)

    asyncio.run(scenario())


def test_a_timeout_of_a_task_leaves_the_others_their_answers() -> None:
    """The task that receives for all times out while another waits for its response."""

    async def only_the_second(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests = [await reader.readexactly(12) for _ in range(2)]
        await reader.readexactly(12)  # this is sent when the first has timed out
        writer.write(answer(requests[1]))

    async def scenario() -> list[int]:
        async with asyncio_client(only_the_second) as client:
            first = asyncio.create_task(client.read_holding_registers(1, timeout=0.05))
            second = asyncio.create_task(client.read_holding_registers(2, timeout=10))
            with pytest.raises(ResponseTimeoutError):
                await first
            third = asyncio.create_task(client.read_holding_registers(3, timeout=10))
            found: list[int] = await second
            third.cancel()
            return found

    assert asyncio.run(scenario()) == [2]


def test_a_unit_that_blocks_holds_up_no_other_connection_of_the_asyncio_server() -> None:
    class Slow(Unit):
        def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
            entered.set()
            released.wait(20)
            return super().execute(request, broadcast=broadcast)

    entered, released = threading.Event(), threading.Event()

    async def scenario() -> list[list[int]]:
        example = load("embed_asyncio")
        example.UNITS[2] = Slow(holding_registers=SequentialBlock(0, [7]), blocking=True)
        async with await asyncio.start_server(example.serve, "127.0.0.1", 0) as server:
            address = server.sockets[0].getsockname()
            clients = [
                example.Client(example.Link(*await asyncio.open_connection(*address)))
                for _ in range(2)
            ]
            slow = asyncio.create_task(clients[0].read_holding_registers(0, unit=2, timeout=20))
            await asyncio.to_thread(entered.wait, 20)
            quick: list[int] = await clients[1].read_holding_registers(0, timeout=20)
            released.set()
            answers = [quick, await slow]
            for client in clients:
                client.turns.close()
            return answers

    assert asyncio.run(scenario()) == [[2300], [7]]

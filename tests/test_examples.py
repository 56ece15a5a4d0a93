"""The examples do what they say: each is run as a user would run it, and its output is read."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from modwire import AsyncCalls, ConnectionLostError, ReadHoldingRegistersRequest

EXAMPLES = Path(__file__).parents[1] / "examples"
has_ptys = pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals")

# What the demo puts into the meter, or writes to it.
METER = {
    "Voltage L1": "230.4",
    "Voltage L2": "231.1",
    "Voltage L3": "229.7",
    "Current L1": "4.82",
    "Current L2": "5.17",
    "Current L3": "4.55",
    "Frequency": "49.98",
    "Power factor": "-0.962",
    "Active power": "3218.25",
    "Energy": "18462.903",
    "Phase missing": "off",
    "Cover closed": "on",
    "Demand period": "30",
    "CT ratio": "40",
    "Power limit": "4200.5",
    "Relay 1": "on",
    "Relay 2": "on",
}
DEMO_RTU_REQUEST = "01 04 00 00 00 03 b0 0b"
DEMO_RTU_RESPONSE_PDU = "04 06 09 00 09 07 08 f9"


def run(*arguments: object, expected: int = 0) -> list[str]:
    """The lines that a Python process printed; anything on its standard error is a failure."""
    result = subprocess.run(
        [sys.executable, "-X", "dev", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (result.stderr, result.returncode) == ("", expected)
    return result.stdout.splitlines()


def load(name: str) -> ModuleType:
    """An example as a module."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_example_is_run_by_a_test() -> None:
    tested = {"client", "custom_function", "demo", "embed_asyncio", "embed_selectors", "server"}
    assert {
        path.stem for path in EXAMPLES.glob("*.py")
    } == tested  # the first and last: test_readme


def test_the_core_serves_and_asks_in_a_selectors_loop() -> None:
    assert run(EXAMPLES / "embed_selectors.py") == [
        "ReadHoldingRegistersResponse(registers=(2302, 2311, 2297))",
        "WriteSingleRegisterResponse(address=3, value=30)",
        "IllegalDataAddressError: exception 02 (illegal data address) in answer to "
        "ReadHoldingRegistersRequest(address=3, count=2)",
        "ResponseTimeoutError: unit 9 did not answer "
        "ReadHoldingRegistersRequest(address=0, count=1) within 0.2 s",
        "both connections closed",
    ]


def test_the_core_serves_and_asks_in_asyncio() -> None:
    assert run(EXAMPLES / "embed_asyncio.py") == [
        "NoneType: None",
        "list: [50]",
        "IllegalDataAddressError: exception 02 (illegal data address) in answer to "
        "ReadHoldingRegistersRequest(address=9, count=2)",
        "ResponseTimeoutError: unit 9 did not answer "
        "ReadHoldingRegistersRequest(address=0, count=1) within 0.2 s",
        "ConnectionLostError: it was closed",
    ]


def test_a_function_of_ones_own_works_over_tcp_and_rtu() -> None:
    assert run(EXAMPLES / "custom_function.py") == [
        "tcp: 5120 W, 95 minutes ago",
        "rtu: 5120 W, 95 minutes ago",
        "a server without it: exception 01 (illegal function) in answer to "
        "ReadPeakRequest(phase=2)",
    ]


# The asyncio example, which the README says is short and whole.


def test_the_asyncio_client_is_short_and_has_every_method() -> None:
    text = (EXAMPLES / "embed_asyncio.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 80
    client = load("embed_asyncio").Client
    assert client.call is not AsyncCalls.call
    methods = [name for name in dir(AsyncCalls) if not name.startswith("_") and name != "call"]
    assert "read_coils" in methods
    assert "read_device_identification" in methods
    for name in methods:
        assert getattr(client, name) is getattr(AsyncCalls, name)


async def connect_asyncio_client(handler: object) -> tuple[asyncio.Server, AsyncCalls]:
    server = await asyncio.start_server(handler, "127.0.0.1", 0)  # type: ignore[arg-type]
    client_class = load("embed_asyncio").Client
    address = server.sockets[0].getsockname()
    _, client = await asyncio.get_running_loop().create_connection(client_class, *address)
    return server, client


def test_tasks_that_share_the_asyncio_client_get_their_own_answers() -> None:
    """Answers that come in another order must not change hands; four requests come at once."""

    async def last_one_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests = [await reader.readexactly(12) for _ in range(4)]
        for request in reversed(requests):
            writer.write(request[:4] + b"\x00\x05" + request[6:8] + b"\x02" + request[8:10])
        assert await reader.read() == b""
        writer.close()

    async def scenario() -> list[list[int]]:
        server, client = await connect_asyncio_client(last_one_first)
        calls = [client.read_holding_registers(address, timeout=10) for address in range(4)]
        answers = await asyncio.gather(*calls)
        client.transport.close()  # type: ignore[attr-defined]
        async with server:
            return answers

    assert asyncio.run(scenario()) == [[0], [1], [2], [3]]


def test_a_cancelled_task_takes_nothing_from_the_others() -> None:
    """Four slots taken by cancelled calls are free again, and late answers go to nobody."""

    async def first_four_last(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests = [await reader.readexactly(12) for _ in range(5)]
        for request in requests:
            writer.write(request[:4] + b"\x00\x05" + request[6:8] + b"\x02" + request[8:10])
        assert await reader.read() == b""
        writer.close()

    async def scenario() -> list[int]:
        server, client = await connect_asyncio_client(first_four_last)
        tasks = [
            asyncio.create_task(client.read_holding_registers(address, timeout=10))
            for address in range(5)
        ]
        await asyncio.sleep(0)
        for task in tasks[:4]:
            task.cancel()
        answer = await tasks[4]
        assert all(task.cancelled() for task in tasks[:4])
        client.transport.close()  # type: ignore[attr-defined]
        async with server:
            return answer

    assert asyncio.run(scenario()) == [4]


def test_a_call_on_a_lost_asyncio_connection_fails_at_once() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(12)
        writer.close()

    async def scenario() -> None:
        server, client = await connect_asyncio_client(hang_up)
        for _ in range(2):  # the first is under way when the link goes, the second comes after
            with pytest.raises(ConnectionLostError):
                await client.call(ReadHoldingRegistersRequest(0), timeout=10)
        async with server:
            pass

    asyncio.run(scenario())


# The demo.


def fields(lines: list[str], title: str) -> bytes:
    """The bytes that the demo explains under `title`, put together again."""
    start = next(at for at, line in enumerate(lines) if line.startswith(title)) + 1
    found = b""
    for line in lines[start:]:
        match = re.match(r" +(\d+)  ((?:[0-9a-f]{2} )+) +\S", line)
        if match is None:
            break
        assert int(match[1]) == len(found)
        found += bytes.fromhex(match[2])
    return found


@has_ptys
def test_the_demo_reads_what_was_put_in_over_both_links() -> None:
    lines = run(EXAMPLES / "demo.py")
    table = {
        line[:14].rstrip(): line.split()[-3:] for line in lines if re.match(r"\w.{23} +\d+  ", line)
    }
    assert table.keys() == METER.keys()
    for name, text in METER.items():
        assert table[name].count(text) == 2, name
    assert lines[-1] == "All 34 values are what was put in or written."
    assert max(map(len, lines)) < 80


@has_ptys
def test_the_demo_explains_the_bytes_of_a_real_exchange() -> None:
    lines = run(EXAMPLES / "demo.py")
    assert fields(lines, "RTU request").hex(" ") == DEMO_RTU_REQUEST
    assert fields(lines, "RTU response")[1:-2].hex(" ") == DEMO_RTU_RESPONSE_PDU
    request, response = fields(lines, "TCP request"), fields(lines, "TCP response")
    assert request[2:].hex(" ") == "00 00 00 06 01 04 00 00 00 03"
    assert response[2:].hex(" ") == f"00 00 00 09 01 {DEMO_RTU_RESPONSE_PDU}"
    assert request[:2] == response[:2]
    text = "\n".join(lines)
    assert "2304: Voltage L1 is 230.4 V" in text
    assert text.count("low byte first, over all before it: right") == 2


def test_the_demo_fails_if_a_value_is_not_what_was_put_in() -> None:
    """`make demo` is a check as well: an exit code 0 says that everything agreed."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import demo; make_meter = demo.make_meter\n"
        "def make_wrong_meter():\n"
        "    meter = make_meter(); meter.input_registers[1] += 1; return meter\n"
        "demo.make_meter = make_wrong_meter; sys.exit(demo.main())"
    )
    lines = run("-c", script, EXAMPLES, expected=1)
    assert "  Voltage L2 over TCP is 231.2, not 231.1" in lines


def test_the_demo_does_without_pseudo_terminals() -> None:
    """On Windows it is TCP alone, and says so."""
    script = (
        "import os, sys; sys.path.insert(0, sys.argv[1])\n"
        "if hasattr(os, 'openpty'): del os.openpty\n"
        "import demo; sys.exit(demo.main())"
    )
    lines = run("-c", script, EXAMPLES)
    assert "  (and not over RTU: this system has no pseudo-terminals)" in lines
    assert lines[-1] == "All 17 values are what was put in or written."

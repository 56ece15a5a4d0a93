"""Tests of `modwire_asyncio.modbus_connection`, beside those of modbus-connection itself.

`test_modbus_connection.py` runs this file together with them, on a Python that has the package.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import pty
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import modbus_connection as api
import pytest

from modwire import Framing, RtuFraming, SequentialBlock, TcpFraming, Unit, Units
from modwire_asyncio import TcpServer, modbus_connection
from modwire_asyncio.modbus_connection import ModwireConnection, connect_serial, connect_tcp

Answer = Callable[[bytes], bytes | None]  # the bytes for a request; None hangs up

pytestmark = pytest.mark.filterwarnings("error")


@asynccontextmanager
async def scripted(answer: Answer, refuses: int = 0) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Serve TCP with one `answer` for each request; yields the port and the requests so far.

    The first `refuses` connections are closed at once.
    """
    requests: list[bytes] = []
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        while len(writers) > refuses and (data := await reader.read(260)):
            requests.append(data)
            sent = answer(data)
            if sent is None:
                break
            writer.write(sent)
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], requests
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()


@asynccontextmanager
async def connected(port: int, **timing: float) -> AsyncIterator[ModwireConnection]:
    """Connect over TCP; closes the connection."""
    connection = await connect_tcp("127.0.0.1", port=port, **timing)
    try:
        yield connection
    finally:
        await connection.close()


def device() -> Units:
    """A device with the unit 17."""
    unit = Unit(
        holding_registers=SequentialBlock(0, [1, 2, 3, 4]),
        files={4: SequentialBlock(0, [0] * 8)},
        server_id=b"meter",
        exception_status=0x6D,
    )
    return Units({17: unit})


async def test_calls_that_their_server_does_not_answer() -> None:
    async with (
        TcpServer(device(), ("127.0.0.1", 0)) as server,
        connected(server.address[1]) as connection,
    ):
        unit = connection.for_unit(17)
        await unit.mask_write_register(0, 0, 0x1234)
        read = await unit.read_write_registers(0, 2, write_address=2, write_values=[7, 8])
        assert read == [0x1234, 2]
        assert await unit.read_holding_registers(2, 2) == [7, 8]
        await unit.write_file_record(4, 1, [9, 10])
        assert await unit.read_file_record(file=4, record=0, length=3) == [0, 9, 10]
        assert await unit.report_server_id() == b"meter"
        assert await unit.read_exception_status() == 0x6D


def coil(request: bytes) -> bytes:
    """The answer to a request for one coil, which is on."""
    return request[:4] + b"\x00\x04" + request[6:8] + b"\x01\x01"


async def test_a_request_that_meets_the_loss_of_its_link_is_sent_once() -> None:
    """A read too, which modwire's own clients send again if the link had worked."""
    answers: list[Answer] = [coil, lambda request: None, coil]
    async with (
        scripted(lambda request: answers.pop(0)(request)) as (port, requests),
        connected(port) as connection,
    ):
        lost: list[bool] = []
        connection.on_connection_lost(lambda: lost.append(connection.connected))
        unit = connection.for_unit(1)
        assert await unit.read_coils(0, 1) == [True]
        with pytest.raises(api.ModbusConnectionError, match=r"read_coils\(0, 1\): .*closed"):
            await unit.read_coils(0, 1)
        assert len(requests) == 2
        assert not connection.connected
        assert lost == [False]
        assert await unit.read_coils(0, 1) == [True]
        assert connection.connected
        assert lost == [False]


@pytest.mark.parametrize("framing", [TcpFraming, RtuFraming])
async def test_a_loss_while_idle_is_reported_once(framing: type[Framing]) -> None:
    """On the socket of a serial gateway too, which pyserial would not watch."""
    async with TcpServer(device(), ("127.0.0.1", 0), framing=framing) as server:
        port = server.address[1]
        connection = (
            await connect_tcp("127.0.0.1", port=port)
            if framing is TcpFraming
            else await connect_serial(f"socket://127.0.0.1:{port}")
        )
        try:
            unit = connection.for_unit(17)
            assert await unit.read_holding_registers(3, 1) == [4]
            lost = asyncio.Event()
            reports: list[None] = []
            connection.on_connection_lost(lambda: reports.append(lost.set()))
            await server.shutdown()
            await asyncio.wait_for(lost.wait(), 20)
            assert not connection.connected
            with pytest.raises(api.ModbusConnectionError, match=f"could not .*127.0.0.1:{port}"):
                await unit.read_holding_registers(0, 1)
            assert len(reports) == 1
        finally:
            await connection.close()


async def test_a_link_lost_before_its_first_use_is_replaced() -> None:
    """The loss comes while the connection still waits for `connect_delay`."""
    answers: list[Answer] = [coil]
    async with (
        scripted(lambda request: answers.pop(0)(request), refuses=1) as (port, _),
        connected(port, connect_delay=0.2) as connection,
    ):
        unit = connection.for_unit(1)
        with pytest.raises(api.ModbusConnectionError):
            await unit.read_coils(0, 1)
        assert not connection.connected
        assert await unit.read_coils(0, 1) == [True]


@contextmanager
def serial_device(path: Path) -> Iterator[None]:
    """A pseudo-terminal at `path` that answers each request with one coil, which is on."""
    ours, theirs = pty.openpty()
    path.unlink(missing_ok=True)
    path.symlink_to(os.ttyname(theirs))
    loop = asyncio.get_running_loop()
    answer = bytes.fromhex("01 01 01 01 90 48")
    loop.add_reader(ours, lambda: os.read(ours, 260) and os.write(ours, answer))
    try:
        yield
    finally:
        loop.remove_reader(ours)
        os.close(theirs)
        os.close(ours)


async def test_a_serial_adapter_may_be_unplugged(tmp_path: Path) -> None:
    """The request that meets the loss raises; a later one opens the port again."""
    path = tmp_path / "tty"
    with serial_device(path):
        connection = await connect_serial(str(path), timeout=20)
        unit = connection.for_unit(1)
        assert await unit.read_coils(0, 1) == [True]
    try:
        for _ in range(2):  # by the link, then by the port
            with pytest.raises(api.ModbusConnectionError):
                await unit.read_coils(0, 1)
            assert not connection.connected
        with serial_device(path):
            assert await unit.read_coils(0, 1) == [True]
            await connection.disconnect()
    finally:
        await connection.close()


async def test_a_silent_device_keeps_its_link() -> None:
    """Its other units may be well; the owner may drop the link by `disconnect()`."""
    async with (
        scripted(lambda request: b"") as (port, requests),
        connected(port, timeout=0.05) as connection,
    ):
        for _ in range(5):
            with pytest.raises(api.ModbusTimeoutError, match=r"read_input_registers\(7, 2\)"):
                await connection.for_unit(3).read_input_registers(7, 2)
        assert connection.connected
        assert len(requests) == 5


async def test_answers_that_do_not_fit_are_protocol_errors() -> None:
    def answer(request: bytes) -> bytes:
        identifies = request[7] == 0x2B
        # Object 0 again and again; or one word of another sub-function.
        pdu = "2b 0e 01 01 ff 00 01 00 01 41" if identifies else "08 00 0b 00 01"
        body = request[6:7] + bytes.fromhex(pdu)
        return request[:4] + len(body).to_bytes(2, "big") + body

    async with scripted(answer) as (port, _), connected(port) as connection:
        unit = connection.for_unit(1)
        with pytest.raises(api.ModbusProtocolError, match=r"diagnostics\(100, 0\): .*00 0b"):
            await unit.diagnostics(100)
        with pytest.raises(api.ModbusProtocolError, match="next object id"):
            await unit.read_device_identification()


async def test_wrong_arguments_are_value_errors_and_send_nothing() -> None:
    async with scripted(lambda request: b"") as (port, requests), connected(port) as connection:
        unit = connection.for_unit(1)
        with pytest.raises(ValueError, match="1..125"):
            await unit.read_holding_registers(0, 126)
        with pytest.raises(ValueError, match="data must be 0..65535"):
            await unit.diagnostics(0, -1)
        assert requests == []
    with pytest.raises(ValueError, match="TLS"):
        await ModwireConnection(api.ModbusTlsParams(host="127.0.0.1")).connect()


async def test_a_cancelled_request_leaves_the_others_alone() -> None:
    async with (
        TcpServer(device(), ("127.0.0.1", 0)) as server,
        connected(server.address[1]) as connection,
    ):
        unit = connection.for_unit(17)
        tasks = [asyncio.create_task(unit.read_holding_registers(n % 4, 1)) for n in range(40)]
        await asyncio.sleep(0)
        for task in tasks[::3]:
            task.cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        for n, each in enumerate(found):
            if n % 3 == 0:
                assert isinstance(each, asyncio.CancelledError)
            else:
                assert each == [n % 4 + 1]


async def test_a_broadcast_on_a_serial_line_has_no_answer() -> None:
    served = device()
    async with TcpServer(served, ("127.0.0.1", 0), framing=RtuFraming) as server:
        connection = await connect_serial(f"socket://127.0.0.1:{server.address[1]}", timeout=20)
        try:
            await connection.for_unit(0).write_register(1, 99)
            assert await connection.for_unit(17).read_holding_registers(1, 1) == [99]
        finally:
            await connection.close()


def test_what_the_type_checkers_are_told_is_there() -> None:
    """The stub that stands in for the package on older Pythons has its names and parameters."""
    stub = ast.parse(Path(os.environ["MODBUS_CONNECTION_STUB"]).read_text(encoding="utf-8"))
    checked = 0
    for kind in [each for each in stub.body if isinstance(each, ast.ClassDef)]:
        if kind.name.startswith("_"):
            continue
        theirs = getattr(api, kind.name)
        for method in kind.body:
            if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef):
                known = inspect.getattr_static(theirs, method.name)
                if isinstance(known, property):
                    continue
                known = inspect.signature(getattr(theirs, method.name)).parameters
                ours = [*method.args.args, *method.args.kwonlyargs]
                assert {each.arg for each in ours} <= set(known), f"{kind.name}.{method.name}"
                checked += 1
    assert checked >= 10
    assert modbus_connection.ModbusConnection is ModwireConnection

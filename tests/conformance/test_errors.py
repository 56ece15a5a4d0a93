"""Each error that a client raises names the endpoint, the unit and the request, and is picklable.

The device is a server of the sync package whose unit answers by the address of the request.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
import socket
from collections.abc import Awaitable, Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

import modwire
from modwire import (
    ConnectionLostError,
    ExceptionCode,
    ExceptionResponse,
    ExceptionResponseError,
    FaultyResponse,
    FrameError,
    InvalidRequestError,
    InvalidResponseError,
    ModbusError,
    RawResponse,
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ResponseTimeoutError,
    Unit,
    Units,
)
from modwire_sync import TcpServer

if TYPE_CHECKING:
    from modwire import Response
    from modwire.messages.base import AnyRequest

PACKAGES = ["sync", "gevent", "trio", "asyncio"]
SILENT, OTHER_FUNCTION, NO_FRAME, HANGS_UP, REFUSES = 1000, 1001, 1002, 1003, 2000
ANSWERS = {
    SILENT: FaultyResponse(None),
    OTHER_FUNCTION: FaultyResponse(RawResponse(4, b"\2\0\0")),
    NO_FRAME: FaultyResponse(ReadHoldingRegistersResponse([1]), is_damaged=True),
    HANGS_UP: FaultyResponse(None, drops=True),
}
CODES = [*ExceptionCode, 0x63]
RAISED = {
    SILENT: ResponseTimeoutError,
    OTHER_FUNCTION: InvalidResponseError,
    NO_FRAME: FrameError,
    HANGS_UP: ConnectionLostError,
    **{REFUSES + code: type(ExceptionResponseError.for_code(None, code)) for code in CODES},
}


class Device(Unit):
    def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        address = getattr(request, "address", 0)
        return ANSWERS.get(address) or ExceptionResponse(3, address - REFUSES)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with TcpServer(Units.single(Device()), ("127.0.0.1", 0)) as server:
        yield int(server.address[1])


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield int(bound.getsockname()[1])


async def raised(call: Callable[[], Any]) -> ModbusError:
    try:
        value = call()
        if inspect.isawaitable(value):
            await value
    except ModbusError as error:
        return error
    raise AssertionError("nothing was raised")


def play(package: str, script: Callable[[Any], Awaitable[None]]) -> None:
    """Run a script with the package, in a loop if it has one."""
    module = import_module(f"modwire_{package}")
    if package == "asyncio":
        asyncio.run(script(module))  # type: ignore[arg-type]
    elif package == "trio":
        import trio

        trio.run(script, module)
    else:
        with pytest.raises(StopIteration):
            script(module).__await__().send(None)


async def close(client: Any) -> None:
    closing = client.aclose() if hasattr(client, "aclose") else client.close()
    if closing is not None:
        await closing


def check_copies(error: ModbusError) -> None:
    copies = [pickle.loads(pickle.dumps(error, each)) for each in range(2, 6)]
    for copied in (*copies, copy.copy(error), copy.deepcopy(error)):
        assert type(copied) is type(error)
        assert (str(copied), repr(copied)) == (str(error), repr(error))
        assert (vars(copied), copied.args) == (vars(error), error.args)


def check(error: ModbusError, kind: type[ModbusError], port: int, unit: int, address: int) -> None:
    request = ReadHoldingRegistersRequest(address)
    assert type(error) is kind
    assert (error.peer, error.unit) == (f"tcp://127.0.0.1:{port}", unit)
    assert error.request == request
    for part in (error.peer, f"unit {unit}", repr(request)):
        assert str(error).count(part) == 1
    check_copies(error)


def test_every_error_is_tried() -> None:
    errors = {getattr(modwire, name) for name in modwire.__all__ if name.endswith("Error")}
    assert errors - {ModbusError, InvalidRequestError} == set(RAISED.values())


@pytest.mark.parametrize("address", RAISED)
@pytest.mark.parametrize("package", PACKAGES)
def test_an_error_of_a_call_names_it(package: str, address: int, port: int) -> None:
    async def script(module: Any) -> None:
        timeout = 0.05 if address == SILENT else 20.0
        client = module.TcpClient("127.0.0.1", port, unit=7, timeout=timeout)
        for unit, caller in ((7, client), (9, client.unit(9))):
            error = await raised(lambda caller=caller: caller.read_holding_registers(address))
            check(error, RAISED[address], port, unit, address)
        await close(client)

    play(package, script)


@pytest.mark.parametrize("package", PACKAGES)
def test_an_error_of_a_call_that_cannot_connect_names_it(package: str, closed_port: int) -> None:
    async def script(module: Any) -> None:
        client = module.TcpClient("127.0.0.1", closed_port, unit=7, timeout=0.05)
        for attempt in range(3):  # the last ones are in the back-off
            error = await raised(lambda: client.read_holding_registers(5, unit=9))
            check(error, ConnectionLostError, closed_port, 9, 5)
            assert (error.__cause__ is not None) or attempt
        error = await raised(lambda: client.read_holding_registers(5))
        check(error, ConnectionLostError, closed_port, 7, 5)
        await close(client)

    play(package, script)


@pytest.mark.parametrize("package", PACKAGES)
def test_an_error_of_connect_names_the_endpoint(package: str, closed_port: int) -> None:
    async def script(module: Any) -> None:
        client = module.TcpClient("127.0.0.1", closed_port)
        error = await raised(client.connect)
        assert type(error) is ConnectionLostError
        assert str(error).startswith(f"tcp://127.0.0.1:{closed_port}: cannot be opened: ")
        check_copies(error)

    play(package, script)


@pytest.mark.parametrize("package", PACKAGES)
def test_wrong_values_are_refused_before_there_is_a_request(package: str) -> None:
    async def script(module: Any) -> None:
        client = module.TcpClient("192.0.2.1")
        error = await raised(lambda: client.read_holding_registers(0, 126))
        assert isinstance(error, InvalidRequestError)
        assert str(error) == "count must be 1..125 registers, got 126"
        assert (error.function_code, error.exception_code) == (3, 3)
        check_copies(error)

    play(package, script)

"""`client.unit(17)` has every call, to that unit, on the client's link."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any, TypeVar

import pytest

import modwire_asyncio
import modwire_gevent
import modwire_sync
import modwire_trio
from modwire import AsyncCalls, BlockingCalls, ReadHoldingRegistersResponse, Request, Response
from modwire.calls.handles import AsyncUnitCalls, BlockingUnitCalls
from modwire.maps import RegisterMap, uint16

ResponseT = TypeVar("ResponseT", bound=Response)

PACKAGES = [modwire_sync, modwire_gevent, modwire_trio, modwire_asyncio]
Asked = tuple[Request[Any], int | None, float | None]


class Blocking(BlockingCalls):
    def __init__(self) -> None:
        self.asked: list[Asked] = []

    def call(
        self, request: Request[ResponseT], *, unit: int | None = None, timeout: float | None = None
    ) -> Any:
        self.asked.append((request, unit, timeout))
        return ReadHoldingRegistersResponse([7] * getattr(request, "count", 1))


class Awaited(AsyncCalls):
    def __init__(self) -> None:
        self.asked: list[Asked] = []

    async def call(
        self, request: Request[ResponseT], *, unit: int | None = None, timeout: float | None = None
    ) -> Any:
        self.asked.append((request, unit, timeout))
        return ReadHoldingRegistersResponse([7])


def test_calls_go_to_the_unit_with_its_timeout() -> None:
    client = Blocking()
    meter = BlockingUnitCalls(client, 17, timeout=0.5)
    assert meter.read_holding_registers(3) == [7]
    assert meter.read_holding_registers(3, timeout=2.0) == [7]
    assert meter.read_holding_registers(3, unit=4) == [7]
    assert BlockingUnitCalls(client, 0).read_holding_registers(3) == [7]
    assert [each[1:] for each in client.asked] == [(17, 0.5), (17, 2.0), (4, 0.5), (0, None)]


def test_awaited_calls_go_to_the_unit_with_its_timeout() -> None:
    client = Awaited()

    async def ask() -> None:
        meter = AsyncUnitCalls(client, 17, timeout=0.5)
        assert await meter.read_holding_registers(3) == [7]
        assert await meter.read_holding_registers(3, unit=4, timeout=2.0) == [7]

    asyncio.run(ask())
    assert [each[1:] for each in client.asked] == [(17, 0.5), (4, 2.0)]


class Meter(RegisterMap):
    volts = uint16(holding=5)


def test_a_register_map_is_read_from_a_handle() -> None:
    client = Blocking()
    assert Meter.read(BlockingUnitCalls(client, 17)).volts == 7
    assert [each[1] for each in client.asked] == [17]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_client_makes_handles(package: Any) -> None:
    client = package.TcpClient("192.0.2.1")
    meter = client.unit(17, timeout=0.5)
    is_async = package in (modwire_trio, modwire_asyncio)
    assert type(meter) is (AsyncUnitCalls if is_async else BlockingUnitCalls)
    assert meter.client is client
    assert repr(meter) == "<unit 17 of <TcpClient tcp://192.0.2.1:502, closed>>"
    for wrong in (-1, 256, True, "1"):
        with pytest.raises(ValueError, match=r"unit must be 0\.\.255"):
            client.unit(wrong)
    for wrong in (0, -1.0, "1"):
        with pytest.raises(ValueError, match="timeout must be greater than 0"):
            client.unit(1, timeout=wrong)


def test_the_signatures_are_the_same() -> None:
    ours, theirs = modwire_sync.TcpClient.unit, modwire_asyncio.TcpClient.unit
    assert inspect.getdoc(ours) == inspect.getdoc(theirs)
    assert inspect.signature(ours).parameters == inspect.signature(theirs).parameters

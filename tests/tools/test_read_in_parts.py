"""Long reads that a device refuses are made in parts, also those of one address."""

from __future__ import annotations

from typing import Any

import pytest

from modwire import (
    IllegalDataAddressError,
    IllegalDataValueError,
    ModbusError,
    ReadHoldingRegistersResponse,
    ServerDeviceFailureError,
)
from modwire.calls import BlockingCalls
from modwire.planner import PlanLimits
from modwire_tools.client.reading import Reading
from modwire_tools.values.item_texts import parse_item
from modwire_tools.values.items import Defaults


class Picky(BlockingCalls):
    """A device with the value of each register equal to its address, at most `most` at a time."""

    def __init__(self, most: int = 125, hole: int = -1, refusal: Any = None) -> None:
        self.most = most
        self.hole = range(hole, hole + 1)
        self.refusal = refusal or IllegalDataAddressError
        self.requests = 0

    def call(self, request: Any, *, unit: int | None = None, timeout: float | None = None) -> Any:
        self.requests += 1
        asked = range(request.address, request.address + request.count)
        if len(asked) > self.most:
            raise IllegalDataValueError(request, 3)
        if any(address in asked for address in self.hole):
            raise self.refusal(request, 4 if self.refusal is ServerDeviceFailureError else 2)
        return ReadHoldingRegistersResponse(list(asked))


def read(device: Picky, *texts: str, count: int = 1) -> list[Any]:
    items = [parse_item(text, Defaults(count=count)) for text in texts]
    outcomes = Reading(items, 1, PlanLimits()).read(device)
    return [each.value if each.error is None else each.error for each in outcomes]


@pytest.mark.parametrize("most", [1, 10, 64, 125])
def test_many_values_from_one_address_are_read_although_long_reads_are_refused(most: int) -> None:
    assert read(Picky(most), "hr:10", count=100) == [tuple(range(10, 110))]


def test_a_value_of_several_registers_is_not_torn() -> None:
    device = Picky(2)
    assert read(device, "hr:0/uint32", count=3) == [(1, 0x20003, 0x40005)]
    assert isinstance(read(Picky(1), "hr:0/uint32", count=3)[0], IllegalDataValueError)


@pytest.mark.parametrize("refusal", [IllegalDataAddressError, ServerDeviceFailureError])
def test_values_with_a_missing_one_fail_after_few_requests(refusal: type[ModbusError]) -> None:
    device = Picky(hole=60, refusal=refusal)
    failed, value = read(device, "hr:10/uint16x100", "hr:3")
    assert isinstance(failed, refusal)
    assert "address=60, count=1" in str(failed), "the error names the register"
    assert value == 3
    assert device.requests < 20


def test_an_absent_range_is_not_asked_register_by_register() -> None:
    class Absent(Picky):
        def call(self, request: Any, **how: Any) -> Any:
            self.requests += 1
            raise IllegalDataAddressError(request, 2)

    device = Absent()
    assert isinstance(read(device, "hr:10", count=100)[0], IllegalDataAddressError)
    assert device.requests < 10


def test_a_missing_value_is_not_asked_again() -> None:
    device = Picky(hole=60)
    reading = Reading([parse_item("hr:10", Defaults(count=100))], 1, PlanLimits())
    reading.read(device)
    before = device.requests
    assert isinstance(reading.read(device)[0].error, IllegalDataAddressError)
    assert device.requests == before

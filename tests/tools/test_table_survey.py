"""`TableSurvey` on devices that hypothesis generates, without a link or a clock."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modwire import (
    BlockingCalls,
    ExceptionResponseError,
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    Request,
    ResponseTimeoutError,
    ServerDeviceBusyError,
)
from modwire.messages.base import ResponseT_co
from modwire_tools.scanning import TableSurvey
from modwire_tools.scanning.asking import Asker, Refused
from modwire_tools.simulator.devices import SILENCE

SPAN = 400


class Device(BlockingCalls):
    """Holding registers at some addresses; all else is refused by `code`, or by silence."""

    def __init__(self, addresses: set[int], code: int = 2, most: int = 125) -> None:
        self.addresses = addresses
        self.code = code
        self.most = most
        self.busy = 0
        self.is_gone = False

    def call(
        self,
        request: Request[ResponseT_co],
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> ResponseT_co:
        assert isinstance(request, ReadHoldingRegistersRequest)
        values = self._read(request.address, request.count)
        return request.decode_response(ReadHoldingRegistersResponse(values).encode())

    def _read(self, address: int, count: int) -> list[int]:
        if self.busy:
            self.busy -= 1
            raise ServerDeviceBusyError
        if self.is_gone:
            raise ResponseTimeoutError
        if count > self.most:
            raise ExceptionResponseError(code=3)
        wanted = range(address, address + count)
        if not self.addresses.issuperset(wanted):
            if self.code == SILENCE:
                raise ResponseTimeoutError
            raise ExceptionResponseError(code=self.code)
        return [at * 7 & 0xFFFF for at in wanted]


def asker_of(device: Device, pauses: list[float] | None = None, delay: float = 0.0) -> Asker:
    pause = (lambda seconds: None) if pauses is None else pauses.append
    return Asker(device, 1, delay=delay, pause=pause)


ADDRESSES = st.lists(st.tuples(st.integers(0, SPAN - 1), st.integers(1, 150)), max_size=6).map(
    lambda spans: {at for first, count in spans for at in range(first, first + count)} & ALL
)
ALL = set(range(SPAN))


@given(
    addresses=ADDRESSES,
    code=st.sampled_from([2, 4, SILENCE]),
    most=st.integers(1, 125),
    stops=st.sets(st.integers(0, 200)),
)
def test_all_that_can_be_read_is_found_even_when_it_is_stopped_in_between(
    addresses: set[int], code: int, most: int, stops: set[int]
) -> None:
    device = Device(addresses, code, most)
    asker = asker_of(device)
    survey = TableSurvey("holding_registers", last=SPAN - 1, step=1)
    steps = 0
    while not survey.is_done:
        survey.go_on(asker)
        steps += 1
        if steps in stops:
            state = json.loads(json.dumps(survey.state()))
            survey = TableSurvey("holding_registers", last=SPAN - 1, step=1)
            survey.resume(state)
    if code == SILENCE and len([at for at in range(SPAN) if at not in addresses][:3]) == 3:
        # A table that is silent at the start counts as silent as a whole, and this is reported.
        if survey.whole == SILENCE:
            assert {0, 1, 2} & addresses == set()
            return
    assert survey.values == {at: at * 7 for at in addresses}
    found = {
        block.place.address + at for block in survey.blocks() for at in range(len(block.values))
    }
    assert found == addresses
    if addresses != ALL:
        assert survey.missing() == (None if code == 2 else code)
    limit = survey.limits()
    longest = _longest(sorted(addresses))
    if limit is not None:
        assert (limit.count, limit.code) == (most, 3)
    elif most < min(longest - 1, 125):
        raise AssertionError(f"{most} at once, of {longest}, is not noticed")


def _longest(addresses: Sequence[int]) -> int:
    longest = length = 0
    last = -2
    for address in addresses:
        length = length + 1 if address == last + 1 else 1
        longest = max(longest, length)
        last = address
    return longest


@pytest.mark.parametrize("start", [0x1000, 40000, 39999, 5000, 12345 // 16 * 16])
def test_far_tables_are_found_where_tables_begin_by_habit(start: int) -> None:
    survey = TableSurvey("holding_registers")
    asker = asker_of(Device(set(range(start, start + 7))))
    while not survey.is_done:
        survey.go_on(asker)
    assert set(survey.values) == set(range(start, start + 7))
    assert asker.requests < 13_000


def test_a_step_follows_what_it_finds_back_to_its_beginning() -> None:
    survey = TableSurvey("holding_registers", last=1999, step=50)
    asker = asker_of(Device(set(range(333, 460))))
    while not survey.is_done:
        survey.go_on(asker)
    assert set(survey.values) == set(range(333, 460))
    assert asker.requests < 110


def test_a_device_that_falls_silent_raises_and_is_not_taken_for_a_hole() -> None:
    device = Device(set(range(10, 20)))
    asker = asker_of(device)
    survey = TableSurvey("holding_registers", last=SPAN - 1, step=1)
    while not survey.values:
        survey.go_on(asker)
    device.is_gone = True

    def go_on() -> None:
        while not survey.is_done:
            survey.go_on(asker)

    with pytest.raises(ResponseTimeoutError, match="does not answer any longer"):
        go_on()


def test_a_busy_device_is_asked_again_after_a_while_and_politely() -> None:
    device = Device({0})
    device.busy = 2
    pauses: list[float] = []
    asker = asker_of(device, pauses, delay=0.02)
    assert asker.read_holding_registers(0) == [0]
    assert pauses == [0.02, 0.5, 0.02, 0.5, 0.02]
    device.busy = 1000
    with pytest.raises(Refused) as refused:
        asker.read_holding_registers(0)
    assert refused.value.code == 6

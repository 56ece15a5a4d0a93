"""Functions 8, 11 and 12 on a unit: counters, event log, listen-only mode, restart."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from modwire.errors import (
    AcknowledgeError,
    ExceptionResponseError,
    IllegalFunctionError,
    InvalidRequestError,
    MemoryParityError,
    NegativeAcknowledgeError,
    ServerDeviceBusyError,
)
from modwire.messages.bit_access import ReadCoilsRequest
from modwire.messages.decoder import Decoder
from modwire.messages.diagnostics import DiagnosticsRequest, DiagnosticsResponse
from modwire.messages.register_access import ReadHoldingRegistersRequest, WriteSingleRegisterRequest
from modwire.units.block import Block
from modwire.units.datastore import SequentialBlock
from modwire.units.unit import Unit
from modwire.units.units import Units
from reference_server import answered

DECODER = Decoder()
READ = ReadHoldingRegistersRequest(0, 1)
WRITE = WriteSingleRegisterRequest(0, 1)
BAD_READ = ReadHoldingRegistersRequest(9, 1)
COUNTERS = range(11, 19)


class Raising(Block):
    def __init__(self, error: Exception) -> None:
        self.error = error

    def read(self, address: int, count: int) -> Sequence[int]:
        raise self.error


def device(error: Exception | None = None) -> Unit:
    return Unit(
        holding_registers=SequentialBlock(0, [0]),
        coils=None if error is None else Raising(error),
    )


def ask(unit: Unit, text: str) -> str:
    """Return the answer to a PDU, both in hex."""
    return answered(unit, bytes.fromhex(text), DECODER).hex(" ")


def counter(unit: Unit, sub_function: int) -> int:
    """Return the counter that a client reads, which may include its own request."""
    response = unit.execute(DiagnosticsRequest(sub_function))
    assert isinstance(response, DiagnosticsResponse)
    return response.data[0]


class TestCounters:
    def test_a_fresh_unit_has_seen_only_the_question(self) -> None:
        for sub_function in COUNTERS:
            expected = 1 if sub_function in (11, 14) else 0
            assert counter(device(), sub_function) == expected

    def test_bus_messages_are_all_good_frames_on_the_line(self) -> None:
        unit, other = device(), device()
        units = Units({1: unit, 2: other})
        units.bus.messages += 10
        assert counter(unit, 11) == 10
        assert unit.message_count == other.message_count == 10

    def test_bus_messages_of_two_lines_add_up(self) -> None:
        unit = device()
        unit.execute(READ)  # not on a line: it counts its own
        assert unit.message_count == 1
        serial, tcp = Units({1: unit}), Units.single(unit)
        assert unit.message_count == 1
        serial.bus.messages += 2
        tcp.bus.messages += 3
        assert unit.message_count == 6
        late = Units({})
        late.bus.messages = 100
        late[5] = unit
        assert unit.message_count == 6
        late.bus.messages += 1
        assert unit.message_count == 7
        unit.clear_counters()
        assert unit.message_count == 0
        tcp.bus.messages += 1
        assert unit.message_count == 1

    def test_damaged_frames_count_for_every_unit(self) -> None:
        unit, other = device(), device()
        units = Units({1: unit, 2: other, 3: unit})
        units.communication_error()
        units.communication_error(overrun=True)
        assert counter(unit, 12) == counter(other, 12) == 2
        assert counter(unit, 18) == counter(other, 18) == 1
        assert unit.overrun_flag

    def test_exceptions_include_those_of_broadcasts_and_of_undecodable_requests(self) -> None:
        unit = device()
        unit.execute(BAD_READ)
        unit.refuse(InvalidRequestError("", 3))
        unit.execute(WriteSingleRegisterRequest(9, 1), broadcast=True)
        unit.refuse(InvalidRequestError("", 16), broadcast=True)
        unit.execute(BAD_READ, broadcast=True)  # a broadcast read is not executed
        assert counter(unit, 13) == 4

    def test_messages_to_the_unit_include_broadcasts_and_bad_requests(self) -> None:
        unit = device()
        unit.execute(READ)
        answered(unit, bytes.fromhex("03 0000 0001"), DECODER)
        unit.execute(BAD_READ)
        unit.refuse(InvalidRequestError("", 3))
        unit.execute(WRITE, broadcast=True)
        unit.execute(READ, broadcast=True)
        assert counter(unit, 14) == 7

    def test_messages_without_an_answer_include_broadcasts_and_listen_only_mode(self) -> None:
        unit = device()
        unit.execute(WRITE, broadcast=True)
        unit.execute(READ, broadcast=True)
        unit.refuse(InvalidRequestError("", 16), broadcast=True)
        assert counter(unit, 15) == 3
        unit.execute(DiagnosticsRequest(4))
        unit.execute(READ)
        unit.refuse(InvalidRequestError("", 16))
        assert unit.no_response_count == 6

    @pytest.mark.parametrize(
        ("error", "sub_function"),
        [(NegativeAcknowledgeError(), 16), (ServerDeviceBusyError(), 17)],
    )
    def test_nak_and_busy_count_the_answers_with_07_and_06(
        self, error: ExceptionResponseError, sub_function: int
    ) -> None:
        unit = device(error)
        unit.execute(ReadCoilsRequest(0))
        assert [counter(unit, sub) for sub in (16, 17)] == [
            int(sub == sub_function) for sub in (16, 17)
        ]
        assert counter(device(AcknowledgeError()), sub_function) == 0

    def test_counters_wrap_so_that_differences_stay_right(self) -> None:
        unit = device()
        for _ in range(65537):
            unit.execute(READ)
        assert unit.event_counter == unit.server_message_count == unit.message_count == 1
        units = Units({1: unit})
        units.bus.messages += 65536
        assert unit.message_count == 1

    def test_counter_answers_have_the_bytes_of_the_specification(self) -> None:
        unit = device()
        unit.execute(BAD_READ)
        assert ask(unit, "08 000d 0000") == "08 00 0d 00 01"


class TestClearing:
    def busy_line(self) -> Unit:
        unit = device(NegativeAcknowledgeError())
        Units({1: unit}).bus.messages += 5
        for request in (READ, BAD_READ, ReadCoilsRequest(0)):
            unit.execute(request)
        answered(unit, bytes.fromhex("03 0000 0001"), DECODER)
        unit.execute(WRITE, broadcast=True)
        unit.communication_error(overrun=True)
        unit.diagnostic_register = 0x1234
        return unit

    def all_counters(self, unit: Unit) -> list[int]:
        return [
            unit.bus_message_count,
            unit.communication_error_count,
            unit.exception_count,
            unit.server_message_count,
            unit.no_response_count,
            unit.nak_count,
            unit.busy_count,
            unit.overrun_count,
            unit.event_counter,
        ]

    def test_clear_counters_clears_all_and_the_diagnostic_register(self) -> None:
        unit = self.busy_line()
        log = unit.event_log
        assert self.all_counters(unit) == [5, 1, 2, 5, 1, 1, 0, 1, 3]
        assert ask(unit, "08 000a 0000") == "08 00 0a 00 00"
        assert self.all_counters(unit) == [0] * 9
        assert unit.diagnostic_register == 0
        assert not unit.overrun_flag
        assert unit.event_log == b"\x40\x80" + log  # the log stays

    def test_clear_overruns_clears_counter_and_flag_only(self) -> None:
        unit = self.busy_line()
        assert ask(unit, "08 0014 0000") == "08 00 14 00 00"
        assert unit.overrun_count == 0
        assert not unit.overrun_flag
        assert unit.communication_error_count == 1
        assert unit.diagnostic_register == 0x1234

    def test_restart_answers_then_clears_the_counters_and_keeps_the_log(self) -> None:
        unit = self.busy_line()
        log = unit.event_log
        assert ask(unit, "08 0001 0000") == "08 00 01 00 00"
        assert self.all_counters(unit) == [0] * 9
        assert unit.event_log == b"\x00\x40\x80" + log

    def test_restart_with_ff00_clears_the_log_too(self) -> None:
        unit = self.busy_line()
        assert ask(unit, "08 0001 ff00") == "08 00 01 ff 00"
        assert unit.event_log == b"\x00"
        assert ask(unit, "08 0001 1234") == "88 03"


class TestListenOnly:
    def test_nothing_is_done_or_answered_and_counting_goes_on(self) -> None:
        unit = device()
        assert ask(unit, "08 0004 0000") == ""
        assert unit.listen_only
        assert ask(unit, "06 0000 0007") == ""
        assert answered(unit, bytes.fromhex("06 0000 0007"), DECODER, broadcast=True) == b""
        assert ask(unit, "03 0000 0001") == ""
        assert ask(unit, "03 0000 0000") == ""
        assert ask(unit, "41") == ""
        assert ask(unit, "08 000a 0000") == ""
        assert unit.holding_registers.read(0, 1) == (0,)
        assert unit.server_message_count == 7
        assert unit.no_response_count == 7
        assert unit.exception_count == 0
        assert unit.event_counter == 1  # entering the mode

    @pytest.mark.parametrize("data", ["0000", "ff00"])
    def test_only_a_restart_leads_out_and_is_not_answered(self, data: str) -> None:
        unit = device()
        ask(unit, "08 0004 0000")
        assert ask(unit, "08 0001 0001") == ""  # not a valid one
        assert unit.listen_only
        assert ask(unit, f"08 0001 {data}") == ""
        assert not unit.listen_only
        assert unit.server_message_count == unit.no_response_count == 0
        assert ask(unit, "03 0000 0001") == "03 02 00 00"

    def test_a_broadcast_can_silence_and_restart_all_units(self) -> None:
        unit = device()
        unit.execute(DiagnosticsRequest(4), broadcast=True)
        assert unit.listen_only
        unit.execute(DiagnosticsRequest(1), broadcast=True)
        assert not unit.listen_only

    def test_the_log_tells_of_the_mode(self) -> None:
        unit = device()
        ask(unit, "08 0004 0000")
        ask(unit, "03 0000 0001")
        unit.communication_error()
        unit.execute(WRITE, broadcast=True)
        ask(unit, "08 0001 0000")
        assert unit.event_log[::-1].hex(" ") == (
            "80 04 60 "  # asked for listen-only mode, entered, done without an answer
            "a0 60 "  # a read
            "a2 "  # a damaged frame
            "e0 60 "  # a broadcast
            "a0 60 00"  # restarted
        )

    def test_the_owner_may_set_it_too(self) -> None:
        unit = device()
        unit.listen_only = True
        unit.listen_only = True
        assert unit.event_log == b"\x04"
        assert ask(unit, "03 0000 0001") == ""
        unit.listen_only = False
        assert ask(unit, "03 0000 0001") == "03 02 00 00"


class TestEventLog:
    @pytest.mark.parametrize(
        ("error", "event"),
        [
            (IllegalFunctionError(), 0x41),
            (ValueError(), 0x42),
            (AcknowledgeError(), 0x44),
            (ServerDeviceBusyError(), 0x44),
            (NegativeAcknowledgeError(), 0x48),
            (MemoryParityError(), 0x40),
        ],
    )
    def test_exceptions_set_the_bit_of_their_kind(self, error: Exception, event: int) -> None:
        unit = device(error)
        unit.execute(ReadCoilsRequest(0))
        assert unit.event_log == bytes((event, 0x80))

    def test_undecodable_requests_damage_and_broadcasts_are_logged_newest_first(self) -> None:
        unit = device()
        ask(unit, "03 0000 0000")
        unit.communication_error()
        unit.communication_error(overrun=True)
        unit.execute(WRITE, broadcast=True)
        # A broadcast gets no response.
        unit.execute(WriteSingleRegisterRequest(9, 1), broadcast=True)
        assert unit.event_log.hex(" ") == "40 c0 40 c0 92 82 41 80"

    def test_it_holds_64_events(self) -> None:
        unit = device()
        unit.execute(BAD_READ)
        for expected in range(4, 65, 2):
            answered(unit, bytes.fromhex("03 0000 0001"), DECODER)
            assert len(unit.event_log) == expected
        assert unit.event_log[-2:] == b"\x41\x80"
        unit.communication_error()
        assert unit.event_log == b"\x82" + b"\x40\x80" * 31 + b"\x41"
        for _ in range(1000):
            unit.execute(READ)
        assert unit.event_log == b"\x40\x80" * 32

    def test_function_12_answers_status_counters_and_log(self) -> None:
        unit = device()
        units = Units({1: unit})
        units.bus.messages += 0x121
        unit.busy = True
        ask(unit, "03 0000 0001")
        # its own arrival is logged before it is answered
        assert ask(unit, "0c") == "0c 09 ff ff 00 01 01 21 80 40 80"

    def test_the_log_of_a_fresh_unit_is_empty(self) -> None:
        assert device().event_log == b""


class TestEventCounter:
    def test_it_counts_successes_but_not_exceptions_or_its_own_reader(self) -> None:
        unit = device()
        ask(unit, "03 0000 0001")
        unit.execute(READ)
        unit.execute(WRITE, broadcast=True)
        unit.execute(READ, broadcast=True)  # not executed
        unit.execute(BAD_READ)
        ask(unit, "0c")
        assert ask(unit, "0b") == "0b 00 00 00 04"
        assert ask(unit, "0b") == "0b 00 00 00 04"
        ask(unit, "08 0000 a537")
        assert ask(unit, "0b") == "0b 00 00 00 05"

    def test_the_status_says_that_a_program_command_runs(self) -> None:
        unit = device()
        unit.busy = True
        assert ask(unit, "0b") == "0b ff ff 00 00"

"""`Unit`: responses to requests, and settings of its owner; `Units`: units by id."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modwire.errors import (
    ExceptionResponseError,
    IllegalDataAddressError,
    IllegalFunctionError,
    InvalidRequestError,
    ServerDeviceBusyError,
)
from modwire.framing import AsciiFraming
from modwire.messages.base import ExceptionResponse, RawRequest, Request, Response
from modwire.messages.bit_access import ReadCoilsRequest, WriteSingleCoilRequest
from modwire.messages.decoder import Decoder
from modwire.messages.register_access import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)
from modwire.messages.register_operations import ReadFifoQueueRequest, ReadFifoQueueResponse
from modwire.units.block import Block
from modwire.units.datastore import SequentialBlock, SparseBlock
from modwire.units.unit import Unit
from modwire.units.units import Units
from reference_server import Wire, answered

DECODER = Decoder()
READ_ASCII = AsciiFraming(DECODER, is_server=False).wrap(1, 0, b"\x03\0\0\0\1")
FORCE_LISTEN_ONLY = bytes.fromhex("08 00 04 00 00")


class SlowUnit(Unit):
    """A unit that overrides `execute` and so gets every request."""

    def execute(self, request: Request[Response], *, broadcast: bool = False) -> Response | None:
        return super().execute(request, broadcast=broadcast)


class Raising(Block):
    def __init__(self, error: Exception) -> None:
        self.error = error

    def read(self, address: int, count: int) -> Sequence[int]:
        raise self.error

    def write(self, address: int, values: Sequence[int]) -> None:
        raise self.error


def tables() -> tuple[Block, Block, Block, Block]:
    return (
        SequentialBlock(0, [number % 3 == 0 for number in range(2100)]),
        SparseBlock({number: number & 1 for number in range(40, 60)}),
        SequentialBlock(10, range(300)),
        SparseBlock({0: 1, 1: 2, 2: 3, 65535: 4}),
    )


def state(unit: Unit) -> tuple[object, ...]:
    return (
        unit.event_log,
        unit.event_counter,
        unit.message_count,
        unit.server_message_count,
        unit.exception_count,
        unit.no_response_count,
        unit.nak_count,
        unit.busy_count,
        unit.listen_only,
    )


edges = st.sampled_from([0, 1, 2, 9, 10, 40, 59, 100, 124, 125, 126, 299, 2000, 2001, 65535])
reads = st.builds(
    lambda *fields: struct.pack(">BHH", *fields), st.integers(0, 8), edges, edges
) | st.builds(
    lambda *fields: struct.pack(">BHH", *fields),
    st.sampled_from([1, 2, 3, 4]),
    st.integers(0, 60),
    st.integers(1, 30),
)
pdus = reads | st.binary(min_size=1, max_size=12) | st.just(FORCE_LISTEN_ONLY)


def server_of(unit: Unit) -> Wire:
    """A server on a line of ASCII frames, where `unit` has the address 1."""
    return Wire("ascii", Units({1: unit}))


class TestReads:
    """The fast path for plain reads has the same results as the normal one."""

    @settings(max_examples=100)
    @given(st.lists(st.tuples(pdus, st.booleans()), max_size=30), st.integers(1, 30))
    def test_no_client_can_tell(self, exchanges: list[tuple[bytes, bool]], look_every: int) -> None:
        short, long = Unit(*tables()), SlowUnit(*tables())
        servers = [server_of(unit) for unit in (short, long)]
        wrap = AsciiFraming(DECODER, is_server=False).wrap
        for number, (pdu, broadcast) in enumerate(exchanges):
            adu = wrap(0 if broadcast else 1, 0, pdu)
            answers = [server.hear(adu) for server in servers]
            assert answers[0] == answers[1]
            if number % look_every == 0:
                assert state(short) == state(long)
        assert state(short) == state(long)

    def test_a_subclass_that_overrides_execute_sees_every_read(self) -> None:
        seen = []

        class Watching(Unit):
            def execute(
                self, request: Request[Response], *, broadcast: bool = False
            ) -> Response | None:
                seen.append(request)
                return super().execute(request, broadcast=broadcast)

        class Child(Watching):
            pass

        for cls in (Watching, Child):
            server = server_of(cls(holding_registers=SequentialBlock(0, [7])))
            answer = AsciiFraming(DECODER, is_server=True).wrap(1, 0, b"\x03\x02\0\x07")
            assert server.hear(READ_ASCII) == answer
        assert seen == [ReadHoldingRegistersRequest(0, 1)] * 2

    def test_a_block_s_own_read_is_called_once_with_the_bookkeeping_up_to_date(self) -> None:
        class Counting(SequentialBlock):
            def read(self, address: int, count: int) -> Sequence[int]:
                return [unit.server_message_count]

        unit = Unit(holding_registers=Counting(0, [0]))
        server = server_of(unit)
        for count in (1, 2):
            answer = AsciiFraming(DECODER, is_server=True).wrap(1, 0, bytes((3, 2, 0, count)))
            assert server.hear(READ_ASCII) == answer


class TestErrors:
    def test_an_error_of_the_tree_answers_with_its_code_and_is_the_cause(self) -> None:
        error = ServerDeviceBusyError(detail="calibrating")
        unit = Unit(holding_registers=Raising(error))
        response = unit.execute(ReadHoldingRegistersRequest(0, 1))
        assert response == ExceptionResponse(3, 6)
        assert isinstance(response, ExceptionResponse)
        assert response.cause is error

    def test_any_other_error_answers_04_and_is_the_cause(self) -> None:
        error = ZeroDivisionError("bug")
        unit = Unit(coils=Raising(error))
        response = unit.execute(WriteSingleCoilRequest(0, True))
        assert response == ExceptionResponse(5, 4)
        assert isinstance(response, ExceptionResponse)
        assert response.cause is error
        assert answered(unit, b"\x01\0\0\0\1", DECODER) == b"\x81\x04"

    def test_an_impossible_exception_code_answers_04(self) -> None:
        unit = Unit(coils=Raising(ExceptionResponseError(None, 300)))
        assert unit.execute(ReadCoilsRequest(0)) == ExceptionResponse(1, 4)

    def test_what_no_function_code_stands_for_is_refused(self) -> None:
        unit = Unit()
        assert answered(unit, b"\x41", DECODER) == b"\xc1\x01"
        assert answered(unit, b"\x00", DECODER) == b"\x80\x01"
        assert answered(unit, b"\xff\x00", DECODER) == b"\xff\x01"
        assert unit.execute(RawRequest(0xC1)) == ExceptionResponse(0x41, 1)

    def test_a_request_that_could_not_be_decoded_is_refused_with_its_code(self) -> None:
        unit = Unit()
        assert unit.refuse(InvalidRequestError("too many", 3)) == ExceptionResponse(3, 3)
        assert answered(unit, bytes.fromhex("03 0000 007e"), DECODER) == b"\x83\x03"
        assert answered(unit, bytes.fromhex("03 ffff 0002"), DECODER) == b"\x83\x02"
        assert answered(unit, bytes.fromhex("03 0000"), DECODER) == b"\x83\x03"

    def test_a_missing_table_answers_02(self) -> None:
        for code in (1, 2, 3, 4):
            pdu = struct.pack(">BHH", code, 0, 1)
            assert answered(Unit(), pdu, DECODER) == bytes((code | 0x80, 2))

    def test_a_write_that_is_refused_answers_02_or_04(self) -> None:
        unit = Unit(
            holding_registers=SequentialBlock(0, [5, 5], read_only=[0], allowed={1: range(10)})
        )
        assert answered(unit, bytes.fromhex("06 0000 0001"), DECODER) == b"\x86\x02"
        assert answered(unit, bytes.fromhex("06 0001 000a"), DECODER) == b"\x86\x04"
        assert answered(unit, bytes.fromhex("06 0001 0009"), DECODER) == bytes.fromhex(
            "06 0001 0009"
        )


class TestBroadcast:
    def test_writes_are_done_and_reads_are_not_and_nothing_is_answered(self) -> None:
        unit = Unit(holding_registers=SequentialBlock(0, [1, 2]), coils=Raising(ValueError()))
        request = WriteMultipleRegistersRequest(0, [8, 9])
        assert unit.execute(request, broadcast=True) is None
        assert unit.holding_registers.read(0, 2) == (8, 9)
        assert answered(unit, bytes.fromhex("06 0001 0003"), DECODER, broadcast=True) == b""
        assert unit.holding_registers.read(0, 2) == (8, 3)
        assert unit.execute(ReadCoilsRequest(0), broadcast=True) is None
        assert unit.exception_count == 0  # it was not executed
        assert answered(unit, bytes.fromhex("03 0000 0001"), DECODER, broadcast=True) == b""
        assert answered(unit, bytes.fromhex("06 0009 0003"), DECODER, broadcast=True) == b""
        assert unit.refuse(InvalidRequestError("", 3), broadcast=True) is None


class TestFiles:
    def unit(self) -> Unit:
        return Unit(
            files={
                4: SequentialBlock(0, range(10)),
                3: SparseBlock({9: 0x3CD, 10: 0x40}),
                5: SequentialBlock(0, [0] * 10000, read_only=[0]),
                6: SequentialBlock(0, [0] * 20000),
            }
        )

    def test_a_block_is_a_file(self) -> None:
        unit = self.unit()
        assert unit.read_file(3, 9, 2) == bytes.fromhex("03cd 0040")
        unit.write_file(4, 7, bytes.fromhex("06af 04be 100d"))
        assert unit.files[4].read(6, 4) == (6, 0x06AF, 0x04BE, 0x100D)
        unit.write_file(5, 9999, b"\0\1")
        assert unit.read_file(5, 9999, 1) == b"\0\1"

    def test_the_example_of_the_specification_is_answered(self) -> None:
        unit = Unit(
            files={4: SequentialBlock(1, [0x0DFE, 0x0020]), 3: SparseBlock({9: 0x33CD, 10: 0x40})}
        )
        pdu = bytes.fromhex("14 0e 06 0004 0001 0002 06 0003 0009 0002")
        assert answered(unit, pdu, DECODER) == bytes.fromhex(
            "14 0c 05 06 0dfe 0020 05 06 33cd 0040"
        )

    @pytest.mark.parametrize(
        ("file", "record", "count"), [(1, 0, 1), (4, 9, 2), (4, 10, 1), (6, 9999, 2), (6, 10000, 1)]
    )
    def test_a_file_or_record_that_does_not_exist_is_02(
        self, file: int, record: int, count: int
    ) -> None:
        unit = self.unit()
        with pytest.raises(IllegalDataAddressError):
            unit.check_file(file, record, count)
        with pytest.raises(IllegalDataAddressError):
            unit.read_file(file, record, count)
        with pytest.raises(IllegalDataAddressError):
            unit.write_file(file, record, bytes(2 * count))

    def test_read_only_records_can_be_checked_before_a_write_of_several_groups(self) -> None:
        unit = self.unit()
        unit.check_file(5, 0, 1)
        with pytest.raises(IllegalDataAddressError):
            unit.check_file(5, 0, 1, write=True)


class TestFifoQueues:
    def test_reading_does_not_empty_the_queue(self) -> None:
        queue = deque([0x01B8, 0x1284])
        unit = Unit(fifo_queues={0x04DE: queue})
        for _ in range(2):
            assert unit.execute(ReadFifoQueueRequest(0x04DE)) == ReadFifoQueueResponse(
                [0x01B8, 0x1284]
            )
        queue.append(5)
        assert list(unit.read_fifo_queue(0x04DE)) == [0x01B8, 0x1284, 5]

    def test_no_queue_is_02_and_more_than_31_values_are_03(self) -> None:
        unit = Unit(fifo_queues={1: [0] * 32, 2: [0] * 31})
        assert unit.execute(ReadFifoQueueRequest(0)) == ExceptionResponse(24, 2)
        assert unit.execute(ReadFifoQueueRequest(1)) == ExceptionResponse(24, 3)
        assert unit.execute(ReadFifoQueueRequest(2)) == ReadFifoQueueResponse([0] * 31)


class TestIdentification:
    def test_server_id_is_answered(self) -> None:
        unit = Unit(server_id=b"\x11", run_indicator=False, additional_id_data=b"v2")
        assert answered(unit, b"\x11", DECODER) == b"\x11\x04\x11\x00v2"
        assert answered(Unit(), b"\x11", DECODER) == b"\x11\x08modwire\xff"

    def test_exception_status_is_answered(self) -> None:
        unit = Unit(exception_status=0x6D)
        assert answered(unit, b"\x07", DECODER) == b"\x07\x6d"
        unit.exception_status = 0
        assert answered(unit, b"\x07", DECODER) == b"\x07\x00"

    def test_what_the_unit_does_not_have_is_01(self) -> None:
        assert answered(Unit(), bytes.fromhex("2b 0e 01 00"), DECODER) == b"\xab\x01"
        with pytest.raises(IllegalFunctionError):
            Unit().canopen_general_reference(b"")


BLOCK = r"must be a block, such as SequentialBlock\(0, values\)"
OWN = "a class of your own must be a subclass of Block"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"coils": [1]}, TypeError, rf"coils {BLOCK}, or None, got list; {OWN}"),
        ({"files": {0: SequentialBlock(0, [0])}}, ValueError, r"file number must be 1\.\.65535"),
        ({"files": {1: [0]}}, TypeError, rf"file 1 {BLOCK}, got list; {OWN}"),
        ({"fifo_queues": {65536: []}}, ValueError, r"FIFO pointer address must be 0\.\.65535"),
        ({"exception_status": 256}, ValueError, r"exception_status must be 0\.\.255, got 256"),
        ({"server_id": bytes(251)}, ValueError, "must be at most 250 bytes, got 251"),
        ({"server_id": "pump"}, TypeError, "server_id must be bytes, such as b'pump', got 'pump'"),
        ({"identity": {0: "ACME"}}, TypeError, r"identity must be an Identity, such as Identity\("),
        ({"coil": None}, TypeError, "^Unit has no argument 'coil'; did you mean 'coils'"),
    ],
)
def test_a_wrong_unit_says_what_is_wrong(
    arguments: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Unit(**arguments)  # type: ignore[arg-type]


class TestUnits:
    def test_each_id_has_its_unit(self) -> None:
        one, two = Unit(), Unit()
        units = Units({1: one, 2: two, 3: one})
        assert units.get(1) is one
        assert units[2] is two
        assert units.get(4) is None
        assert list(units) == [one, two]
        assert len(units) == 2
        assert 3 in units
        assert 4 not in units
        assert repr(units) == "<Units [1, 2, 3]>"
        with pytest.raises(KeyError):
            units[4]

    def test_units_come_and_go(self) -> None:
        units = Units({})
        units[247] = unit = Unit()
        assert units.get(247) is unit
        del units[247]
        assert list(units) == []

    def test_a_single_unit_answers_every_id(self) -> None:
        unit = Unit()
        units = Units.single(unit)
        assert all(units.get(unit_id) is unit for unit_id in range(256))
        assert list(units) == [unit]

    def test_on_tcp_0_and_255_mean_the_only_unit(self) -> None:
        one, two = Unit(), Unit()
        units = Units({17: one})
        assert units.for_tcp(17) is units.for_tcp(0) is units.for_tcp(255) is one
        assert units.for_tcp(1) is None
        assert units.get(255) is None
        units[255] = two
        assert units.for_tcp(255) is two
        assert units.for_tcp(0) is None  # with two units, 0 could mean either

    def test_wrong_ids_and_units_are_refused(self) -> None:
        for unit_id in (-1, 256):
            with pytest.raises(ValueError, match=rf"unit id must be 0\.\.255, got {unit_id}"):
                Units({unit_id: Unit()})
        with pytest.raises(TypeError, match="unit 1 must be a Unit, got SequentialBlock"):
            Units({1: SequentialBlock(0, [0])})  # type: ignore[dict-item]


def test_requests_on_a_unit_change_its_tables() -> None:
    unit = Unit(
        coils=SequentialBlock(0, [False] * 8),
        holding_registers=SequentialBlock(0, [0]),
        input_registers=SequentialBlock(0, [77]),
    )
    unit.execute(WriteSingleCoilRequest(3, True))
    unit.execute(WriteSingleRegisterRequest(0, 5))
    assert answered(unit, b"\x01\0\0\0\x08", DECODER) == b"\x01\x01\x08"
    assert answered(unit, b"\x03\0\0\0\x01", DECODER) == b"\x03\x02\0\x05"
    response = unit.execute(ReadInputRegistersRequest(0))
    assert response is not None
    assert response.encode() == b"\x04\x02\0\x4d"


def test_an_exception_answered_by_the_request_itself_counts_as_one() -> None:
    class Refusing(ReadHoldingRegistersRequest):
        def execute(self, unit: Unit) -> ExceptionResponse:  # type: ignore[override]
            return ExceptionResponse(3, 6)

    unit = Unit(holding_registers=SequentialBlock(0, [0]))
    assert unit.execute(Refusing(0, 1)) == ExceptionResponse(3, 6)
    assert (unit.exception_count, unit.busy_count, unit.event_counter) == (1, 1, 0)

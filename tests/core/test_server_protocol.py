"""The server's decisions: order of responses, silence, hooks, ends of connections."""

from __future__ import annotations

import struct

import pytest

from modwire import (
    AsciiFraming,
    Decoder,
    ExceptionResponse,
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    Request,
    Response,
    SequentialBlock,
    ServerProtocol,
    TcpFraming,
    Unit,
    Units,
    WriteSingleRegisterRequest,
    fixed_length,
)
from reference_server import Wire, executed, reference_unit


def tcp(transaction: int, pdu: str, unit: int = 1) -> bytes:
    return TcpFraming(Decoder(), is_server=True).wrap(unit, transaction, bytes.fromhex(pdu))


@pytest.mark.parametrize(
    ("request_pdu", "answer"),
    [
        ("0500011234", "8503"),
        ("0f000007b1f7" + "00" * 247, "8f03"),
        ("0f0013000a01cd", "8f03"),
        ("100001000203000a01", "9003"),
        ("03ffff0002", "8302"),
        ("0300000000", "8303"),
        ("030000007e", "8303"),
        ("03000007d0ff", "8303"),
        ("41", "c101"),
        ("00", "8001"),
        ("08000500ff", "8801"),
        ("0800160000", "8801"),
        ("080016", "8801"),
        ("08001600", "8801"),
        ("0800150000", "8803"),
        ("1400", "9403"),
        ("1500", "9503"),
        ("2b0f", "ab01"),
        ("2b", "ab03"),
        ("1608000000ffff", "9602"),
        ("17ffff0002000000010200ff", "9702"),
        ("1700000001ffff0002040000ffff", "9702"),
    ],
)
def test_what_is_wrong_is_answered_with_the_exception_of_the_specification(
    request_pdu: str, answer: str
) -> None:
    wire = Wire("tcp")
    assert wire.hear(tcp(7, request_pdu)) == tcp(7, answer)


def test_function_23_writes_before_it_reads_and_writes_nothing_if_it_cannot_read() -> None:
    wire = Wire("tcp")
    assert wire.hear(tcp(1, "17 0000 0002 0001 0001 02 abcd")) == tcp(1, "17 04 0000 abcd")
    assert wire.hear(tcp(2, "17 0800 0002 0000 0001 02 abcd")) == tcp(2, "9702")
    assert wire.unit.holding_registers.read(0, 1) == (0,)


def test_pipelined_requests_are_answered_in_order() -> None:
    wire = Wire("tcp")
    requests = b"".join(tcp(n, f"03{n:04x}0001") for n in (5, 3, 9))
    answers = b"".join(tcp(n, f"0302{n:04x}") for n in (5, 3, 9))
    assert wire.hear(requests) == answers
    got = b"".join(wire.hear(requests[i : i + 1]) for i in range(len(requests)))
    assert got == answers


def test_a_unit_that_is_not_there_is_silent() -> None:
    wire = Wire("tcp", units=Units({1: reference_unit(), 2: reference_unit()}))
    for unit in (0, 3, 255):
        assert wire.hear(tcp(1, "0300000001", unit=unit)) == b""
    assert wire.hear(tcp(1, "0300000001", unit=2)) == tcp(1, "03020000", unit=2)


@pytest.mark.parametrize("unit", [0, 255])
def test_the_only_unit_is_the_device_itself_on_tcp(unit: int) -> None:
    wire = Wire("tcp")
    assert wire.hear(tcp(1, "0300050001", unit=unit)) == tcp(1, "03020005", unit=unit)


def test_a_response_that_a_server_receives_is_no_request() -> None:
    wire = Wire("tcp")
    assert wire.hear(tcp(1, "8302") + tcp(2, "0300050001")) == tcp(2, "03020005")


def test_a_blocking_unit_waits_for_its_caller_and_so_do_those_behind_it() -> None:
    slow = Unit(holding_registers=SequentialBlock(0, range(10)), blocking=True)
    wire = Wire("tcp", units=Units({1: reference_unit(), 2: slow}))
    answers = wire.hear(tcp(1, "0300050001") + tcp(2, "0300060001", unit=2) + tcp(3, "0300070001"))
    assert answers == tcp(1, "03020005")
    call = wire.protocol.next_call()
    assert call is not None and call.request == ReadHoldingRegistersRequest(6, 1)
    response = executed(call, wire.units)
    assert wire.protocol.answer(call, response) == tcp(2, "03020006", unit=2)
    assert wire.protocol.answer_all(wire.units) == tcp(3, "03020007")
    assert wire.protocol.next_call() is None


def test_calls_may_be_taken_one_by_one() -> None:
    wire = Wire("tcp")
    wire.protocol.receive_data(tcp(4, "0300050001") + tcp(5, "0500011234"), wire.now)
    call = wire.protocol.next_call()
    assert call is not None and (call.unit, call.transaction) == (1, 4)
    response = ReadHoldingRegistersResponse([9])
    assert wire.protocol.answer(call, response) == tcp(4, "03020009")
    call = wire.protocol.next_call()
    assert call is not None and call.refusal is not None
    assert "coil value must be 0000 or FF00" in str(call.refusal)
    answer = executed(call, wire.units)
    assert answer == ExceptionResponse(5, 3)
    assert wire.protocol.answer(call, answer) == tcp(5, "8503")


def test_authorize_denies_with_exception_01_and_the_unit_sees_nothing() -> None:
    def authorize(peer: object, role: str | None, unit: int, request: object) -> bool:
        assert (peer, role, unit) == (None, None, 1)
        return not isinstance(request, WriteSingleRegisterRequest)

    wire = Wire("tcp", authorize=authorize)
    assert wire.hear(tcp(1, "0600050001")) == tcp(1, "8601")
    assert wire.hear(tcp(2, "0300050001")) == tcp(2, "03020005")


def test_on_call_sees_every_request_with_its_response() -> None:
    seen: list[tuple[object, object]] = []
    wire = Wire("tcp", on_call=lambda peer, request, response: seen.append((request, response)))
    wire.hear(tcp(1, "0300050001") + tcp(2, "0500011234"))
    assert seen[0] == (ReadHoldingRegistersRequest(5, 1), ReadHoldingRegistersResponse([5]))
    assert seen[1][1] == ExceptionResponse(5, 3)


def test_a_fault_of_a_unit_is_exception_04_and_is_reported() -> None:
    class Broken(SequentialBlock):
        def read(self, address: int, count: int) -> list[int]:
            raise RuntimeError("the sensor is gone")

    errors: list[BaseException] = []
    units = Units({1: Unit(holding_registers=Broken(0, [0]))})
    wire = Wire("tcp", units=units, on_error=lambda peer, request, error: errors.append(error))
    assert wire.hear(tcp(1, "0300000001")) == tcp(1, "8304")
    assert [str(error) for error in errors] == ["the sensor is gone"]
    assert wire.hear(tcp(1, "0400000001")) == tcp(1, "8402")
    assert len(errors) == 1, "a refusal is no fault"


def test_an_idle_connection_is_to_be_closed_and_a_busy_one_is_not() -> None:
    wire = Wire("tcp", idle_timeout=60)
    assert wire.protocol.deadline() == wire.now + 60
    wire.hear(tcp(1, "0300050001"), after=59)
    assert wire.protocol.deadline() == wire.now + 60
    wire.quiet(59.9)
    assert not wire.protocol.closed
    wire.quiet(0.2)
    assert wire.protocol.closed


TOO_MANY = {
    "124 registers": "10 0000 007c f8" + "0001" * 124,
    "127 registers": "10 0000 007f fe" + "0001" * 127,
    "2040 coils": "0f 0000 07f8 ff" + "55" * 255,
    "122 registers read and written": "17 0000 0001 0000 007a f4" + "0001" * 122,
    "a file record of 126 registers": "15 ff 06 0001 0000 007c" + "0001" * 124,
}


@pytest.mark.parametrize("request_", TOO_MANY.values(), ids=TOO_MANY)
@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_a_request_with_too_many_values_is_refused_and_the_next_one_is_answered(
    request_: str, chunk: int
) -> None:
    pdu = bytes.fromhex(request_)
    assert len(pdu) > 253
    data = b"".join(
        (
            b"\0\1\0\0" + (len(pdu) + 1).to_bytes(2, "big") + b"\1" + pdu,
            bytes.fromhex("0002 0000 0006 01 03 0000 0001"),
        )
    )
    block = SequentialBlock(0, [0])
    units = Units({1: Unit(holding_registers=block)})
    protocol = ServerProtocol(TcpFraming)
    sent = b""
    for at in range(0, len(data), chunk):
        protocol.receive_data(data[at : at + chunk], 0.0)
        sent += protocol.answer_all(units)
    refusal = bytes((pdu[0] | 0x80, 3))
    assert sent.startswith(b"\0\1\0\0\0\3\1" + refusal + b"\0\2\0\0\0\5\1\3\2")
    assert not protocol.closed


@pytest.mark.parametrize("bad", ["0001 0001 0006 01 03", "0001 0000 0001", "0001 0000 012c 01"])
def test_a_wrong_header_closes_the_connection_after_what_came_before(bad: str) -> None:
    wire = Wire("tcp")
    assert wire.hear(tcp(1, "0300050001") + bytes.fromhex(bad)) == tcp(1, "03020005")
    assert wire.protocol.closed and wire.protocol.frame_errors == 1


def test_ascii_answers_follow_the_delimiter_that_a_client_set() -> None:
    wire = Wire("ascii")
    framing = AsciiFraming(Decoder(), is_server=False)
    assert wire.hear(framing.wrap(1, 0, bytes.fromhex("0800032400"))).endswith(b"\r$")
    framing.delimiter = b"$"
    read = framing.wrap(1, 0, bytes.fromhex("0300050001"))
    assert wire.hear(read) == framing.wrap(1, 0, bytes.fromhex("03020005"))


class ReverseResponse(Response):
    """Function 65 of these tests: the bytes of the request, last one first."""

    __slots__ = ("data",)
    __match_args__ = ("data",)
    function_code = 65

    def __init__(self, data: bytes) -> None:
        object.__setattr__(self, "data", data)

    def encode(self) -> bytes:
        return b"\x41" + self.data  # type: ignore[attr-defined, no-any-return]

    @classmethod
    def decode(cls, pdu: bytes) -> ReverseResponse:
        return cls(pdu[1:])


class OddResponse(ReverseResponse):
    def encode(self) -> bytes:
        return struct.pack(">H", "a word")


class ReverseRequest(Request[ReverseResponse]):
    __slots__ = ("data",)
    __match_args__ = ("data",)
    function_code = 65
    response_type = ReverseResponse

    def __init__(self, data: bytes) -> None:
        object.__setattr__(self, "data", data)

    def encode(self) -> bytes:
        return b"\x41" + self.data  # type: ignore[attr-defined, no-any-return]

    @classmethod
    def decode(cls, pdu: bytes) -> ReverseRequest:
        return cls(pdu[1:])

    def execute(self, unit: Unit) -> ReverseResponse:
        if self.data == b"huge":  # type: ignore[attr-defined]
            return ReverseResponse(bytes(300))
        if self.data == b"odd":  # type: ignore[attr-defined]
            return OddResponse(b"")
        return ReverseResponse(self.data[::-1])  # type: ignore[attr-defined]


class FixedReverseResponse(ReverseResponse):
    length_rule = staticmethod(fixed_length(4))


class FixedReverseRequest(ReverseRequest):
    length_rule = staticmethod(fixed_length(4))
    response_type = FixedReverseResponse


@pytest.mark.parametrize("framing", ["tcp", "rtu", "ascii", "binary"])
@pytest.mark.parametrize("request_class", [ReverseRequest, FixedReverseRequest])
def test_a_custom_function_works_on_every_framing_and_for_one_server_only(
    framing: str, request_class: type[ReverseRequest]
) -> None:
    decoder = Decoder()
    decoder.register(request_class)
    wire = Wire(framing, decoder=decoder)
    adu = wire.framing(Decoder(), is_server=False).wrap(1, 0, b"\x41abc")
    due = wire.framing(Decoder(), is_server=False).wrap(1, 0, b"\x41cba")
    answer = wire.hear(adu)
    if not answer:
        assert framing == "rtu" and request_class is ReverseRequest, "only silence ends it"
        answer = wire.quiet()
    assert answer == due
    other = Wire(framing)
    refusal = other.framing(Decoder(), is_server=False).wrap(1, 0, b"\xc1\x01")
    assert other.hear(adu) + other.quiet() == refusal


def test_a_custom_response_that_no_frame_can_hold_is_exception_04() -> None:
    decoder = Decoder()
    decoder.register(ReverseRequest)
    errors: list[BaseException] = []
    wire = Wire("tcp", decoder=decoder, on_error=lambda *details: errors.append(details[-1]))
    assert wire.hear(tcp(1, "41" + b"huge".hex())) == tcp(1, "c104")
    assert "must be 1..253 bytes, got 301" in str(errors[0])
    assert wire.hear(tcp(2, "41" + b"odd".hex())) == tcp(2, "c104")
    assert "required argument is not an integer" in str(errors[1])


def test_a_custom_function_that_fails_on_what_it_gets_is_exception_04() -> None:
    class Brittle(ReverseRequest):
        @classmethod
        def decode(cls, pdu: bytes) -> ReverseRequest:
            raise KeyError("not what I expected")

    errors: list[BaseException] = []
    decoder = Decoder()
    decoder.register(Brittle)
    wire = Wire("tcp", decoder=decoder, on_error=lambda *details: errors.append(details[-1]))
    assert wire.hear(tcp(1, "41") + tcp(2, "0300050001")) == tcp(1, "c104") + tcp(2, "03020005")
    assert "not what I expected" in str(errors[0])


@pytest.mark.parametrize("error", [IndexError, ZeroDivisionError])
def test_a_custom_length_rule_that_raises_leaves_the_line_alone(error: type[Exception]) -> None:
    def rule(buffer: bytes, at: int) -> int:
        if len(buffer) < at + 4:
            raise error
        return 4

    class Brittle(ReverseRequest):
        length_rule = staticmethod(rule)

    decoder = Decoder()
    decoder.register(Brittle)
    wire = Wire("rtu", decoder=decoder)
    adu = wire.framing(decoder, is_server=True).wrap(1, 0, b"\x41abc")
    answer = b"".join(wire.hear(adu[i : i + 1]) for i in range(len(adu)))
    due = wire.framing(decoder, is_server=True).wrap(1, 0, b"\x41cba")
    assert (answer or wire.quiet()) == due


@pytest.mark.parametrize("code", [0, 128, 255])
def test_a_custom_function_needs_a_function_code_of_its_own(code: int) -> None:
    class Wrong(ReverseRequest):
        function_code = code

    with pytest.raises(TypeError, match=f"function_code must be 1..127, got {code}"):
        Decoder().register(Wrong)


def test_a_replaced_read_is_the_one_that_answers() -> None:
    class Doubled(ReadHoldingRegistersRequest):
        __slots__ = ()

        def execute(self, unit: Unit) -> ReadHoldingRegistersResponse:
            return ReadHoldingRegistersResponse(
                [2 * each for each in super().execute(unit).registers]
            )

    decoder = Decoder()
    decoder.register(Doubled)
    wire = Wire("tcp", decoder=decoder)
    assert wire.hear(tcp(1, "0300050001")) == tcp(1, "0302000a")

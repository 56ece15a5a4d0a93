"""A server with rights: what is denied gets a bare 01, and nothing is executed."""

from __future__ import annotations

from typing import Any

import pytest

from modwire import (
    CanopenGeneralReferenceRequest,
    DiagnosticsRequest,
    FileRecord,
    FileRecordData,
    Frame,
    GetCommEventCounterRequest,
    GetCommEventLogRequest,
    Identity,
    MaskWriteRegisterRequest,
    RawRequest,
    RawResponse,
    ReadCoilsRequest,
    ReadDeviceIdentificationRequest,
    ReadDiscreteInputsRequest,
    ReadExceptionStatusRequest,
    ReadFifoQueueRequest,
    ReadFileRecordRequest,
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    ReadWriteMultipleRegistersRequest,
    ReportServerIdRequest,
    Request,
    RtuFraming,
    SequentialBlock,
    ServerOptions,
    ServerProtocol,
    TcpFraming,
    Unit,
    Units,
    WriteFileRecordRequest,
    WriteMultipleCoilsRequest,
    WriteMultipleRegistersRequest,
    WriteSingleCoilRequest,
    WriteSingleRegisterRequest,
)
from modwire.framing.base import Framing
from modwire.messages.device import Device
from modwire.tls import Rights

AnyRequest = Request[Any]

EVERY: list[tuple[AnyRequest, dict[str, Any]]] = [
    (ReadCoilsRequest(2, 3), {"tables": ["coils"], "addresses": ["2..4"]}),
    (ReadDiscreteInputsRequest(2, 3), {"tables": ["discrete_inputs"], "addresses": ["2..4"]}),
    (ReadHoldingRegistersRequest(2, 3), {"tables": ["holding_registers"], "addresses": ["2..4"]}),
    (ReadInputRegistersRequest(2, 3), {"tables": ["input_registers"], "addresses": ["2..4"]}),
    (WriteSingleCoilRequest(2, True), {"tables": ["coils"], "addresses": [2]}),
    (WriteSingleRegisterRequest(2, 9), {"tables": ["holding_registers"], "addresses": [2]}),
    (ReadExceptionStatusRequest(), {"functions": [7]}),
    (DiagnosticsRequest(10), {"functions": ["8/10"]}),
    (GetCommEventCounterRequest(), {"functions": [11]}),
    (GetCommEventLogRequest(), {"functions": [12]}),
    (WriteMultipleCoilsRequest(2, [True] * 3), {"tables": ["coils"], "addresses": ["2..4"]}),
    (
        WriteMultipleRegistersRequest(2, [9] * 3),
        {"tables": ["holding_registers"], "addresses": ["2..4"]},
    ),
    (ReportServerIdRequest(), {"functions": [17]}),
    (ReadFileRecordRequest([FileRecord(2, 0, 1)]), {"files": [2]}),
    (WriteFileRecordRequest([FileRecordData(2, 0, [9])]), {"files": [2]}),
    (MaskWriteRegisterRequest(2, 0, 9), {"tables": ["holding_registers"], "addresses": [2]}),
    (
        ReadWriteMultipleRegistersRequest(0, 2, 2, [9]),
        {"tables": ["holding_registers"], "addresses": ["0..2"]},
    ),
    (ReadFifoQueueRequest(3), {"tables": ["holding_registers"], "addresses": [3]}),
    (ReadDeviceIdentificationRequest(1, 0), {"functions": ["43/14"]}),
]


class Watched(Unit):
    """A unit that remembers what it has executed."""

    def __init__(self) -> None:
        super().__init__(
            coils=SequentialBlock(0, [False] * 10),
            discrete_inputs=SequentialBlock(0, [False] * 10),
            holding_registers=SequentialBlock(0, [0] * 10),
            input_registers=SequentialBlock(0, [0] * 10),
            identity=Identity({0: "ACME", 1: "M1", 2: "1.0"}),
        )
        self.files[2] = SequentialBlock(0, [5])
        self.fifo_queues[3] = [1, 2]
        self.executed: list[AnyRequest] = []

    def execute(self, request: AnyRequest, *, broadcast: bool = False) -> object:
        self.executed.append(request)
        return super().execute(request, broadcast=broadcast)


def answer(
    rights: Rights,
    request: AnyRequest,
    units: Units,
    *,
    role: str | None = "operator",
    unit: int = 1,
    framing: type[Framing] = TcpFraming,
    options: ServerOptions | None = None,
) -> bytes:
    """Return the PDU that a peer with a role gets; b"" for none."""
    options = (options or ServerOptions()).replace(authorize=rights)
    protocol = ServerProtocol(framing, options, peer="peer", role=role)
    protocol.receive_data(protocol.framing.encode(Frame(unit, 1, request.encode())), 0.0)
    data = protocol.answer_all(units)
    size = 7 if framing is TcpFraming else 1
    return data[size:] if framing is TcpFraming else data[size:-2]


def rule(given: dict[str, Any], access: object = ("read", "write")) -> dict[str, Any]:
    return {"units": [1], "access": access, **given}


@pytest.mark.parametrize(
    ("request_", "given"), EVERY, ids=[type(each[0]).__name__ for each in EVERY]
)
def test_every_function_is_allowed_by_its_rule_and_denied_by_any_less(
    request_: AnyRequest, given: dict[str, Any]
) -> None:
    code = request_.function_code
    units = Units({1: (unit := Watched()), 2: Watched()})
    allowed = Rights.from_dict({"role": {"operator": [rule(given)]}})
    assert answer(allowed, request_, units)[0] == code
    assert unit.executed == [request_]
    unit.executed.clear()

    less: list[dict[str, Any]] = [
        rule({**given, "units": [2]}),
        rule(given, "read" if request_.is_write else "write"),
    ]
    if "addresses" in given:
        first, _, last = str(given["addresses"][0]).partition("..")
        less.append(rule({**given, "addresses": [int(last or first) + 1]}))
        less += [rule({**given, "addresses": [f"{int(first) + 1}..9"]})]
        less += [rule({**given, "addresses": [f"0..{int(last) - 1}"]})] if last else []
        less.append(rule({**given, "functions": [1 if code != 1 else 5]}))
    elif "files" in given:
        less.append(rule({"files": [1, "3..9"]}))
    else:
        less.append(rule({"functions": [65, "8/11", "43/13"]}))
    cases = [Rights.from_dict({"role": {"operator": [each]}}) for each in less]
    cases.append(Rights.from_dict({"role": {"Operator": [rule(given)]}, "no_role": [rule(given)]}))
    cases.append(Rights.from_dict({}))
    for case in cases:
        assert answer(case, request_, units) == bytes((code | 0x80, 1))
    assert unit.executed == []


def test_no_role_has_rights_of_its_own() -> None:
    units = Units({1: Watched()})
    rights = Rights.from_dict({"no_role": [rule({"tables": ["coils"]}, "read")]})
    assert answer(rights, ReadCoilsRequest(0, 1), units, role=None) == b"\x01\x01\x00"
    assert answer(rights, ReadCoilsRequest(0, 1), units, role="operator") == b"\x81\x01"
    assert answer(rights, WriteSingleCoilRequest(0, True), units, role=None) == b"\x85\x01"


def test_function_23_needs_both_rights() -> None:
    units = Units({1: (unit := Watched())})
    request = ReadWriteMultipleRegistersRequest(0, 2, 5, [9, 9])
    table = {"tables": ["holding_registers"]}
    read = rule({**table, "addresses": ["0..1"]}, "read")
    write = rule({**table, "addresses": ["5..6"]}, "write")
    for rules in ([read], [write], [{**read, "access": "write"}, {**write, "access": "read"}]):
        rights = Rights.from_dict({"role": {"operator": rules}})
        assert answer(rights, request, units) == b"\x97\x01"
    assert unit.executed == []
    rights = Rights.from_dict({"role": {"operator": [read, write]}})
    assert answer(rights, request, units)[0] == 0x17


def test_one_file_that_is_not_allowed_denies_the_whole_request() -> None:
    units = Units({1: (unit := Watched())})
    unit.files[3] = SequentialBlock(0, [5])
    rights = Rights.from_dict({"role": {"operator": [rule({"files": [2]})]}})
    both = [FileRecordData(2, 0, [9]), FileRecordData(3, 0, [9])]
    assert answer(rights, WriteFileRecordRequest(both), units) == b"\x95\x01"
    assert unit.executed == []
    assert list(unit.files[2].read(0, 1)) == [5]
    assert answer(rights, WriteFileRecordRequest(both[:1]), units)[0] == 21


# Broadcasts.


def test_a_broadcast_needs_the_right_to_unit_0() -> None:
    request = WriteSingleRegisterRequest(2, 9)
    one, two = Watched(), Watched()
    units = Units({1: one, 2: two})
    table = {"tables": ["holding_registers"], "units": ["1..247"]}
    rights = Rights.from_dict({"no_role": [rule(table)]})
    assert answer(rights, request, units, role=None, unit=0, framing=RtuFraming) == b""
    assert one.executed == two.executed == []
    rights = Rights.from_dict({"no_role": [rule({**table, "units": [0]})]})
    assert answer(rights, request, units, role=None, unit=0, framing=RtuFraming) == b""
    assert one.executed == two.executed == [request]
    assert answer(rights, request, units, role=None, unit=1, framing=RtuFraming) == b"\x86\x01"


# Functions of the user.


class Doubles(Request[RawResponse]):
    """Function 65, which reads."""

    __slots__ = ()
    function_code = 65
    response_type = RawResponse

    @classmethod
    def decode(cls, pdu: bytes) -> Doubles:
        return cls()

    def encode(self) -> bytes:
        return b"\x41"

    def execute(self, unit: Device) -> RawResponse:
        return RawResponse(65, b"\x02")


def test_custom_functions_have_rights() -> None:
    options = ServerOptions()
    options.decoder.register(Doubles)
    units = Units({1: Watched()})
    allowed = Rights.from_dict({"role": {"operator": [rule({"functions": [65]}, "read")]}})
    assert answer(allowed, Doubles(), units, options=options) == b"\x41\x02"
    for given in ({"functions": [66]}, {"tables": ["coils"]}, {"files": "all"}):
        rights = Rights.from_dict({"role": {"operator": [rule(given)]}})
        assert answer(rights, Doubles(), units, options=options) == b"\xc1\x01"


def test_an_unknown_function_is_a_write() -> None:
    units = Units({1: (unit := Watched())})
    rights = Rights.from_dict({"role": {"operator": [rule({"functions": [100]}, "read")]}})
    assert answer(rights, RawRequest(100, b"abc"), units) == b"\xe4\x01"
    assert unit.executed == []
    rights = Rights.from_dict({"role": {"operator": [rule({"functions": [100]}, "write")]}})
    assert answer(rights, RawRequest(100, b"abc"), units) == b"\xe4\x01"  # the unit has none
    assert unit.executed == [RawRequest(100, b"abc")]
    canopen = CanopenGeneralReferenceRequest(b"")
    rights = Rights.from_dict({"role": {"operator": [rule({"functions": ["43/14"]})]}})
    assert answer(rights, canopen, units) == b"\xab\x01"
    assert len(unit.executed) == 1

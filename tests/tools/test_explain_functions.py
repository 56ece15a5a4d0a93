"""Each function, field by field and in words, as a user reads it."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from explained import told
from modwire import ModbusPlusStatistics
from modwire_tools.explain import describe_request, describe_response


class Case(NamedTuple):
    """A request and its response; some of the explained fields, as "name: meaning"."""

    request: str
    asked: list[str]
    request_words: str
    response: str
    answered: list[str]
    response_words: str


_PLUS = ModbusPlusStatistics(
    node_type=1,
    mac_state=4,
    peer_status=32,
    token_passes=0x1234,
    receive_dma_overruns=3,
    pretransmit_deferrals=4,
    active_stations=(1, 3, 16),
    receive_buffers_in_use=(33,),
    station_management_commands=9,
    program_slave_input_paths=(1, 2, 3, 4, 5, 6, 7, 8),
).to_words()
PLUS = "".join(f"{word:04x}" for word in _PLUS)

CASES = [
    Case(
        "01 0013 0013",
        ["function code: 1, read coils", "address: 19, reference 00020", "quantity: 19 coils"],
        "read 19 coils from 19",
        "01 03 cd6b05",
        [
            "byte count: 3 bytes",
            "coils 19 to 26: 1 0 1 1 0 0 1 1",
            "coils 27 to 34: 1 1 0 1 0 1 1 0",
            "coils 35 to 37: 1 0 1, the rest pads",
        ],
        "1 0 1 1 0 0 1 1 1 1 0 1 0 1 1 0 and 3 more",
    ),
    Case(
        "02 ffff 0001",
        ["address: 65535, reference 165536", "quantity: 1 discrete input"],
        "read 1 discrete input from 65535",
        "02 01 01",
        ["discrete input 65535: 1, the 7 bits above it pad"],
        "1",
    ),
    Case(
        "03 006b 0003",
        ["address: 107, reference 40108", "quantity: 3 registers"],
        "read 3 holding registers from 107",
        "03 06 022b 0000 ffff",
        ["register 107: 555", "register 108: 0", "register 109: 65535, signed -1"],
        "555, 0, 65535",
    ),
    Case(
        "04 0008 0001",
        ["address: 8, reference 30009"],
        "read 1 input register from 8",
        "04 02 000a",
        ["register 8: 10"],
        "10",
    ),
    Case(
        "05 00ac ff00",
        ["value: FF00, on"],
        "write coil 172: on",
        "05 00ac ff00",
        ["address: 172, reference 00173", "value: FF00, on"],
        "done",
    ),
    Case(
        "06 0001 0003",
        ["register 1: 3"],
        "write register 1: 3",
        "06 0001 0003",
        ["register 1: 3"],
        "done",
    ),
    Case(
        "07",
        ["function code: 7, read exception status"],
        "read the exception status",
        "07 6d",
        ["status: 6D, outputs 0 to 7: 1 0 1 1 0 1 1 0"],
        "status 1 0 1 1 0 1 1 0",
    ),
    Case(
        "08 0000 a537 0001",
        ["sub-function: 0, return query data", "data: A537, to be repeated"],
        "diagnostics 0, return query data: A537 0001",
        "08 0000 a537 0001",
        ["data: A537, repeated", "data: 0001, repeated"],
        "A537 0001",
    ),
    Case(
        "08 0001 ff00",
        ["data: FF00, the event log is cleared too"],
        "diagnostics 1, restart communications option: FF00",
        "08 0001 ff00",
        ["sub-function: 1, restart communications option"],
        "done",
    ),
    Case(
        "08 0002 0000",
        ["data: 0000"],
        "diagnostics 2, return diagnostic register",
        "08 0002 8001",
        ["diagnostic register: 8001, bits 1000000000000001"],
        "8001",
    ),
    Case(
        "08 0003 2100",
        ["data: 2100, messages end with '!'"],
        "diagnostics 3, change ASCII input delimiter: 2100",
        "08 0003 2100",
        ["data: 2100, messages end with '!'"],
        "done",
    ),
    Case(
        "08 000b 0000",
        ["sub-function: 11, return bus message count"],
        "diagnostics 11, return bus message count",
        "08 000b 0100",
        ["counter: 256"],
        "256",
    ),
    Case(
        "08 0015 0003",
        ["sub-function: 21, get clear Modbus Plus", "data: 0003, get statistics"],
        "diagnostics 21, get clear Modbus Plus: 0003",
        "08 0015 0003" + PLUS,
        [
            "data: 0003, get statistics",
            "node type, or byte count: 1, PLC",
            "MAC state: 4, use token",
            "peer status: 32, normal link operation",
            "token passes: 4660",
            "program master token failed: 0",
            "receive DMA overruns: 3",
            "pretransmit deferrals: 4",
            "active stations 9 to 16: 80, 16",
            "active stations 1 to 8: 05, 1, 3",
            "token stations 9 to 16: 00, none",
            "station management commands: 9",
            "receive buffers in use 33 to 40: 01, 33",
            "program slave input path 8: 8",
            "program slave input path 7: 7",
        ],
        "0003 0001 0000 0000 0004 0020 1234" + " 0000" * 7 + " 0304 0000 and 39 more",
    ),
    Case(
        "08 0015 0003",
        [],
        "diagnostics 21, get clear Modbus Plus: 0003",
        "08 0015 0003 006c" + PLUS,
        [
            "node type, or byte count: 108, bytes of statistics",
            "node type: 1, PLC",
            "program slave input path 7: 7",
        ],
        "0003 006C 0001 0000 0000 0004 0020 1234" + " 0000" * 7 + " 0304 and 40 more",
    ),
    Case(
        "08 8001 0001 0002",
        ["sub-function: 32769, reserved", "data: 0001", "data: 0002"],
        "diagnostics 32769, reserved: 0001 0002",
        "08 8001 0003",
        ["answer: 0003"],
        "0003",
    ),
    Case(
        "08 0013 0000",
        ["sub-function: 19, return IOP overrun count", "data: 0000"],
        "diagnostics 19, return IOP overrun count",
        "08 0013 0007",
        ["counter: 7"],
        "7",
    ),
    Case(
        "0b",
        ["function code: 11, get comm event counter"],
        "get the comm event counter",
        "0b ffff 0108",
        ["status: FFFF, busy with a program command", "event count: 264"],
        "busy, 264 events",
    ),
    Case(
        "0c",
        ["function code: 12, get comm event log"],
        "get the comm event log",
        "0c 0f 0000 0108 0121 00 04 80 f2 40 7f 6c 01 20",
        [
            "status: 0000, not busy",
            "message count: 289",
            "event 0, the newest: 00, CommunicationRestartEvent",
            "event 1: 04, EnteredListenModeEvent",
            "event 2: 80, RemoteReceiveEvent",
            "event 3: F2, RemoteReceiveEvent: communication error, character overrun, listen-only "
            "mode, broadcast",
            "event 4: 40, RemoteSendEvent",
            "event 5: 7F, RemoteSendEvent: exception 1, 2 or 3 sent, exception 4 sent, exception 5 "
            "or 6 sent, exception 7 sent, write timeout, listen-only mode",
            "event 6: 6C, RemoteSendEvent: exception 5 or 6 sent, exception 7 sent, listen-only "
            "mode",
            "event 7: 01, no event that the specification has",
        ],
        "not busy, 264 events, 289 messages, log 00 04 80 F2 40 7F 6C 01 20",
    ),
    Case(
        "0f 0013 000a 02 cd01",
        ["quantity: 10 coils", "byte count: 2 bytes", "coils 27 to 28: 1 0, the rest pads"],
        "write 10 coils from 19: 1 0 1 1 0 0 1 1 1 0",
        "0f 0013 000a",
        ["quantity: 10 coils"],
        "done",
    ),
    Case(
        "10 0001 0002 04 000a 0102",
        ["register 1: 10", "register 2: 258"],
        "write 2 registers from 1: 10, 258",
        "10 0001 0002",
        ["address: 1, reference 40002"],
        "done",
    ),
    Case(
        "11",
        ["function code: 17, report server id"],
        "report the server id",
        "11 06 41 42 ff 31 00 32",
        ['server id: "AB"', "run indicator: FF, on", "additional data: 31 00 32"],
        '"AB", running, 31 00 32',
    ),
    Case(
        "14 0e 06 0004 0001 0002 06 0003 0009 0001",
        [
            "byte count: 14 bytes",
            "group 1: reference type: 6, a file",
            "group 1: file: 4",
            "group 1: record: 1",
            "group 2: length: 1 register",
        ],
        "read 2 registers of file 4 from record 1 and 1 register of file 3 from record 9",
        "14 0a 05 06 0dfe 0020 03 06 33cd",
        [
            "data length: 10 bytes",
            "group 1: length: 5 bytes",
            "group 1: record 2: 32",
            "group 2: record 9: 13261",
        ],
        "3582, 32; 13261",
    ),
    Case(
        "15 0b 06 0004 0007 0002 06af 04be",
        ["data length: 11 bytes", "group 1: record 7: 1711", "group 1: record 8: 1214"],
        "write file 4 from record 7: 1711, 1214",
        "15 0b 06 0004 0007 0002 06af 04be",
        ["group 1: file: 4"],
        "done",
    ),
    Case(
        "16 0004 00f2 0020",
        ["AND mask: 00F2, bits 1, 4, 5, 6, 7 kept", "OR mask: 0020, bit 5 set, where the AND mask"],
        "mask register 4: AND 00F2, OR 0020",
        "16 0004 00f2 0020",
        ["AND mask: 00F2"],
        "done",
    ),
    Case(
        "17 0003 0006 000e 0001 02 00ff",
        ["read address: 3, reference 40004", "read quantity: 6 registers", "register 14: 255"],
        "write 1 register from 14: 255; then read 6 from 3",
        "17 0c 00fe 0acd 0001 0003 000d 00ff",
        ["register 3: 254", "register 8: 255"],
        "254, 2765, 1, 3, 13, 255",
    ),
    Case(
        "18 04de",
        ["FIFO pointer address: 1246, reference 41247"],
        "read the FIFO queue at 1246",
        "18 0006 0002 01b8 1284",
        ["byte count: 6 bytes", "FIFO count: 2 registers", "value 2 of 2: 4740"],
        "440, 4740",
    ),
    Case(
        "2b 0d 01 02",
        ["MEI type: 13, CANopen general reference", "MEI data: 01 02"],
        "CANopen general reference: 01 02",
        "2b 0d 05",
        ["MEI data: 05"],
        "05",
    ),
    Case(
        "2b 0e 02 00",
        ["read device id code: 2, regular, objects 0 to 127", "object id: 0, vendor name"],
        "read the regular device identification",
        "2b 0e 02 82 ff 04 02 00 04 41434d45 03 01 00",
        [
            "conformity level: 82, regular identification, stream and single objects",
            "more follows: FF, yes, ask again from the next object id on",
            "next object id: 4, product name",
            "number of objects: 2",
            'object 0: "ACME"',
            "object id: 3, vendor URL",
            "object 3: 00",
        ],
        'vendor name "ACME", vendor URL 00, more follow',
    ),
    Case(
        "2b 0e 04 81",
        ["read device id code: 4, one object", "object id: 129, the device's own"],
        "read object 129 of the device identification",
        "2b 0e 04 83 00 00 01 81 02 00ff",
        ["object 129: 00 FF", "next object id: 00"],
        "object 129 00 FF",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.request)
def test_every_function(case: Case) -> None:
    request, response = bytes.fromhex(case.request), bytes.fromhex(case.response)
    asked, answered = told(request, False), told(response, True, request)
    for some, every in ((case.asked, asked), (case.answered, answered)):
        for text in some:
            assert any(line.startswith(text) for line in every), (text, every)
        assert "wrong" not in str(every)
    assert describe_request(request) == case.request_words
    assert describe_response(response, request) == case.response_words


def test_all_functions_are_in_the_list() -> None:
    from modwire import REQUESTS

    codes = {int(case.request[:2], 16) for case in CASES}
    assert codes == {request.function_code for request in REQUESTS}


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (1, "illegal function"), (2, "illegal data address"), (3, "illegal data value"),
        (4, "server device failure"), (5, "acknowledge"), (6, "server device busy"),
        (7, "negative acknowledge"), (8, "memory parity error"),
        (10, "gateway path unavailable"), (11, "gateway target failed"),
        (9, "unknown exception code"), (255, "unknown exception code"),
    ],
)  # fmt: skip
def test_every_exception(code: int, name: str) -> None:
    pdu = bytes((0x83, code))
    function, exception = told(pdu, True, b"\x03\0\0\0\1")
    assert (
        function == "function code: 83, exception in answer to function 3, read holding registers"
    )
    assert exception.startswith(f"exception code: {code}, {name}")
    assert describe_response(pdu, b"\x03\0\0\0\1") == f"exception {code:02X}, {name}"

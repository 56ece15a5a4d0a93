"""Every call of a client: the bytes of its request, and its result for a response."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from modwire import (
    FRAMINGS,
    AcknowledgeError,
    DiagnosticsRequest,
    DiagnosticsResponse,
    ExceptionResponseError,
    FileRecord,
    FileRecordData,
    GatewayPathUnavailableError,
    GatewayTargetFailedError,
    GetCommEventCounterResponse,
    GetCommEventLogResponse,
    IllegalDataAddressError,
    IllegalDataValueError,
    IllegalFunctionError,
    InvalidRequestError,
    InvalidResponseError,
    MemoryParityError,
    ModbusPlusStatistics,
    NegativeAcknowledgeError,
    RawRequest,
    RawResponse,
    ReadCoilsRequest,
    ReadCoilsResponse,
    ReportServerIdResponse,
    ResponseTimeoutError,
    ServerDeviceBusyError,
    ServerDeviceFailureError,
)

from .client_steps import (
    SHORT,
    ClientScenario,
    ClientStep,
    Expect,
    Quiet,
    Raises,
    Result,
    Send,
    Start,
)
from .frames import plain, tcp

_VECTORS = Path(__file__).parents[2] / "vectors" / "spec_messages.json"


class Function(NamedTuple):
    """A call, the PDU that it sends, the PDU of the answer, and the value that it returns."""

    method: str
    args: tuple[Any, ...]
    request: str
    response: str
    value: Any


def _diagnostic(method: str, sub: str, data: str = "0000", answer: str = "0000", value: Any = None,
                args: tuple[Any, ...] = ()) -> Function:  # fmt: skip
    return Function(method, args, f"08 {sub} {data}", f"08 {sub} {answer}", value)


FUNCTIONS = [
    Function("read_coils", (19, 19), "01 0013 0013", "01 03 cd6b05",
             [bool(int(bit)) for bit in "1011001111010110101"]),
    Function("read_coils", (0xFFFF,), "01 ffff 0001", "01 01 00", [False]),
    Function("read_discrete_inputs", (196, 22), "02 00c4 0016", "02 03 acdb35",
             [bool(int(bit)) for bit in "0011010111011011101011"]),
    Function("read_holding_registers", (107, 3), "03 006b 0003", "03 06 022b 0000 0064",
             [555, 0, 100]),
    Function("read_holding_registers", (0, 125), "03 0000 007d", "03 fa" + "abcd" * 125,
             [0xABCD] * 125),
    Function("read_input_registers", (8,), "04 0008 0001", "04 02 000a", [10]),
    Function("write_coil", (172, True), "05 00ac ff00", "05 00ac ff00", None),
    Function("write_coil", (172, False), "05 00ac 0000", "05 00ac 0000", None),
    Function("write_register", (1, 3), "06 0001 0003", "06 0001 0003", None),
    Function("write_coils", (19, [1, 0, 1, 1, 0, 0, 1, 1, 1, 0]), "0f 0013 000a 02 cd01",
             "0f 0013 000a", None),
    Function("write_registers", (1, [10, 258]), "10 0001 0002 04 000a 0102", "10 0001 0002", None),
    Function("write_registers", (2, b"\0\n\1\2"), "10 0002 0002 04 000a 0102", "10 0002 0002",
             None),
    Function("mask_write_register", (4, 0xF2, 0x25), "16 0004 00f2 0025", "16 0004 00f2 0025",
             None),
    Function("read_write_registers", (3, 6, 14, [255, 255, 255]),
             "17 0003 0006 000e 0003 06 00ff 00ff 00ff",
             "17 0c 00fe 0acd 0001 0003 000d 00ff", [254, 2765, 1, 3, 13, 255]),
    Function("read_fifo_queue", (1246,), "18 04de", "18 0006 0002 01b8 1284", [440, 4740]),
    Function("read_file_record", (4, 1, 2), "14 07 06 0004 0001 0002", "14 06 05 06 0dfe 0020",
             [3582, 32]),
    Function("read_file_records", ([(4, 1, 2), FileRecord(3, 9, 2)],),
             "14 0e 06 0004 0001 0002 06 0003 0009 0002", "14 0c 05 06 0dfe 0020 05 06 33cd 0040",
             [[3582, 32], [13261, 64]]),
    Function("write_file_record", (4, 7, [1711, 1214, 4109]),
             "15 0d 06 0004 0007 0003 06af 04be 100d", "15 0d 06 0004 0007 0003 06af 04be 100d",
             None),
    Function("write_file_records", ([(4, 7, [1711]), FileRecordData(5, 0, [1])],),
             "15 12 06 0004 0007 0001 06af 06 0005 0000 0001 0001",
             "15 12 06 0004 0007 0001 06af 06 0005 0000 0001 0001", None),
    Function("read_device_identification", (), "2b 0e 01 00",
             "2b 0e 01 01 00 00 03 00 01 41 01 02 4231 02 03 312e30",
             {0: b"A", 1: b"B1", 2: b"1.0"}),
    Function("read_device_identification", (4, 129), "2b 0e 04 81",
             "2b 0e 04 83 00 00 01 81 02 00ff", {129: b"\x00\xff"}),
    Function("canopen_general_reference", (b"\x01\x02",), "2b 0d 01 02", "2b 0d 05", b"\x05"),
    Function("read_exception_status", (), "07", "07 6d", 0x6D),
    Function("get_comm_event_counter", (), "0b", "0b ffff 0108",
             GetCommEventCounterResponse(0xFFFF, 264)),
    Function("get_comm_event_log", (), "0c", "0c 08 0000 0108 0121 2000",
             GetCommEventLogResponse(0, 264, 289, b"\x20\x00")),
    Function("report_server_id", (), "11", "11 03 41 ff 01",
             ReportServerIdResponse(b"A", True, b"\x01")),
    Function("report_server_id", (2,), "11", "11 03 41 00 ff",
             ReportServerIdResponse(b"A\x00", True)),
    _diagnostic("return_query_data", "0000", "a537", "a537", [0xA537], (0xA537,)),
    _diagnostic("return_query_data", "0000", "0001 0002", "0001 0002", [1, 2], ([1, 2],)),
    _diagnostic("restart_communications", "0001"),
    _diagnostic("restart_communications", "0001", "ff00", "ff00", None, (True,)),
    _diagnostic("return_diagnostic_register", "0002", answer="1234", value=0x1234),
    _diagnostic("change_ascii_input_delimiter", "0003", "3b00", "3b00", None, (";",)),
    _diagnostic("clear_counters", "000a"),
    _diagnostic("return_bus_message_count", "000b", answer="0011", value=0x11),
    _diagnostic("return_bus_communication_error_count", "000c", answer="0012", value=0x12),
    _diagnostic("return_bus_exception_error_count", "000d", answer="0013", value=0x13),
    _diagnostic("return_server_message_count", "000e", answer="0014", value=0x14),
    _diagnostic("return_server_no_response_count", "000f", answer="0015", value=0x15),
    _diagnostic("return_server_nak_count", "0010", answer="0016", value=0x16),
    _diagnostic("return_server_busy_count", "0011", answer="0017", value=0x17),
    _diagnostic("return_bus_character_overrun_count", "0012", answer="0018", value=0x18),
    _diagnostic("return_iop_overrun_count", "0013", answer="0019", value=0x19),
    _diagnostic("clear_overrun_counter", "0014"),
    _diagnostic("get_modbus_plus_statistics", "0015", "0003",
                "0003 0002 004d" + "0000" * 51 + "01c8",
                ModbusPlusStatistics(2, 77, program_slave_input_paths=(*[0] * 6, 200, 1))),
    _diagnostic("clear_modbus_plus_statistics", "0015", "0004", "0004"),
    Function("call", (ReadCoilsRequest(0, 3),), "01 0000 0003", "01 01 05",
             ReadCoilsResponse([True, False, True])),
    Function("call", (DiagnosticsRequest(0x8001, [1, 2]),), "08 8001 0001 0002", "08 8001 0003",
             DiagnosticsResponse(0x8001, 3)),
    Function("call", (DiagnosticsRequest(0x8002, []),), "08 8002", "08 8002",
             DiagnosticsResponse(0x8002, [])),
    Function("call", (RawRequest(0x41, b"\x09"),), "41 09", "41 01 02",
             RawResponse(0x41, b"\x01\x02")),
    Function("call", (RawRequest(3, b"\x00"),), "03 00", "03 02 0001",
             RawResponse(3, b"\x02\x00\x01")),
]  # fmt: skip

EXCEPTIONS: list[tuple[int, type[ExceptionResponseError]]] = [
    (1, IllegalFunctionError),
    (2, IllegalDataAddressError),
    (3, IllegalDataValueError),
    (4, ServerDeviceFailureError),
    (5, AcknowledgeError),
    (6, ServerDeviceBusyError),
    (7, NegativeAcknowledgeError),
    (8, MemoryParityError),
    (10, GatewayPathUnavailableError),
    (11, GatewayTargetFailedError),
    (0x55, ExceptionResponseError),
]

# Answers to a read of two registers that cannot be its answer.
MISFITS = {
    "of another function": "04 04 0001 0002",
    "with too few registers": "03 02 0001",
    "with too many registers": "03 06 0001 0002 0003",
    "with a wrong byte count": "03 04 0001",
    "with trailing bytes": "03 04 0001 0002 00",
    "without a byte count": "03",
    "with a long exception": "83 02 00",
    "with an exception without a code": "83",
    "with the exception of another function": "84 02",
}

WRONG_ARGUMENTS: list[tuple[str, tuple[Any, ...], dict[str, Any], type[ValueError], str]] = [
    ("read_coils", (0, 0), {}, InvalidRequestError, "count must be 1..2000"),
    ("read_coils", (0, 2001), {}, InvalidRequestError, "got 2001"),
    ("read_holding_registers", (0, 126), {}, InvalidRequestError, "count must be 1..125"),
    ("read_holding_registers", (-1,), {}, InvalidRequestError, "address must be 0..65535"),
    ("read_holding_registers", (65535, 2), {}, InvalidRequestError, "65535"),
    ("write_register", (0, 65536), {}, InvalidRequestError, "0..65535"),
    ("write_registers", (0, []), {}, InvalidRequestError, "1..123"),
    ("read_holding_registers", (0,), {"unit": 256}, ValueError, "unit must be 0..255, got 256"),
    ("read_holding_registers", (0,), {"timeout": 0}, ValueError, "timeout must be greater than 0"),
    ("read_holding_registers", (0,), {"timeout": float("nan")}, ValueError, "timeout must be"),
    ("change_ascii_input_delimiter", ("ab",), {}, ValueError, "must be one ASCII character"),
]


def _exchange(function: Function) -> list[ClientStep]:
    method, args, request, response, value = function
    return [
        Start("it", method, *args, unit=17),
        Expect(tcp(request, 1, 17)),
        Send(tcp(response, 1, 17)),
        Result("it", value),
    ]


def _functions() -> list[ClientScenario]:
    return [
        ClientScenario(f"{function.method}, {function.response}", _exchange(function))
        for function in FUNCTIONS
    ]


def _exceptions() -> list[ClientScenario]:
    steps: list[ClientStep] = []
    for transaction, (code, error) in enumerate(EXCEPTIONS, 1):
        steps += [
            Start("it", "read_holding_registers", 7, 1),
            Expect(tcp("03 0007 0001", transaction)),
            Send(tcp(f"83 {code:02x}", transaction)),
            Raises("it", error, f"exception {code:02X} .*address=7"),
        ]
    return [ClientScenario("each exception code is an error of its own", steps)]


def _misfits() -> list[ClientScenario]:
    return [
        ClientScenario(
            f"an answer {what} is refused, and the link is kept",
            [
                Start("a", "read_holding_registers", 0, 2),
                Expect(tcp("03 0000 0002", 1)),
                Send(tcp(pdu, 1)),
                Raises("a", InvalidResponseError),
                Start("b", "read_holding_registers", 0, 2),
                Expect(tcp("03 0000 0002", 2)),
                Send(tcp("03 04 0001 0002", 2)),
                Result("b", [1, 2]),
            ],
        )
        for what, pdu in MISFITS.items()
    ]


def _wrong_arguments() -> list[ClientScenario]:
    steps: list[ClientStep] = []
    for method, args, kwargs, error, match in WRONG_ARGUMENTS:
        steps += [Start("it", method, *args, **kwargs), Raises("it", error, match)]
    return [
        ClientScenario(
            "wrong arguments are refused, and nothing is sent",
            [
                *steps,
                Quiet(),
                Start("good", "read_coils", 0),
                Expect(tcp("01 0000 0001", 1)),
                Send(tcp("01 01 01", 1)),
                Result("good", [True]),
            ],
        ),
        ClientScenario(
            "wrong arguments are refused before a link is opened",
            [
                Start("it", "read_holding_registers", 0, unit=-1),
                Raises("it", ValueError, "unit must be"),
                Start("it", "read_holding_registers", 0, timeout=-1.0),
                Raises("it", ValueError, "timeout must be"),
            ],
            is_opened=False,
        ),
    ]


def _identification() -> ClientScenario:
    return ClientScenario(
        "device identification goes on until all objects came",
        [
            Start("it", "read_device_identification", 3),
            Expect(tcp("2b 0e 03 00", 1)),
            Send(tcp("2b 0e 03 83 ff 02 02 00 01 41 01 01 42", 1)),
            Expect(tcp("2b 0e 03 02", 2)),
            Send(tcp("2b 0e 03 83 ff 81 01 02 01 43", 2)),
            Expect(tcp("2b 0e 03 81", 3)),
            Send(tcp("2b 0e 03 83 00 00 01 81 01 44", 3)),
            Result("it", {0: b"A", 1: b"B", 2: b"C", 0x81: b"D"}),
            Start("circle", "read_device_identification", 1),
            Expect(tcp("2b 0e 01 00", 4)),
            Send(tcp("2b 0e 01 01 ff 00 01 00 01 41", 4)),
            Raises("circle", InvalidResponseError, "next object id must be above 0"),
        ],
    )


def _corpus(framing: str) -> ClientScenario:
    """All requests of the corpus that have an answer there, as they are in this framing."""
    pairs: dict[str, dict[str, Any]] = {}
    for entry in json.loads(_VECTORS.read_text(encoding="utf-8")):
        if entry["framing"] == framing:
            pairs.setdefault(entry["case"], {})[entry["direction"]] = entry
    steps: list[ClientStep] = []
    transaction = 0
    for pair in pairs.values():
        if len(pair) != 2 or "exception_code" in pair["response"]["args"]:
            continue
        request, response = pair["request"], pair["response"]
        if request["pdu"].startswith("080003"):
            continue  # what follows it would have to end with another delimiter
        transaction += 1
        pdu = plain(request["pdu"])
        steps += [
            Start("it", "call", _request(pdu), unit=request["unit"]),
            Expect(_adu(request, transaction)),
            Send(_adu(response, transaction)),
            Result("it", _request(pdu).decode_response(plain(response["pdu"]))),
        ]
    return ClientScenario(
        f"the corpus of the specification in {framing} framing", steps, framing=FRAMINGS[framing]
    )


def _request(pdu: bytes) -> Any:
    from modwire import decode_request

    return decode_request(pdu)


def _adu(entry: dict[str, Any], transaction: int) -> bytes:
    if entry["framing"] == "ascii":
        return str(entry["hex"]).encode()
    adu = plain(entry["hex"])
    return transaction.to_bytes(2, "big") + adu[2:] if entry["framing"] == "tcp" else adu


def _units() -> ClientScenario:
    return ClientScenario(
        "the unit is the client's own, or the call's",
        [
            Start("a", "read_holding_registers", 0),
            Expect(tcp("03 0000 0001", 1, 9)),
            Send(tcp("03 02 0001", 1, 9)),
            Result("a", [1]),
            Start("b", "read_holding_registers", 0, unit=0),
            Expect(tcp("03 0000 0001", 2, 0)),
            Send(tcp("03 02 0002", 2, 0)),
            Result("b", [2]),
            Start("c", "write_coil", 0, True, unit=255),
            Expect(tcp("05 0000 ff00", 3, 255)),
            Send(tcp("05 0000 ff00", 3, 255)),
            Result("c"),
        ],
        arguments={"unit": 9},
    )


def _listen_only() -> ClientScenario:
    return ClientScenario(
        "what is never answered is done once sent",
        [
            Start("a", "force_listen_only_mode"),
            Expect(tcp("08 0004 0000", 1)),
            Result("a"),
            Start("b", "restart_communications", timeout=SHORT),
            Expect(tcp("08 0001 0000", 2)),
            Raises("b", ResponseTimeoutError, "unit 1 did not answer"),
        ],
    )


def scenarios() -> Sequence[ClientScenario]:
    return [
        *_functions(),
        *_exceptions(),
        *_misfits(),
        *_wrong_arguments(),
        _identification(),
        _units(),
        _listen_only(),
        *(_corpus(framing) for framing in FRAMINGS),
    ]

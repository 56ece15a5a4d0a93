"""Whole sessions with clients and servers of pymodbus 2.5.3.

The tables of docs/how-to/pymodbus-peers.md say of every call on every link whether it works.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from modwire import (
    ClientOptions,
    ConnectionLostError,
    FileRecord,
    FileRecordData,
    GetCommEventCounterResponse,
    GetCommEventLogResponse,
    IllegalDataAddressError,
    InvalidResponseError,
    ModbusPlusStatistics,
    ReportServerIdResponse,
    ResponseTimeoutError,
    SequentialBlock,
    Units,
)
from pty_pair import PtyPair

from .adapters import Adapter, Link, once
from .devices import PATIENCE, device, serving
from .old_pymodbus import OldPymodbus

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "pymodbus-peers.md"
LINKS = {"TCP": "tcp", "UDP": "udp", "RTU": "rtu", "ASCII": "ascii", "Binary": "pymodbus-binary"}
SHORT = 0.5  # seconds to wait for an answer that will not come
OPTIONS = ClientOptions(response_timeout=PATIENCE, late_reply_window=0.05, tolerance=0.05)

COILS = [True] * 10 + [False, False, True] * 3 + [False, False]  # when eight were written
INPUTS = [True, *[False] * 4, True, False, False]
INPUT_REGISTERS = list(range(0x1001, 0x1009))
# Calls of pymodbus's client, and what their responses have.
THEIR_CALLS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("write_coil", {"address": 1, "value": True}, {"address": 1, "value": True}),
    ("read_coils", {"address": 1, "count": 1}, {"bits": [True] + [False] * 7}),
    ("write_coils", {"address": 1, "values": [True] * 8}, {"address": 1, "count": 8}),
    ("read_coils", {"address": 0, "count": 16}, {"bits": COILS[:16]}),
    ("read_discrete_inputs", {"address": 0, "count": 8}, {"bits": INPUTS}),
    ("write_register", {"address": 1, "value": 0x7B7B}, {"address": 1, "value": 0x7B7B}),
    ("read_holding_registers", {"address": 1, "count": 1}, {"registers": [0x7B7B]}),
    ("write_registers", {"address": 1, "values": [10] * 8}, {"address": 1, "count": 8}),
    ("read_holding_registers", {"address": 1, "count": 8}, {"registers": [10] * 8}),
    ("read_holding_registers", {"address": 5000, "count": 1}, {"exception_code": 2}),
    ("read_input_registers", {"address": 1, "count": 8}, {"registers": INPUT_REGISTERS}),
    ("readwrite_registers", {"read_address": 1, "read_count": 8, "write_address": 1,
                             "write_registers": [20] * 8}, {"registers": [20] * 8}),
    ("mask_write_register", {"address": 1, "and_mask": 0xF2, "or_mask": 0x25},
     {"address": 1, "and_mask": 0xF2, "or_mask": 0x25}),
    ("ReadExceptionStatusRequest", {}, {"status": 0x6D}),
    ("ReportSlaveIdRequest", {}, {"identifier": "*\xffSeven"}),
    ("ReadDeviceInformationRequest", {},
     {"information": {"0": "Pump Works", "1": "PW-7", "2": "3.16"}, "conformity": 0x83}),
    ("ReturnQueryDataRequest", {"message": 0xA537}, {"message": [0xA537]}),
    ("RestartCommunicationsOptionRequest", {"toggle": True}, {"message": [0xFF00]}),
    ("ReturnDiagnosticRegisterRequest", {}, {"message": [0x8234]}),
    ("ChangeAsciiInputDelimiterRequest", {"data": 0x0A00}, {"message": [0x0A00]}),
    ("ClearCountersRequest", {}, {"message": [0]}),
    ("ReturnBusMessageCountRequest", {}, {"message": [1]}),
    ("ReturnBusCommunicationErrorCountRequest", {}, {"message": [0]}),
    ("ReturnBusExceptionErrorCountRequest", {}, {"message": [0]}),
    ("ReturnSlaveMessageCountRequest", {}, {"message": [4]}),
    ("ReturnSlaveNoResponseCountRequest", {}, {"message": [0]}),
    ("ReturnSlaveNAKCountRequest", {}, {"message": [0]}),
    ("ReturnSlaveBusyCountRequest", {}, {"message": [0]}),
    ("ReturnSlaveBusCharacterOverrunCountRequest", {}, {"message": [0]}),
    ("ReturnIopOverrunCountRequest", {}, {"message": [0]}),
    ("ClearOverrunCountRequest", {}, {"message": [0]}),
    ("GetCommEventCounterRequest", {}, {"status": True, "count": 10}),
    ("GetCommEventLogRequest", {}, {"status": True, "event_count": 10, "message_count": 12}),
    ("ReadFileRecordRequest",
     {"records": [{"file_number": 4, "record_number": 1, "record_length": 2}]}, {}),
    ("WriteFileRecordRequest",
     {"records": [{"file_number": 4, "record_number": 1, "record_data": "\x01\x02"}]}, {}),
    ("ReadFifoQueueRequest", {"address": 0x04DE}, {}),
    ("GetClearModbusPlusRequest", {"data": 4}, {"message": [4]}),
    ("GetClearModbusPlusRequest", {"data": 3}, {"message": [3, 108, *[0] * 54]}),
    ("ForceListenOnlyModeRequest", {}, {}),
]  # fmt: skip
SOME = b"Pump Works-PW-7-2.5"
IDENTITY = {0: b"Pump Works", 1: b"PW-7", 2: b"2.5"}
NO_ANSWER = (ResponseTimeoutError, ConnectionLostError)
# Calls of our clients, and their values.
OUR_CALLS: list[tuple[str, tuple[Any, ...], Any]] = [
    ("write_coil", (1, True), None),
    ("write_coils", (1, [True] * 8), None),
    ("read_coils", (0, 21), COILS),
    ("read_discrete_inputs", (0, 8), INPUTS),
    ("write_register", (1, 0x7B7B), None),
    ("read_holding_registers", (1,), [0x7B7B]),
    ("write_registers", (1, [10] * 8), None),
    ("read_holding_registers", (0, 0x7B), [0, *[10] * 8, *range(9, 0x7B)]),
    ("read_input_registers", (1, 8), INPUT_REGISTERS),
    ("read_write_registers", (1, 8, 1, [20] * 8), [20] * 8),
    ("mask_write_register", (1, 0xF2, 0x25), None),
    ("read_exception_status", (), 0),
    ("report_server_id", (), ReportServerIdResponse(SOME, True)),
    ("read_device_identification", (), IDENTITY),
    ("return_query_data", (0xA537,), [0xA537]),
    ("restart_communications", (True,), None),
    ("return_diagnostic_register", (), 0),
    ("change_ascii_input_delimiter", ("\n",), None),
    ("clear_counters", (), None),
    ("return_bus_message_count", (), 0),
    ("return_bus_communication_error_count", (), 0),
    ("return_bus_exception_error_count", (), 0),
    ("return_server_message_count", (), 0),
    ("return_server_no_response_count", (), 0),
    ("return_server_nak_count", (), 0),
    ("return_server_busy_count", (), 0),
    ("return_bus_character_overrun_count", (), 0),
    ("return_iop_overrun_count", (), 0),
    ("clear_overrun_counter", (), None),
    ("get_modbus_plus_statistics", (), ModbusPlusStatistics()),
    ("clear_modbus_plus_statistics", (), None),
    ("get_comm_event_counter", (), GetCommEventCounterResponse(0, 0)),
    ("get_comm_event_log", (), GetCommEventLogResponse(0, 0, 0)),
    ("write_file_record", (4, 1, [1, 2]), None),
    ("write_file_records", ([FileRecordData(4, 1, [1, 2])],), None),
    ("read_fifo_queue", (1,), []),
    ("force_listen_only_mode", (), None),
    ("read_file_record", (4, 1, 2), InvalidResponseError),
    ("read_file_records", ([FileRecord(4, 1, 2)],), InvalidResponseError),
    ("canopen_general_reference", (b"\x01",), NO_ANSWER),
]


def table(heading: str) -> dict[str, dict[str, bool]]:
    """Return by call and link whether it works, as the table under a heading says."""
    text = PAGE.read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    found: dict[str, dict[str, bool]] = {}
    for line in text.splitlines():
        cells = [each.strip() for each in line.strip("|").split("|")]
        if len(cells) == 6 and cells[0].startswith("`"):
            works = {
                link: cell.startswith("yes") for link, cell in zip(LINKS, cells[1:], strict=True)
            }
            found |= dict.fromkeys(re.findall(r"`(\w+)`", cells[0]), works)
    return found


# Calls of pymodbus that wait for their timeout although the answer has come; they are the last.
_WAITING = ("GetClearModbusPlusRequest",)
THEIRS, OURS = table("Its client and a server here"), table("A client here and its server")
links = pytest.mark.parametrize("name", LINKS)


def peer_arguments(link: str) -> tuple[str, str]:
    """Return transport and framer of pymodbus."""
    framing, transport = Link.named(link)
    return transport, "socket" if framing.has_transactions else framing.name


def test_the_tables_have_every_call() -> None:
    assert set(THEIRS) == {name for name, _, _ in THEIR_CALLS}
    assert set(OURS) == {name for name, _, _ in OUR_CALLS}
    import modwire

    calls = {name for name in dir(modwire.BlockingCalls) if not name.startswith("_")}
    assert set(OURS) == calls - {"call"}


@links
def test_its_client_and_our_server(name: str, adapter: Adapter, old_pymodbus: Path) -> None:
    unit = device()
    unit.files = {4: SequentialBlock(0, [0] * 20)}
    unit.fifo_queues = {0x04DE: [1, 2]}
    with serving(adapter, Units({1: unit, 0x7B: unit}), LINKS[name]) as port:
        transport, framer = peer_arguments(LINKS[name])
        arguments = (transport, framer, str(port))
        with OldPymodbus(old_pymodbus, "old_pymodbus_client.py", *arguments) as client:
            assert client.line() is True
            for call, given, expected in THEIR_CALLS:
                works = THEIRS[call][name] or given == {"data": 4}
                if not works or call in _WAITING:
                    client.ask("timeout", SHORT)
                answer = client.ask(call, {**given, "unit": 1})
                if works:
                    assert answer.items() >= expected.items(), (call, answer)
                else:
                    assert "error" in answer, (call, answer)
    assert unit.listen_only
    assert list(unit.holding_registers.read(1, 2)) == [20 & 0xF2 | 0x25 & ~0xF2, 20]
    assert list(unit.files[4].read(1, 1)) == [0x0102]


@pytest.fixture(scope="module", params=LINKS)
def server(request: pytest.FixtureRequest, old_pymodbus: Path) -> Iterator[tuple[str, int | str]]:
    """The name of a link to a running server, and its port; shared by clients of all packages."""
    transport, framer = peer_arguments(LINKS[request.param])
    with ExitStack() as stack:
        far = near = "-"
        if transport == "serial":
            cable = stack.enter_context(PtyPair())
            far, near = cable.left, cable.right
        program = OldPymodbus(old_pymodbus, "old_pymodbus_server.py", transport, framer, far)
        port = stack.enter_context(program).line()
        yield request.param, near if transport == "serial" else int(port)


def test_our_client_and_its_server(server: tuple[str, int | str], adapter: Adapter) -> None:
    name, port = server
    with adapter.client(LINKS[name], port, OPTIONS) as client:
        # The server is shared: what it does not know may stay in its buffer until more comes.
        with suppress(*NO_ANSWER):
            client.read_coils(0, timeout=SHORT)
        client.write_coils(0, [index % 3 == 0 for index in range(21)])
        with pytest.raises(IllegalDataAddressError):
            client.read_holding_registers(5000)
        for call, arguments, expected in OUR_CALLS:
            ask: Callable[..., Any] = getattr(client, call)
            if OURS[call][name]:
                assert ask(*arguments) == expected, call
            else:
                with pytest.raises(expected):
                    ask(*arguments, timeout=SHORT)


class Carried(NamedTuple):
    """A call of a client here whose request or response has braces; None if it cannot work."""

    method: str
    args: tuple[int, ...]
    value: list[int] | None
    unit: int = 1


CARRIED = [
    Carried("read_holding_registers", (0x7B, 1), [0x7B]),
    Carried("read_holding_registers", (0, 0x7B), [*range(0x7B)]),
    Carried("read_holding_registers", (0x78, 8), [*range(0x78, 0x80)]),
    Carried("read_holding_registers", (0, 2), [0, 1], unit=0x7B),
    Carried("read_holding_registers", (0x7D, 1), None),
    Carried("read_holding_registers", (0, 0x7D), None),
    Carried("read_holding_registers", (0, 2), None, unit=0x7D),
]


@once
@pytest.mark.parametrize("case", CARRIED, ids=str)
def test_braces_in_binary_frames(case: Carried, adapter: Adapter, old_pymodbus: Path) -> None:
    """A frame from pymodbus always comes, and one from us unless 7D is in it."""
    program = OldPymodbus(old_pymodbus, "old_pymodbus_server.py", "tcp", "binary", "-")
    with program as running:
        port = int(running.line())
        with adapter.client("pymodbus-binary+tcp", port, OPTIONS) as client:
            ask = getattr(client, case.method)
            if case.value is None:
                with pytest.raises(NO_ANSWER):
                    ask(*case.args, unit=case.unit, timeout=SHORT)
            else:
                assert ask(*case.args, unit=case.unit) == case.value

"""Differences of pymodbus and modwire, as the pages for those who move say, row by row."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modwire import (
    AsciiFraming,
    ClientOptions,
    Endpoint,
    ExceptionResponse,
    ReadCoilsRequest,
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ReportServerIdRequest,
    ReportServerIdResponse,
    SequentialBlock,
    ServerOptions,
    Unit,
    Units,
    crc16,
    unpack_bits,
)
from modwire_sync import SerialClient, TcpClient, TlsClient

from .old_runs import HOW_TO

_PATIENCE = 60.0  # seconds for another interpreter on a busy machine
REQUEST = bytes.fromhex("010300000001")
FIVE = [True, False, True, False, False, False, False, False]  # the bits of a byte 05
THREE = [True] * 3 + [False] * 5

# By row of the page, what the facts script of that version prints.
OLD: dict[str, dict[str, Any]] = {
    "addresses of a server": {"first": [1]},
    "unit if none is named": {"unit": 0},
    "timeout": {"timeout": 3},
    "retries": {"retries": [3, False, False]},
    "after a call without an answer": {"open after missing unit": False},
    "serial line": {"line": [19200, "N", 8, 1]},
    "serial frames": {"ascii": True},
    "TLS": {"tls header": 0, "tls checks": True},
    "a context without blocks": {"empty": [True, [0, 0]]},
    "a unit that the server does not have": {"missing unit": "no answer"},
    "one unit for all ids": {"all ids": True},
    "unit 0": {"unit 0": "no answer", "open after unit 0": False},
    "identity, counters, events": {"one control block": True},
    "function 17": {"17": "ACME-M1-2.5\xff"},
    "CRC": {"crc": 0x840A},
    "`unpack_bitstring(data)`": {"unpacked": FIVE},
    "bits of a response": {"bits": THREE},
    "exception response": {"exception": True},
    "no connection": {"connects": False, "not connected": "ConnectionException"},
    "arguments out of range": {"too many": 3, "too large": "error"},
    "values in blocks": {"wrong value": "closed", "open after wrong value": False},
}
NEW: dict[str, dict[str, Any]] = {
    "addresses of a server": {"first": [1], "sparse": [7]},
    "timeout": {"timeout": 3},
    "retries": {"retries": 3},
    "after calls without an answer": {"until closed": 6},
    "serial line": {"line": [19200, "N", 8, 1]},
    "serial frames": {"rtu": True},
    "TLS": {"tls checks": True, "tls trusts": 0},
    "a context without blocks": {"empty": [[0], 2]},
    "a unit that the server does not have": {"missing unit": 4, "missing unit, ignored": 4},
    "one unit for all ids": {"all ids": [0]},
    "unit 0": {"unit 0": 4},
    "identity, counters, events": {"one control block": True},
    "function 17": {"17": "ACME-M1-2.5"},
    "CRC": {"crc": 0x840A},
    "`unpack_bitstring(data)`": {"unpacked": FIVE},
    "bits of a response": {"bits": THREE},
    "exception response": {"exception": True},
    "no answer": {"no answer": "ModbusIOException"},
    "no connection": {"connects": False, "not connected": "ConnectionException"},
    "arguments out of range": {"too many": "ValueError"},
}
# Rows that the programs before and after, or other tests, show.
SHOWN = {
    *("addresses of a client", "unit if none is named", "connecting", "Binary frames"),
    *("result of a call", "no answer", "several threads", "several tasks or threads"),
    *("one table for all four", "broadcast of a client", "other loops"),
}


def rows_of(page: str) -> set[str]:
    """Return the first cells of the table of what differs."""
    text = (HOW_TO / page).read_text(encoding="utf-8").partition("## What differs\n")[2]
    lines = text.partition("\n## ")[0].splitlines()
    cells = [line.strip("| ").partition(" | ")[0] for line in lines if line.startswith("| ")]
    return set(cells[1:])


@pytest.mark.parametrize(("page", "facts"), [("2", OLD), ("3", NEW)])
def test_each_row_has_a_test(page: str, facts: dict[str, dict[str, Any]]) -> None:
    rows = rows_of(f"from-pymodbus-{page}.md")
    assert facts.keys() <= rows
    assert rows <= facts.keys() | SHOWN


def facts_of(python: Path, script: str) -> dict[str, Any]:
    """Return what a script beside this file prints, which knows pymodbus."""
    command = [str(python), str(Path(__file__).with_name(script))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def test_what_the_page_says_of_pymodbus_2(old_pymodbus: Path) -> None:
    facts = facts_of(old_pymodbus, "old_pymodbus_facts.py")
    assert facts == {name: value for row in OLD.values() for name, value in row.items()}


@pytest.mark.usefixtures("pymodbus")
def test_what_the_page_says_of_pymodbus_3() -> None:
    facts = facts_of(Path(sys.executable), "pymodbus_facts.py")
    assert facts == {name: value for row in NEW.values() for name, value in row.items()}


def check_defaults() -> None:
    options = ClientOptions()
    assert (options.unit, options.response_timeout) == (1, 1.0)
    assert (options.retries, options.retry_writes, options.reconnect_after) == (0, False, 3)
    assert not ServerOptions().answer_missing_units


def check_serial_line() -> None:
    line = Endpoint.parse("rtu:///dev/ttyUSB0")
    assert (line.baudrate, line.parity) == (19200, "E")
    SerialClient("/dev/ttyUSB0", framing=AsciiFraming, bytesize=8).close()
    assert Endpoint.parse("ascii:///dev/ttyUSB0").bytesize == 7


def check_tables() -> None:
    registers = Unit(holding_registers=SequentialBlock(0, [7]))
    found = registers.execute(ReadHoldingRegistersRequest(0))
    assert found == ReadHoldingRegistersResponse([7])
    assert Unit().execute(ReadCoilsRequest(0)) == ExceptionResponse(1, 2)
    full = Unit(SequentialBlock.full())
    assert full.execute(ReadCoilsRequest(65535)) != ExceptionResponse(1, 2)
    assert Units.single(full)[9] is full
    with pytest.raises(ValueError, match="address 0 must be 0..65535"):
        SequentialBlock(0, [70000])


def check_requests() -> None:
    with pytest.raises(ValueError, match="count must be 1..2000"):
        TcpClient("127.0.0.1").read_coils(0, 5000)
    with pytest.raises(ValueError, match="cannot be verified without ca"):
        TlsClient("127.0.0.1")
    found = Unit(server_id=b"pump").execute(ReportServerIdRequest())
    assert found == ReportServerIdResponse(b"pump", True)


def check_helpers() -> None:
    assert crc16(REQUEST) == 0x0A84
    assert crc16(REQUEST).to_bytes(2, "little") == bytes.fromhex("840a")
    assert unpack_bits(b"\x05", 3) == (True, False, True)


@pytest.mark.parametrize(
    "check", [check_defaults, check_serial_line, check_tables, check_requests, check_helpers]
)
def test_what_the_pages_say_of_modwire(check: Callable[[], None]) -> None:
    check()

"""mbpoll, which is libmodbus in a command, reads and writes our TCP and our RTU servers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from modwire import Units

from .adapters import Adapter, once
from .devices import BUSY_REGISTER, EXCEPTION_CODES, devices, refusing_id, serving
from .mbpoll import Mbpoll

if TYPE_CHECKING:
    from ..conftest import RequirePeer

# The names of the exceptions in libmodbus; 9 is not in use.
_NAMES = {
    1: "Illegal function",
    2: "Illegal data address",
    3: "Illegal data value",
    4: "Slave device or server failure",
    5: "Acknowledge",
    6: "Slave device or server is busy",
    7: "Negative acknowledge",
    8: "Memory parity error",
    10: "Gateway path unavailable",
    11: "Target device failed to respond",
}


class Polled(Mbpoll):
    """mbpoll on one link, and the units behind it."""

    def __init__(self, units: Units, mode: str, port: str | int) -> None:
        super().__init__(mode, port)
        self.units = units


@pytest.fixture(scope="module", params=["tcp", "rtu"])
def mbpoll(
    request: pytest.FixtureRequest, adapter: Adapter, require_peer: RequirePeer
) -> Iterator[Polled]:
    require_peer("mbpoll", shutil.which("mbpoll") is not None, "apt-get install mbpoll")
    units = devices()
    with serving(adapter, units, request.param) as port:
        yield Polled(units, request.param, port)


def test_read_coils(mbpoll: Polled) -> None:
    expected = {index: str(int(index % 3 == 0)) for index in range(600, 700)}
    assert mbpoll.read("-t", "0", "-r", "600", "-c", "100") == expected


def test_read_discrete_inputs(mbpoll: Polled) -> None:
    expected = {index: str(int(index % 5 == 0)) for index in range(600, 700)}
    assert mbpoll.read("-t", "1", "-r", "600", "-c", "100") == expected


def test_read_holding_registers(mbpoll: Polled) -> None:
    expected = {index: str(index) for index in range(1000, 1125)}
    assert mbpoll.read("-t", "4", "-r", "1000", "-c", "125") == expected
    assert mbpoll.read("-t", "4:hex", "-r", "1000") == {1000: "0x03E8"}


def test_read_input_registers(mbpoll: Polled) -> None:
    expected = {index: str(0x1000 + index) for index in range(1000, 1125)}
    assert mbpoll.read("-t", "3", "-r", "1000", "-c", "125") == expected


def test_write_single_coil(mbpoll: Polled) -> None:
    coils = mbpoll.units[1].coils
    for value in (1, 0):
        mbpoll.write("-t", "0", "-r", "20", "--", str(value))
        assert coils.read(20, 1) == (value,)


def test_write_multiple_coils(mbpoll: Polled) -> None:
    values = (1, 0, 1, 1, 0, 0, 1, 0, 1, 1)
    mbpoll.write("-t", "0", "-r", "30", "--", *map(str, values))
    assert mbpoll.units[1].coils.read(30, 10) == values


def test_write_single_register(mbpoll: Polled) -> None:
    mbpoll.write("-t", "4", "-r", "20", "--", "48879")
    assert mbpoll.units[1].holding_registers.read(20, 1) == (48879,)


def test_write_multiple_registers(mbpoll: Polled) -> None:
    values = tuple(range(50000, 50123))
    mbpoll.write("-t", "4", "-r", "30", "--", *map(str, values))
    assert mbpoll.units[1].holding_registers.read(30, 123) == values


def test_long_and_float_values(mbpoll: Polled) -> None:
    mbpoll.write("-B", "-t", "4:int", "-r", "200", "--", "123456789")
    mbpoll.write("-B", "-t", "4:float", "-r", "202", "--", "12.5")
    registers = mbpoll.units[1].holding_registers
    assert registers.read(200, 4) == (0x075B, 0xCD15, 0x4148, 0x0000)
    assert mbpoll.read("-B", "-t", "4:int", "-r", "200") == {200: "123456789"}
    assert mbpoll.read("-B", "-t", "4:float", "-r", "202") == {202: "12.5"}
    assert mbpoll.read("-B", "-t", "3:int", "-r", "0") == {0: str(0x10001001)}


@pytest.mark.parametrize(("running", "status"), [(True, "On"), (False, "Off")])
def test_report_server_id(mbpoll: Polled, running: bool, status: str) -> None:
    """mbpoll shows the first byte only, so the id here has one byte."""
    mbpoll.units[1].run_indicator = running
    done = mbpoll.run("-u")
    if mbpoll.mode == "tcp":
        # A limit of mbpoll: it sends nothing at all.
        assert "-u is available only in RTU mode" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    assert "Length: 7" in done.stdout
    assert "Id    : 0x2A" in done.stdout
    assert f"Status: {status}" in done.stdout
    assert "Data  : Seven" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("-t", "0", "-r", "2040", "-c", "100"),
        ("-t", "1", "-r", "2040", "-c", "100"),
        ("-t", "4", "-r", "2040", "-c", "100"),
        ("-t", "3", "-r", "2040", "-c", "100"),
        ("-t", "0", "-r", "5000", "--", "1"),
        ("-t", "4", "-r", "5000", "--", "1"),
        ("-t", "0", "-r", "2047", "--", "1", "0"),
        ("-t", "4", "-r", "2047", "--", "1", "0"),
    ],
    ids=["1", "2", "3", "4", "5", "6", "15", "16"],
)
def test_illegal_data_address(mbpoll: Polled, arguments: tuple[str, ...]) -> None:
    done = mbpoll.run(*arguments)
    assert done.returncode == 1
    assert "failed: Illegal data address" in done.stderr


@once
@pytest.mark.parametrize("code", EXCEPTION_CODES)
def test_every_exception(mbpoll: Polled, code: int) -> None:
    done = mbpoll.run("-t", "4", unit=refusing_id(code))
    assert done.returncode == 1
    assert f"failed: {_NAMES[code]}" in done.stderr


def test_refused_write_changes_nothing(mbpoll: Polled) -> None:
    done = mbpoll.run("-t", "4", "-r", str(BUSY_REGISTER), "--", "1")
    assert done.returncode == 1
    assert f"failed: {_NAMES[6]}" in done.stderr
    assert mbpoll.units[1].holding_registers.read(BUSY_REGISTER, 1) == (BUSY_REGISTER,)


@once
def test_missing_unit(mbpoll: Polled) -> None:
    """A server must be silent for a missing unit: another device may respond."""
    done = mbpoll.run("-t", "4", "-o", "0.2", unit=9)
    assert done.returncode == 1
    assert "failed: Connection timed out" in done.stderr

"""minimalmodbus reads and writes our serial servers, with RTU and with ASCII frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import serial

from modwire import Units
from server_peers import wait_until

from .adapters import Adapter, once
from .devices import (
    BUSY_REGISTER,
    EXCEPTION_CODES,
    PATIENCE,
    devices,
    refusing_id,
    serving,
)
from .peers import HAS_MINIMALMODBUS

if HAS_MINIMALMODBUS:
    from minimalmodbus import (
        Instrument,
        InvalidResponseError,
        ModbusException,
        NegativeAcknowledgeError,
        NoResponseError,
        SlaveDeviceBusyError,
        SlaveReportedException,
    )

QUIET = 0.2  # seconds to wait for an answer that will not come


class Port(serial.Serial):
    """Returns a short exception response at once, although minimalmodbus reads more bytes.

    Without this, every exception would take the whole timeout.
    """

    ends_with = b""  # for ASCII; an exception on RTU has 5 bytes

    def read(self, size: int = 1) -> bytes:
        data = b""
        while len(data) < size:
            byte = super().read(1)
            data += byte
            if not byte or self._is_exception(data):
                break
        return data

    def _is_exception(self, data: bytes) -> bool:
        if self.ends_with:
            return data.endswith(self.ends_with) and data[3:4] >= b"8"
        return len(data) == 5 and data[1] >= 0x80


@pytest.fixture(scope="module", params=["rtu", "ascii"])
def line(
    request: pytest.FixtureRequest, adapter: Adapter, minimalmodbus: None
) -> Iterator[tuple[str, Units, str]]:
    """The framing, the units behind the line, and the port."""
    units = devices()
    with serving(adapter, units, request.param) as port:
        yield request.param, units, str(port)


@pytest.fixture
def units(line: tuple[str, Units, str]) -> Units:
    return line[1]


@pytest.fixture
def instrument(line: tuple[str, Units, str]) -> Iterator[Instrument]:
    mode, _, port = line
    with Port(port, baudrate=115200, timeout=PATIENCE) as opened:
        opened.ends_with = b"\r\n" if mode == "ascii" else b""
        yield Instrument(opened, 1, mode)


def test_bits(instrument: Instrument, units: Units) -> None:
    """Functions 1, 2, 5 and 15."""
    assert instrument.read_bits(600, 19, functioncode=1) == [
        int(index % 3 == 0) for index in range(600, 619)
    ]
    assert instrument.read_bits(600, 19, functioncode=2) == [
        int(index % 5 == 0) for index in range(600, 619)
    ]
    assert instrument.read_bit(600, functioncode=1) == 1
    assert instrument.read_bit(601, functioncode=2) == 0
    instrument.write_bit(20, 1)
    instrument.write_bit(21, 0)
    instrument.write_bit(22, 1, functioncode=15)
    assert units[1].coils.read(20, 3) == (1, 0, 1)
    values = [int(index % 7 == 0) for index in range(125)]
    instrument.write_bits(30, values)
    assert list(units[1].coils.read(30, 125)) == values


@once
def test_write_of_many_bits_limit(instrument: Instrument, units: Units) -> None:
    """Function 15 allows 1968 coils; minimalmodbus reports the good response as an error."""
    values = [int(index % 7 == 0) for index in range(1968)]
    with pytest.raises(ValueError, match="number of registers is too large: 1968"):
        instrument.write_bits(30, values)
    assert list(units[1].coils.read(30, 1968)) == values


def test_registers(instrument: Instrument, units: Units) -> None:
    """Functions 3, 4, 6 and 16."""
    assert instrument.read_registers(1000, 125) == list(range(1000, 1125))
    assert instrument.read_registers(1000, 125, functioncode=4) == list(range(5096, 5221))
    assert instrument.read_register(1001) == 1001
    assert instrument.read_register(1001, functioncode=4) == 5097
    instrument.write_register(20, 48879, functioncode=6)
    instrument.write_register(21, 1234, functioncode=16)
    assert units[1].holding_registers.read(20, 2) == (48879, 1234)
    values = list(range(50000, 50123))
    instrument.write_registers(30, values)
    assert list(units[1].holding_registers.read(30, 123)) == values


def test_decimals_and_signs(instrument: Instrument) -> None:
    instrument.write_register(200, -12.3, number_of_decimals=1, signed=True)
    assert instrument.read_register(200, number_of_decimals=1, signed=True) == -12.3
    assert instrument.read_register(200) == 65536 - 123


def test_values_in_several_registers(instrument: Instrument, units: Units) -> None:
    instrument.write_long(210, 123456789)
    instrument.write_long(212, -2, signed=True)
    instrument.write_float(214, 12.5)
    instrument.write_float(216, -0.1, number_of_registers=4)
    instrument.write_string(220, "Pump Seven", number_of_registers=8)
    assert units[1].holding_registers.read(210, 6) == (0x075B, 0xCD15, 0xFFFF, 0xFFFE, 0x4148, 0)
    assert units[1].holding_registers.read(220, 2) == (0x5075, 0x6D70)
    assert instrument.read_long(210) == 123456789
    assert instrument.read_long(212, signed=True) == -2
    assert instrument.read_float(214) == 12.5
    assert instrument.read_float(216, number_of_registers=4) == -0.1
    assert instrument.read_string(220, number_of_registers=8).rstrip() == "Pump Seven"
    assert instrument.read_float(0, functioncode=4) != 0


def test_broadcast_is_done_and_not_answered(
    instrument: Instrument, units: Units, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its pause in seconds is for slower devices than ours; this test would wait four times.
    monkeypatch.setattr("minimalmodbus._BROADCAST_DELAY", 0.05)
    instrument.address = 0
    instrument.write_register(240, 4711, functioncode=6)
    instrument.write_bit(240, 1)
    instrument.write_registers(241, [1, 2])
    instrument.write_bits(241, [1, 0, 1])
    instrument.address = 1
    # Some of the units block, so a worker does the broadcasts while later requests are answered.
    for unit in (units[1], units[2]):
        wait_until(lambda unit=unit: unit.holding_registers.read(240, 3) == (4711, 1, 2))  # type: ignore[misc]
        wait_until(lambda unit=unit: unit.coils.read(240, 4) == (1, 1, 0, 1))  # type: ignore[misc]
    assert instrument.read_register(240) == 4711


ASKED: dict[str, Callable[[Instrument], object]] = {
    "1": lambda instrument: instrument.read_bits(2040, 100, functioncode=1),
    "2": lambda instrument: instrument.read_bits(2040, 100, functioncode=2),
    "3": lambda instrument: instrument.read_registers(2040, 100),
    "4": lambda instrument: instrument.read_registers(2040, 100, functioncode=4),
    "5": lambda instrument: instrument.write_bit(5000, 1),
    "6": lambda instrument: instrument.write_register(5000, 1, functioncode=6),
    "15": lambda instrument: instrument.write_bits(2040, [1] * 100),
    "16": lambda instrument: instrument.write_registers(2040, [1] * 100),
}


@pytest.mark.parametrize("function", ASKED)
def test_illegal_data_address(instrument: Instrument, function: str) -> None:
    with pytest.raises(ModbusException, match="illegal data address"):
        ASKED[function](instrument)


@pytest.mark.parametrize("code", EXCEPTION_CODES)
def test_every_exception(instrument: Instrument, code: int) -> None:
    instrument.address = refusing_id(code)
    if code == 5:
        # It does not treat "acknowledge" as an error, and then cannot decode the response.
        with pytest.raises(InvalidResponseError, match="131 instead of 3"):
            instrument.read_register(0)
        return
    with pytest.raises(SlaveReportedException) as caught:
        instrument.read_register(0)
    if code == 6:
        assert caught.type is SlaveDeviceBusyError
    if code == 7:
        assert caught.type is NegativeAcknowledgeError


def test_refused_write_changes_nothing(instrument: Instrument, units: Units) -> None:
    with pytest.raises(SlaveDeviceBusyError):
        instrument.write_register(BUSY_REGISTER, 1, functioncode=6)
    assert units[1].holding_registers.read(BUSY_REGISTER, 1) == (BUSY_REGISTER,)


@once
def test_missing_unit(instrument: Instrument) -> None:
    """A server must be silent for a missing unit: another device may respond."""
    instrument.serial.timeout = QUIET
    instrument.address = 9
    with pytest.raises(NoResponseError):
        instrument.read_register(0)

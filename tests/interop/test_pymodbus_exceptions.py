"""The clients of pymodbus get every exception that our servers send."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from .adapters import Adapter, once
from .devices import (
    EXCEPTION_CODES,
    devices,
    refusing_id,
    serving,
)
from .peers import HAS_PYMODBUS

if HAS_PYMODBUS:
    from pymodbus import ModbusException
    from pymodbus.client.base import ModbusBaseSyncClient
    from pymodbus.pdu import ModbusPDU
    from pymodbus.pdu.bit_message import WriteMultipleCoilsRequest, WriteSingleCoilRequest
    from pymodbus.pdu.diag_message import ReturnIopOverrunCountRequest
    from pymodbus.pdu.file_message import FileRecord
    from pymodbus.pdu.register_message import ReadHoldingRegistersRequest

from .pymodbus_link import LINKS, QUIET, Link


@pytest.fixture(scope="module", params=LINKS)
def link(request: pytest.FixtureRequest, adapter: Adapter, pymodbus: None) -> Iterator[Link]:
    units = devices()
    with serving(adapter, units, request.param) as port:
        yield Link(request.param, units, port)


@pytest.fixture
def client(link: Link) -> Iterator[ModbusBaseSyncClient]:
    with link.client() as opened:
        yield opened


# Exceptions.

ASKED: dict[str, Callable[[ModbusBaseSyncClient, int], ModbusPDU]] = {
    "1": lambda client, unit: client.read_coils(2040, count=100, device_id=unit),
    "2": lambda client, unit: client.read_discrete_inputs(2040, count=100, device_id=unit),
    "3": lambda client, unit: client.read_holding_registers(2040, count=100, device_id=unit),
    "4": lambda client, unit: client.read_input_registers(2040, count=100, device_id=unit),
    "5": lambda client, unit: client.write_coil(5000, True, device_id=unit),
    "6": lambda client, unit: client.write_register(5000, 1, device_id=unit),
    "15": lambda client, unit: client.write_coils(2040, [True] * 100, device_id=unit),
    "16": lambda client, unit: client.write_registers(2040, [1] * 100, device_id=unit),
    "20": lambda client, unit: client.read_file_record(
        [FileRecord(file_number=9, record_number=0, record_length=2)], device_id=unit
    ),
    "21": lambda client, unit: client.write_file_record(
        [FileRecord(file_number=9, record_number=0, record_data=b"\0\0")], device_id=unit
    ),
    "22": lambda client, unit: client.mask_write_register(address=5000, device_id=unit),
    "23 read": lambda client, unit: client.readwrite_registers(
        read_address=5000, read_count=1, write_address=0, values=[0], device_id=unit
    ),
    "23 write": lambda client, unit: client.readwrite_registers(
        read_address=0, read_count=1, write_address=5000, values=[0], device_id=unit
    ),
    "24": lambda client, unit: client.read_fifo_queue(address=1, device_id=unit),
    "43-14": lambda client, unit: client.read_device_information(
        read_code=4, object_id=0x90, device_id=unit
    ),
}


ALWAYS_ANSWERED: dict[str, Callable[[ModbusBaseSyncClient, int], ModbusPDU]] = {
    "7": lambda client, unit: client.read_exception_status(device_id=unit),
    "8": lambda client, unit: client.diag_query_data(b"\0\0", device_id=unit),
    "11": lambda client, unit: client.diag_get_comm_event_counter(device_id=unit),
    "12": lambda client, unit: client.diag_get_comm_event_log(device_id=unit),
    "17": lambda client, unit: client.report_device_id(device_id=unit),
}


@pytest.mark.parametrize("function", ASKED)
def test_illegal_data_address(client: ModbusBaseSyncClient, function: str) -> None:
    response = ASKED[function](client, 1)
    assert response.isError()
    assert response.exception_code == 2


@once
@pytest.mark.parametrize("function", [*ASKED, *ALWAYS_ANSWERED])
def test_every_function_can_be_refused(client: ModbusBaseSyncClient, function: str) -> None:
    response = (ASKED | ALWAYS_ANSWERED)[function](client, refusing_id(6))
    function_code = int(function.replace("-", " ").split()[0])
    assert (response.function_code, response.exception_code) == (function_code | 0x80, 6)


def test_every_exception(client: ModbusBaseSyncClient) -> None:
    for code in EXCEPTION_CODES:
        response = client.read_holding_registers(0, device_id=refusing_id(code))
        assert (response.function_code, response.exception_code) == (0x83, code)


def test_illegal_data_value(client: ModbusBaseSyncClient) -> None:
    """Requests that pymodbus refuses to send; this test makes it send them."""

    class TooMany(ReadHoldingRegistersRequest):
        MAX_COUNT = 126

    class TooManyCoils(WriteMultipleCoilsRequest):
        def encode(self) -> bytes:
            return bytes.fromhex("0000 07B1 F7") + bytes(247)

    class NeitherOnNorOff(WriteSingleCoilRequest):
        def encode(self) -> bytes:
            return bytes.fromhex("0000 1234")

    requests = [
        (TooMany(dev_id=1, count=126), 0x83),
        (TooManyCoils(dev_id=1), 0x8F),
        (NeitherOnNorOff(dev_id=1), 0x85),
    ]
    for request, function_code in requests:
        response = client.execute(False, request)
        assert (response.function_code, response.exception_code) == (function_code, 3)
    assert client.read_device_information(read_code=5).exception_code == 3


def test_unknown_function(client: ModbusBaseSyncClient) -> None:
    class Unknown(ReturnIopOverrunCountRequest):
        function_code = 65

        def encode(self) -> bytes:
            return b""

    response = client.execute(False, Unknown(dev_id=1))
    assert (response.function_code, response.exception_code) == (0xC1, 1)


@once
def test_missing_unit(link: Link) -> None:
    """A server must be silent for a missing unit: another device may respond."""
    with link.client(QUIET) as hasty, pytest.raises((ModbusException, TimeoutError)):
        hasty.read_coils(0, device_id=9)

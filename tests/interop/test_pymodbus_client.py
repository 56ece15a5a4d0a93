"""The clients of pymodbus 3.16 read and write our servers, on every link of both.

If pymodbus cannot read a response that the specification requires, the name of the test is
`..._limit`, its docstring describes the fault, and it checks the bytes that we sent.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from time import monotonic, sleep

import pytest

from modwire import ModbusPlusStatistics, crc16

from .adapters import Adapter, once
from .devices import (
    BUSY_REGISTER,
    EXTENDED,
    NAK_REGISTER,
    devices,
    serving,
)
from .peers import HAS_PYMODBUS

if HAS_PYMODBUS:
    from pymodbus import ModbusException
    from pymodbus.client.base import ModbusBaseSyncClient
    from pymodbus.pdu.device import ModbusControlBlock
    from pymodbus.pdu.file_message import FileRecord

from .pymodbus_link import LINKS, LONG, QUIET, Link, bits, good


@pytest.fixture(scope="module", params=LINKS)
def link(request: pytest.FixtureRequest, adapter: Adapter, pymodbus: None) -> Iterator[Link]:
    units = devices()
    with serving(adapter, units, request.param) as port:
        yield Link(request.param, units, port)


@pytest.fixture
def client(link: Link) -> Iterator[ModbusBaseSyncClient]:
    with link.client() as opened:
        yield opened


# Functions 1 to 6, 15, 16, 22 and 23.


def test_bits(client: ModbusBaseSyncClient, link: Link) -> None:
    expected = [index % 3 == 0 for index in range(600, 619)]
    assert bits(client.read_coils(600, count=19), 19) == expected
    expected = [index % 5 == 0 for index in range(2000)]
    assert bits(client.read_discrete_inputs(0, count=2000), 2000) == expected
    response = good(client.write_coil(20, True))
    assert (response.address, response.bits) == (20, [True])
    good(client.write_coil(21, False))
    assert link.unit.coils.read(20, 2) == (1, 0)
    values = [index % 7 == 0 for index in range(1968)]
    response = good(client.write_coils(30, values))
    assert (response.address, response.count) == (30, 1968)
    assert list(link.unit.coils.read(30, 1968)) == values


def test_registers(client: ModbusBaseSyncClient, link: Link) -> None:
    response = good(client.read_holding_registers(1000, count=125))
    assert response.registers == list(range(1000, 1125))
    response = good(client.read_input_registers(1000, count=125))
    assert response.registers == list(range(0x1000 + 1000, 0x1000 + 1125))
    response = good(client.write_register(20, 0xBEEF))
    assert (response.address, response.registers) == (20, [0xBEEF])
    values = list(range(50000, 50123))
    response = good(client.write_registers(30, values))
    assert (response.address, response.count) == (30, 123)
    assert list(link.unit.holding_registers.read(20, 1)) == [0xBEEF]
    assert list(link.unit.holding_registers.read(30, 123)) == values


def test_mask_write_register(client: ModbusBaseSyncClient, link: Link) -> None:
    good(client.write_register(200, 0x0012))
    response = good(client.mask_write_register(address=200, and_mask=0x00F2, or_mask=0x0025))
    assert (response.address, response.and_mask, response.or_mask) == (200, 0x00F2, 0x0025)
    assert list(link.unit.holding_registers.read(200, 1)) == [0x0017]


def test_read_write_registers(client: ModbusBaseSyncClient) -> None:
    values = list(range(40000, 40121))
    response = good(
        client.readwrite_registers(
            read_address=300, read_count=125, write_address=302, values=values
        )
    )
    assert response.registers == [300, 301, *values, 423, 424]


def test_broadcast_is_done_and_not_answered(client: ModbusBaseSyncClient, link: Link) -> None:
    if link.name in ("tcp", "udp"):
        # There is no broadcast here, and unit 0 is not served, so there is no response.
        client.close()
        with link.client(QUIET) as hasty, pytest.raises((ModbusException, TimeoutError)):
            hasty.write_register(500, 4711, device_id=0)
        assert link.unit.holding_registers.read(500, 1) == (500,)
        return
    client.write_register(500, 4711, device_id=0, no_response_expected=True)
    client.write_coils(500, [True, False, True], device_id=0, no_response_expected=True)
    # The broadcasts are done when a later request has its response.
    assert good(client.read_holding_registers(500)).registers == [4711]
    for unit in (link.units[1], link.units[2]):
        assert unit.holding_registers.read(500, 1) == (4711,)
        assert unit.coils.read(500, 3) == (1, 0, 1)


# Functions 7, 8, 11, 12 and 17.


def test_exception_status(client: ModbusBaseSyncClient) -> None:
    assert good(client.read_exception_status()).status == 0x6D


def test_query_data(client: ModbusBaseSyncClient) -> None:
    assert good(client.diag_query_data(b"\xa5\x37")).message == b"\xa5\x37"


@once
def test_query_data_of_many_words_limit(client: ModbusBaseSyncClient, link: Link) -> None:
    """pymodbus assumes 8 bytes for every RTU frame of function 8."""
    if not link.is_rtu:
        assert good(client.diag_query_data(b"a line test.")).message == b"a line test."
        return
    client.close()
    # On a stream our server waits half a second for the silence that ends such a request.
    refused_but_right(link, lambda hasty: hasty.diag_query_data(b"a test"), b"\x08\0\0a test")


def test_counters(client: ModbusBaseSyncClient, link: Link) -> None:
    """All count from the time of the last clear; the current request is included."""
    broadcasts = 0
    assert good(client.diag_clear_counters()).message == 0
    assert good(client.diag_read_diagnostic_register()).message == 0  # cleared too
    link.unit.diagnostic_register = 0x8234
    assert good(client.diag_read_diagnostic_register()).message == 0x8234
    assert good(client.diag_read_bus_message_count()).message == 3
    good(client.read_coils(0, device_id=2))
    assert good(client.diag_read_bus_message_count()).message == 5
    assert good(client.diag_read_device_message_count()).message == 5
    assert client.read_coils(5000).exception_code == 2
    assert client.write_register(BUSY_REGISTER, 0).exception_code == 6
    assert client.write_register(NAK_REGISTER, 0).exception_code == 7
    assert good(client.diag_read_bus_exception_error_count()).message == 3
    assert good(client.diag_read_device_busy_count()).message == 1
    assert good(client.diag_read_device_nak_count()).message == 1
    if link.name not in ("tcp", "udp"):
        broadcasts = 1
        client.write_coil(0, True, device_id=0, no_response_expected=True)
    assert good(client.diag_read_device_no_response_count()).message == broadcasts
    assert good(client.diag_read_bus_comm_error_count()).message == 0
    assert good(client.diag_read_bus_char_overrun_count()).message == 0
    link.unit.communication_error(overrun=True)
    assert good(client.diag_read_bus_comm_error_count()).message == 1
    assert good(client.diag_read_bus_char_overrun_count()).message == 1
    assert good(client.diag_clear_overrun_counter()).message == 0
    assert good(client.diag_read_bus_char_overrun_count()).message == 0
    assert good(client.diag_read_bus_comm_error_count()).message == 1
    good(client.diag_clear_counters())
    assert good(client.diag_read_bus_comm_error_count()).message == 0


def test_iop_overrun_count(client: ModbusBaseSyncClient, link: Link) -> None:
    """Sub-function 19 is reserved (section 6.8.1); it is another number for 18."""
    good(client.diag_clear_counters())
    link.unit.communication_error(overrun=True)
    assert good(client.diag_read_iop_overrun_count()).message == 1
    good(client.diag_clear_counters())


@once
def test_modbus_plus_statistics_limit(client: ModbusBaseSyncClient, link: Link) -> None:
    """On RTU pymodbus waits for the length of the statistics when it clears them, too."""
    statistics = tuple(range(1000, 1054))
    link.unit.modbus_plus_statistics = statistics
    response = good(client.diag_getclear_modbus_response(data=3))
    assert response.message == (3, 108, *statistics)
    if link.is_rtu:
        client.close()
        expected = struct.pack(">BHH", 8, 21, 4)
        refused_but_right(link, lambda hasty: hasty.diag_getclear_modbus_response(data=4), expected)
    else:
        assert good(client.diag_getclear_modbus_response(data=4)).message == 4
    assert link.unit.modbus_plus_statistics == ModbusPlusStatistics()


def test_comm_event_counter_and_log(client: ModbusBaseSyncClient, link: Link) -> None:
    good(client.diag_restart_communication(True))
    response = good(client.diag_get_comm_event_counter())
    assert (response.status, response.count) == (True, 0)
    good(client.read_coils(0))
    assert client.read_coils(5000).exception_code == 2
    response = good(client.diag_get_comm_event_log())
    assert (response.status, response.event_count, response.message_count) == (True, 1, 4)
    # The newest first: received; a refusal sent; received; sent; received; sent; received; restart.
    assert response.events == [0x80, 0x41, 0x80, 0x40, 0x80, 0x40, 0x80, 0x00]
    link.unit.busy = True
    assert good(client.diag_get_comm_event_counter()).status is False
    link.unit.busy = False
    good(client.diag_restart_communication(False))
    assert good(client.diag_get_comm_event_log()).events[:2] == [0x80, 0x00]


@once
def test_listen_only_mode(link: Link) -> None:
    """The unit is silent until communications are restarted, and silent for the restart too."""
    with link.client(QUIET) as hasty:
        assert hasty.diag_force_listen_only() is None
        for ask in (
            lambda: hasty.read_coils(0),
            lambda: hasty.diag_restart_communication(False),
        ):
            with pytest.raises((ModbusException, TimeoutError)):
                ask()
    give_up = monotonic() + LONG
    while link.unit.listen_only:  # the connection of the restart is already closed
        assert monotonic() < give_up
        sleep(0.001)
    with link.client() as client:
        assert bits(client.read_discrete_inputs(600), 1) == [True]


def test_ascii_input_delimiter(client: ModbusBaseSyncClient, link: Link) -> None:
    """pymodbus sends its default, a line feed, in the wrong byte: it must be the high one."""
    assert client.diag_change_ascii_input_delimeter().exception_code == 3
    own = ModbusControlBlock()

    def change(sending: bool, data: bytes) -> bytes:
        # After the request, the user of pymodbus must change the delimiter too.
        if sending:
            own.Delimiter = delimiter
        return data

    try:
        for delimiter in (b";", b"\n"):
            client.transaction.trace_packet = change
            good(client.diag_change_ascii_input_delimeter(delimiter=delimiter[0] << 8))
            client.transaction.trace_packet = lambda sending, data: data
            assert link.unit.ascii_delimiter == delimiter[0]
            assert bits(client.read_discrete_inputs(600), 1) == [True]
    finally:
        own.Delimiter = b"\n"


@pytest.mark.parametrize("running", [True, False])
def test_report_server_id(client: ModbusBaseSyncClient, link: Link, running: bool) -> None:
    """pymodbus uses the last byte as the run indicator, and all others as the id."""
    link.unit.run_indicator = running
    link.unit.additional_id_data = b""
    response = good(client.report_device_id())
    assert (response.identifier, response.status) == (b"\x2a", running)
    link.unit.additional_id_data = b"\x01"
    response = good(client.report_device_id())
    assert (response.identifier, response.status) == (
        b"\x2a\xff" if running else b"\x2a\x00",
        False,
    )


# Functions 20, 21, 24 and 43/14.


def test_files(client: ModbusBaseSyncClient, link: Link) -> None:
    records = [
        FileRecord(file_number=4, record_number=7, record_data=b"\x06\xaf\x04\xbe\x10\x0d"),
        FileRecord(file_number=1, record_number=9999, record_data=b"\x12\x34"),
    ]
    response = good(client.write_file_record(records))
    assert [record.record_data for record in response.records] == [
        b"\x06\xaf\x04\xbe\x10\x0d",
        b"\x12\x34",
    ]
    assert link.unit.files[4].read(7, 3) == (0x06AF, 0x04BE, 0x100D)
    wanted = [
        FileRecord(file_number=4, record_number=7, record_length=6),
        FileRecord(file_number=1, record_number=9999, record_length=2),
    ]
    response = good(client.read_file_record(wanted))
    assert [record.record_data for record in response.records] == [
        b"\x06\xaf\x04\xbe\x10\x0d",
        b"\x12\x34",
    ]


@once
def test_fifo_queue_limit(client: ModbusBaseSyncClient, link: Link) -> None:
    """pymodbus assumes an RTU frame with a queue to be two bytes shorter than it is."""
    if not link.is_rtu:
        assert good(client.read_fifo_queue(address=0x04DE)).values == [440, 4740]
        return
    client.close()
    expected = bytes.fromhex("18 0006 0002 01b8 1284")  # the example of section 6.18
    refused_but_right(link, lambda hasty: hasty.read_fifo_queue(address=0x04DE), expected)


@pytest.mark.parametrize(("read_code", "highest"), [(1, 2), (2, 6), (3, 0xFF)])
def test_device_identification(client: ModbusBaseSyncClient, read_code: int, highest: int) -> None:
    found: dict[int, bytes] = {}
    object_id = 0
    while True:
        response = good(client.read_device_information(read_code=read_code, object_id=object_id))
        assert (response.read_code, response.conformity) == (read_code, 0x83)
        found |= response.information
        if not response.more_follows:
            break
        assert response.next_object_id > object_id
        object_id = response.next_object_id
    assert found == {key: value for key, value in EXTENDED.items() if key <= highest}


def test_one_object_of_the_identification(client: ModbusBaseSyncClient) -> None:
    response = good(client.read_device_information(read_code=4, object_id=0x80))
    assert response.information == {0x80: b"x" * 200}


def refused_but_right(
    link: Link, ask: Callable[[ModbusBaseSyncClient], object], pdu: bytes
) -> None:
    """Check that pymodbus cannot decode our response, `pdu` in an RTU frame of unit 1."""
    body = b"\x01" + pdu
    adu = body + crc16(body).to_bytes(2, "little")
    longest = b""
    for timeout in (0.2, 1.0, 5.0, LONG):  # pymodbus waits for all of it, so begin with a short one
        link.received.clear()
        with link.client(timeout) as hasty, pytest.raises((ModbusException, TimeoutError)):
            ask(hasty)
        # pymodbus receives the frame in parts, and traces all bytes so far.
        longest = max(link.received, key=len, default=b"")
        if len(longest) >= len(adu):
            break
    assert longest == adu

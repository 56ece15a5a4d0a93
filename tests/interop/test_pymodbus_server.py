"""Our clients read and write a server of pymodbus 3.16, on every link of both.

If a response of pymodbus breaks the specification, the name of the test is `..._limit`, its
docstring describes the fault, and it checks the result of our client in that case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING

import pytest

from modwire import (
    ClientOptions,
    IllegalDataAddressError,
    IllegalDataValueError,
    IllegalFunctionError,
    InvalidResponseError,
    ModbusPlusStatistics,
    RawRequest,
    ResponseTimeoutError,
    ServerDeviceFailureError,
)
from pty_pair import PtyPair

from .adapters import Adapter, Link, once
from .peers import PymodbusServer

if TYPE_CHECKING:
    from modwire_sync import Client

LINKS = ["tcp", "udp", "rtu", "ascii", "rtu+tcp", "ascii+tcp"]
LONG = 20.0  # seconds that a busy machine may take to answer
SHORT = 0.2  # seconds to wait for a response that our client does not accept
QUIET = 0.1  # seconds to wait for an answer that will not come

Make = Callable[[ClientOptions], "AbstractContextManager[Client]"]


@pytest.fixture(scope="module", params=LINKS)
def server(request: pytest.FixtureRequest, pymodbus: None) -> Iterator[tuple[str, int | str]]:
    """The name of a link to a running server, and its port; shared by clients of all packages."""
    name: str = request.param
    framing, transport = Link.named(name)
    port: int | str
    with ExitStack() as stack:
        if transport == "serial":
            cable = stack.enter_context(PtyPair())
            stack.enter_context(PymodbusServer(transport, name, cable.left))
            port = cable.right
        else:
            framer = "socket" if framing.has_transactions else framing.name
            port = int(stack.enter_context(PymodbusServer(transport, framer)).port)
        yield name, port


@pytest.fixture(scope="module")
def link(server: tuple[str, int | str], adapter: Adapter) -> tuple[str, Make]:
    """The name of the link, and a function that makes a client for it."""
    name, port = server
    return name, lambda options: adapter.client(name, port, options)


@pytest.fixture
def client(link: tuple[str, Make]) -> Iterator[Client]:
    """A client that waits long enough for a busy machine."""
    _, make = link
    options = ClientOptions(response_timeout=LONG, late_reply_window=0.05, tolerance=0.05)
    with make(options) as opened:
        yield opened


@pytest.fixture
def retrying(link: tuple[str, Make]) -> Iterator[Client]:
    """A client that retries reads, because pymodbus may drop bytes after a rejected frame."""
    _, make = link
    options = ClientOptions(
        response_timeout=1.0, retries=19, late_reply_window=0.05, tolerance=0.05
    )
    with make(options) as opened:
        yield opened


# Functions 1 to 6, 15, 16, 22 and 23.


def test_bits(client: Client) -> None:
    assert client.read_coils(600, 19) == [index % 3 == 0 for index in range(600, 619)]
    assert client.read_discrete_inputs(600, 19) == [index % 5 == 0 for index in range(600, 619)]
    assert client.read_discrete_inputs(0, 2000) == [index % 5 == 0 for index in range(2000)]
    client.write_coil(101, True)
    client.write_coil(102, False)
    assert client.read_coils(101, 2) == [True, False]
    values = [index % 7 == 0 for index in range(1968)]
    client.write_coils(16, values)
    assert client.read_coils(16, 1968) == values
    client.write_coils(16, [index % 3 == 0 for index in range(16, 1984)])  # restores the values


def test_registers(client: Client) -> None:
    assert client.read_holding_registers(1900, 125) == list(range(1900, 2025))
    assert client.read_input_registers(1900, 125) == list(range(0x1000 + 1900, 0x1000 + 2025))
    client.write_register(10, 0xBEEF)
    assert client.read_holding_registers(10) == [0xBEEF]
    values = list(range(50000, 50123))
    client.write_registers(20, values)
    assert client.read_holding_registers(20, 123) == values


def test_mask_write_register(client: Client) -> None:
    client.write_register(300, 0x0012)
    client.mask_write_register(300, 0x00F2, 0x0025)
    assert client.read_holding_registers(300) == [0x0017]


def test_read_write_registers(client: Client) -> None:
    client.write_registers(400, [1, 2, 3, 4])
    assert client.read_write_registers(400, 4, 401, [7, 8]) == [1, 7, 8, 4]
    values = list(range(40000, 40121))
    assert client.read_write_registers(400, 125, 404, values) == [1, 7, 8, 4, *values]


def test_broadcast_reaches_all_units(link: tuple[str, Make], retrying: Client) -> None:
    """On a busy machine pymodbus reads the next request together with it, and drops the next."""
    name, _ = link
    if name in ("tcp", "udp"):
        # There unit 0 is the server itself and must respond; pymodbus treats it as a broadcast.
        with pytest.raises(ResponseTimeoutError):
            retrying.write_register(500, 4711, unit=0, timeout=QUIET)
    else:
        retrying.write_register(500, 4711, unit=0)
    assert retrying.read_holding_registers(500, unit=1) == [4711]
    assert retrying.read_holding_registers(500, unit=2) == [4711]


# Functions 7, 8, 11, 12 and 17.


def test_exception_status(client: Client) -> None:
    assert 0 <= client.read_exception_status() <= 255


def test_query_data(client: Client) -> None:
    assert client.return_query_data(0xA537) == [0xA537]


@once
def test_query_data_of_many_words_limit(link: tuple[str, Make], retrying: Client) -> None:
    """pymodbus assumes 8 bytes for every RTU frame of function 8, and drops longer ones."""
    name, _ = link
    if name.startswith("rtu"):
        request = RawRequest(8, bytes.fromhex("0000 0001 0002 0003"))
        with pytest.raises(ResponseTimeoutError):
            retrying.call(request, timeout=SHORT)
    else:
        assert retrying.return_query_data([1, 2, 3], timeout=LONG) == [1, 2, 3]
    assert retrying.read_holding_registers(11) == [11]


def test_restart_communications(client: Client) -> None:
    client.restart_communications()
    client.restart_communications(clear_log=True)


def test_diagnostic_register(client: Client) -> None:
    assert client.return_diagnostic_register() == 0


def test_ascii_input_delimiter(client: Client) -> None:
    """A device accepts it on any link, also if frames do not end with a delimiter."""
    client.change_ascii_input_delimiter("\n")
    assert client.read_holding_registers(11) == [11]


def test_ascii_input_delimiter_is_changed(adapter: Adapter, pymodbus: None) -> None:
    """The response to this request already ends with the new delimiter."""
    with (
        PymodbusServer("tcp", "ascii") as server,
        adapter.client(
            "ascii+tcp", int(server.port), ClientOptions(response_timeout=LONG)
        ) as client,
    ):
        for delimiter in (";", "\n"):
            client.change_ascii_input_delimiter(delimiter)
            assert client.read_holding_registers(11) == [11]


def test_counters(client: Client) -> None:
    client.clear_counters()
    readings = [
        client.return_bus_message_count(),
        client.return_bus_communication_error_count(),
        client.return_bus_exception_error_count(),
        client.return_server_message_count(),
        client.return_server_no_response_count(),
        client.return_server_nak_count(),
        client.return_server_busy_count(),
        client.return_bus_character_overrun_count(),
        client.return_iop_overrun_count(),
    ]
    assert readings == [0] * 9, "pymodbus counts nothing"
    client.clear_overrun_counter()


def test_modbus_plus_statistics(client: Client) -> None:
    """The statistics have 54 words in the documents of Modicon; pymodbus sends 55."""
    assert client.get_modbus_plus_statistics() == ModbusPlusStatistics()
    client.clear_modbus_plus_statistics()


def test_comm_event_counter_and_log(client: Client) -> None:
    counter = client.get_comm_event_counter()
    assert (counter.status, counter.event_count) == (0, 0)
    log = client.get_comm_event_log()
    assert (log.status, log.event_count, log.message_count) == (0, 0, 0)
    assert log.events == b""


@once
def test_listen_only_mode_limit(link: tuple[str, Make], client: Client) -> None:
    """pymodbus responds to it, which the specification forbids, and to later requests."""
    client.force_listen_only_mode()
    assert client.read_holding_registers(11, 3) == [11, 12, 13]
    assert client.read_holding_registers(11, 3) == [11, 12, 13]
    client.restart_communications()


def test_report_server_id(client: Client) -> None:
    name = b"Pump Works-PW-7-3.16"
    answer = client.report_server_id(len(name))
    assert (answer.server_id, answer.run_indicator, answer.additional_data) == (name, True, b"")
    assert client.report_server_id() == answer


# Functions 20, 21, 24 and 43/14.


def test_read_file_record(client: Client) -> None:
    """pymodbus has no files: every record is these ten registers."""
    record = [0x5345, 0x5256, 0x4552, 0x2044, 0x554D, 0x4D59, 0x2052, 0x4543, 0x4F52, 0x442E]
    assert client.read_file_record(4, 1, 10) == record
    assert client.read_file_records([(4, 1, 10), (3, 9, 10)]) == [record, record]


@once
def test_read_file_record_of_another_length_limit(client: Client) -> None:
    """pymodbus always returns ten registers; a user who reads four must not get them."""
    with pytest.raises(InvalidResponseError, match="asked for"):
        client.read_file_record(4, 1, 4, timeout=1.0)
    assert client.read_holding_registers(11) == [11]


def test_write_file_record(client: Client) -> None:
    client.write_file_record(4, 7, [0x06AF, 0x04BE, 0x100D])
    client.write_file_records([(4, 7, [1]), (5, 9999, [2])])


def test_read_fifo_queue(client: Client) -> None:
    """pymodbus has no queues: each has these four registers."""
    assert client.read_fifo_queue(0x04DE) == [0, 1, 2, 3]


def test_read_device_identification(client: Client) -> None:
    basic = {0: b"Pump Works", 1: b"PW-7", 2: b"3.16"}
    regular = {3: b"https://pump.example", 4: b"Pump", 5: b"Seven", 6: b"Well"}
    assert client.read_device_identification(1) == basic
    assert client.read_device_identification(2) == basic | regular
    assert client.read_device_identification(4, 1) == {1: b"PW-7"}


@once
def test_canopen_general_reference_limit(link: tuple[str, Make], retrying: Client) -> None:
    """pymodbus does not support it: it responds 01, or nothing on RTU (unknown length)."""
    name, _ = link
    if name.startswith("rtu"):
        with pytest.raises(ResponseTimeoutError):
            retrying.canopen_general_reference(b"\x01\x02", timeout=SHORT)
    else:
        with pytest.raises(IllegalFunctionError):
            retrying.canopen_general_reference(b"\x01\x02", timeout=LONG)
    assert retrying.read_holding_registers(11) == [11]


# Exceptions.


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.read_coils(2040, 100),
        lambda client: client.read_discrete_inputs(2040, 100),
        lambda client: client.read_holding_registers(2040, 100),
        lambda client: client.read_input_registers(2040, 100),
        lambda client: client.write_coil(5000, True),
        lambda client: client.write_register(5000, 1),
        lambda client: client.write_coils(2040, [True] * 100),
        lambda client: client.write_registers(2040, [1] * 100),
        lambda client: client.mask_write_register(5000, 1, 2),
        lambda client: client.read_write_registers(0, 1, 5000, [1]),
        lambda client: client.read_write_registers(5000, 1, 0, [0]),
        lambda client: client.read_device_identification(4, 0x50),
    ],
    ids=["1", "2", "3", "4", "5", "6", "15", "16", "22", "23 write", "23 read", "43-14"],
)
def test_illegal_data_address(client: Client, ask: Callable[[Client], object]) -> None:
    with pytest.raises(IllegalDataAddressError):
        ask(client)


def test_illegal_data_value(client: Client) -> None:
    with pytest.raises(IllegalDataValueError):
        client.call(RawRequest(16, bytes.fromhex("0000 0002 03 010203")))
    with pytest.raises(IllegalDataValueError):
        client.call(RawRequest(43, bytes.fromhex("0e 09 00")))


def test_missing_unit_limit(client: Client) -> None:
    """pymodbus responds 04 for another unit; a serial device must be silent."""
    with pytest.raises(ServerDeviceFailureError):
        client.read_coils(0, unit=9)


def test_unknown_function_limit(link: tuple[str, Make], retrying: Client) -> None:
    """pymodbus refuses function 0 instead of the requested one; on RTU it is silent.

    On RTU it drops the next request too, so that a read without retries would fail.
    """
    name, _ = link
    if name.startswith("rtu"):
        with pytest.raises(ResponseTimeoutError):
            retrying.call(RawRequest(65, b""), timeout=QUIET)
    else:
        with pytest.raises(InvalidResponseError):
            retrying.call(RawRequest(65, b""), timeout=1.0)
    assert retrying.read_holding_registers(11) == [11]

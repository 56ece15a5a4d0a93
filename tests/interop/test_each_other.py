"""The clients of all our packages with the servers of all, on every kind of link."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

import pytest

from modwire import (
    IllegalDataAddressError,
    IllegalDataValueError,
    IllegalFunctionError,
    RawRequest,
    ResponseTimeoutError,
    SequentialBlock,
    ServerDeviceFailureError,
    Unit,
    Units,
)

from .adapters import ADAPTERS, SYNC, Adapter, Link
from .devices import EXTENDED, LINKS, OPTIONS, PATIENCE, QUIET, devices, refusing_id, serving

if TYPE_CHECKING:
    from modwire import Response
    from modwire.messages.base import AnyRequest
    from modwire_sync import Client

SLOW = 20  # the id of the unit that blocks


class SlowUnit(Unit):
    """Responds when the test lets it, so that other units can respond before."""

    def __init__(self) -> None:
        super().__init__(holding_registers=SequentialBlock(0, [0x51, 0x52]), blocking=True)
        self.has_begun = threading.Event()
        self.may_end = threading.Event()

    def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        if not broadcast:
            self.has_begun.set()
            assert self.may_end.wait(PATIENCE)
        return super().execute(request, broadcast=broadcast)


class Served(NamedTuple):
    """A running server."""

    link: str
    units: Units
    port: int | str

    @property
    def is_serial(self) -> bool:
        return Link.named(self.link).transport == "serial"


@pytest.fixture(scope="module", params=LINKS)
def served(request: pytest.FixtureRequest, adapter: Adapter) -> Iterator[Served]:
    units = devices()
    units[SLOW] = SlowUnit()
    with serving(adapter, units, request.param) as port:
        yield Served(request.param, units, port)


@pytest.fixture(params=ADAPTERS, ids=lambda each: f"by {each}")
def client(request: pytest.FixtureRequest, served: Served) -> Iterator[Client]:
    asker: Adapter = request.param
    with asker.client(served.link, served.port, OPTIONS) as opened:
        yield opened


def test_bits(client: Client, served: Served) -> None:
    """Functions 1, 2, 5 and 15, up to the limits of one request."""
    coils = served.units[1].coils
    coils[600:620] = [index % 3 == 0 for index in range(600, 620)]
    assert client.read_coils(600, 19) == [index % 3 == 0 for index in range(600, 619)]
    assert client.read_discrete_inputs(0, 2000) == [index % 5 == 0 for index in range(2000)]
    client.write_coil(20, True)
    client.write_coil(21, False)
    assert coils.read(20, 2) == (1, 0)
    values = [index % 7 == 0 for index in range(1968)]
    client.write_coils(30, values)
    assert client.read_coils(30, 1968) == values


def test_registers(client: Client, served: Served) -> None:
    """Functions 3, 4, 6 and 16, up to the limits of one request."""
    registers = served.units[1].holding_registers
    assert client.read_holding_registers(1000, 125) == list(range(1000, 1125))
    assert client.read_input_registers(1000, 125) == list(range(0x1000 + 1000, 0x1000 + 1125))
    client.write_register(20, 0xBEEF)
    assert registers.read(20, 1) == (0xBEEF,)
    registers[30:153] = [0] * 123
    values = list(range(50000, 50123))
    client.write_registers(30, values)
    assert client.read_holding_registers(30, 123) == values


def test_register_operations(client: Client) -> None:
    """Functions 22, 23 and 24."""
    client.write_register(200, 0x0012)
    client.mask_write_register(200, 0x00F2, 0x0025)
    assert client.read_holding_registers(200) == [0x0017]
    client.write_registers(300, [1, 2, 3, 4])
    values = list(range(40000, 40121))
    assert client.read_write_registers(300, 125, 302, values) == [1, 2, *values, 423, 424]
    assert client.read_fifo_queue(0x04DE) == [440, 4740]


def test_files(client: Client) -> None:
    """Functions 20 and 21."""
    client.write_file_record(4, 7, [0, 0, 0])
    client.write_file_records([(4, 7, [0x06AF, 0x04BE, 0x100D]), (1, 9999, [0x1234])])
    assert client.read_file_record(4, 8, 2) == [0x04BE, 0x100D]
    assert client.read_file_records([(4, 7, 1), (1, 9999, 1)]) == [[0x06AF], [0x1234]]


def test_diagnostics(client: Client) -> None:
    """Functions 7, 8, 11 and 12."""
    assert client.read_exception_status() == 0x6D
    client.clear_counters()
    assert client.return_bus_message_count() == 1
    client.restart_communications(clear_log=True)
    assert client.get_comm_event_counter().event_count == 0
    client.read_coils(0)
    log = client.get_comm_event_log()
    assert (log.event_count, log.message_count) == (1, 3)
    # The newest first: this was received; sent; received; sent; received; the restart.
    assert list(log.events) == [0x80, 0x40, 0x80, 0x40, 0x80, 0x00]


def test_identity(client: Client) -> None:
    """Functions 17 and 43/14; 43/14 needs several responses."""
    answer = client.report_server_id()
    assert (answer.server_id, answer.run_indicator) == (b"\x2a", True)
    assert answer.additional_data == b"Seven"
    assert client.read_device_identification(3) == EXTENDED
    assert client.read_device_identification(4, 1) == {1: EXTENDED[1]}


def test_exceptions(client: Client) -> None:
    with pytest.raises(IllegalDataAddressError):
        client.read_holding_registers(2040, 100)
    with pytest.raises(IllegalDataAddressError):
        client.write_coils(2047, [True, False])
    with pytest.raises(IllegalDataValueError):
        client.call(RawRequest(16, bytes.fromhex("0000 0002 03 010203")))
    with pytest.raises(ServerDeviceFailureError):
        client.read_coils(0, unit=refusing_id(4))
    assert client.read_discrete_inputs(600) == [True]


@pytest.mark.parametrize("asker", ADAPTERS, ids=lambda each: f"by {each}")
def test_many_callers_of_one_client(served: Served, asker: Adapter) -> None:
    """Each caller gets its own answer, with 16 requests in flight if the link allows it."""
    options = OPTIONS.replace(max_in_flight=16)
    with asker.client(served.link, served.port, options) as client:

        def ask(first: int) -> list[list[int]]:
            return [client.read_input_registers(first + index, 2) for index in range(2)]

        answers = asker.at_once([partial(ask, 100 * caller) for caller in range(16)])
    for caller, answer in enumerate(answers):
        expected = [0x1000 + 100 * caller + index for index in range(3)]
        assert answer == [expected[index : index + 2] for index in range(2)]


def test_silence(served: Served, adapter: Adapter) -> None:
    """A missing unit is silent, and so is a unit in listen-only mode until it is restarted."""
    with adapter.client(served.link, served.port, OPTIONS) as client:
        with pytest.raises(ResponseTimeoutError):
            client.read_coils(0, unit=9, timeout=QUIET)
        client.force_listen_only_mode(timeout=QUIET)
        with pytest.raises(ResponseTimeoutError):
            client.restart_communications(timeout=QUIET)
        assert client.read_discrete_inputs(600) == [True]


def test_requests_of_unknown_length(served: Served, adapter: Adapter) -> None:
    """With RTU a silence ends them; servers on TCP wait half a second for it."""
    with adapter.client(served.link, served.port, OPTIONS) as client:
        assert client.return_query_data([0xA537, 1, 2]) == [0xA537, 1, 2]
        with pytest.raises(IllegalFunctionError):
            client.call(RawRequest(65, b"\x01\x02"))
        assert client.read_discrete_inputs(600) == [True]


def test_broadcast(client: Client, served: Served) -> None:
    """There is no broadcast on TCP and UDP."""
    if served.link in ("tcp", "udp", "unix"):
        return
    for unit in (1, 2):
        served.units[unit].holding_registers[500] = 0
    client.write_register(500, 4711, unit=0)
    # One unit blocks, so the broadcast is executed in the background.
    give_up = monotonic() + PATIENCE
    while [client.read_holding_registers(500, unit=unit) for unit in (1, 2)] != [[4711]] * 2:
        assert monotonic() < give_up, "it did not reach both units"


def test_unit_that_blocks(client: Client, served: Served) -> None:
    """It may be slow, and delays no other connection; a serial line has only one."""
    slow = served.units[SLOW]
    assert isinstance(slow, SlowUnit)
    slow.has_begun.clear()
    slow.may_end.clear()

    def look() -> list[int]:
        try:
            assert slow.has_begun.wait(PATIENCE)
            if served.is_serial:
                return [1000]
            with SYNC.client(served.link, served.port, OPTIONS) as other:
                found: list[int] = other.read_holding_registers(1000)
                return found
        finally:
            slow.may_end.set()

    with ThreadPoolExecutor(1) as pool:
        seen = pool.submit(look)
        assert client.read_holding_registers(0, 2, unit=SLOW) == [0x51, 0x52]
        assert seen.result(PATIENCE) == [1000]

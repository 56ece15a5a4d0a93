"""`Gateway`: peers of all kinds reach the devices on a serial line, and get responses."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import pytest

from modwire import (
    ExceptionResponseError,
    GatewayTargetFailedError,
    RawRequest,
    RawResponse,
    ResponseTimeoutError,
)
from modwire_sync import TcpClient

from .adapters import Adapter
from .devices import OPTIONS, PATIENCE, QUIET, serving
from .mbpoll import Mbpoll
from .peers import HAS_PYMODBUS

if HAS_PYMODBUS:
    from pymodbus.client import ModbusTcpClient, ModbusUdpClient

from .serial_bus import ODD_CODE, TIMEOUT, Bus, Device, gate, new_bus

CROWD = Path(__file__).parents[1] / "helpers" / "crowd.py"


class Gated(NamedTuple):
    """A gateway on TCP, at `port`, and the devices behind it."""

    port: int
    devices: dict[int, Device]


@pytest.fixture(scope="module")
def gated(adapter: Adapter) -> Iterator[Gated]:
    with new_bus() as made, gate(adapter, made) as number:
        yield Gated(int(number), made.devices)


# Peers.


@pytest.mark.usefixtures("_mbpoll")
def test_mbpoll_reads_and_writes_two_devices(gated: Gated) -> None:
    mbpoll = Mbpoll("tcp", gated.port)
    for unit, first in ((1, 0), (2, 1000)):
        expected = {index: str(first + index) for index in range(20)}
        assert mbpoll.read("-t", "4", "-r", "0", "-c", "20", unit=unit) == expected
        mbpoll.write("-t", "4", "-r", "90", "--", str(7 + unit), "9", unit=unit)
        assert gated.devices[16 + unit].holding_registers.read(90, 2) == (7 + unit, 9)
    assert "failed: Illegal data address" in mbpoll.run("-t", "4", "-r", "5000").stderr
    assert "failed: Gateway path unavailable" in mbpoll.run("-t", "4", unit=4).stderr


@pytest.mark.usefixtures("pymodbus")
@pytest.mark.parametrize("link", ["tcp", "udp"])
def test_pymodbus_reads_and_writes_two_devices(adapter: Adapter, bus: Bus, link: str) -> None:
    kind = ModbusTcpClient if link == "tcp" else ModbusUdpClient
    with (
        gate(adapter, bus, link) as number,
        kind("127.0.0.1", port=int(number), timeout=PATIENCE, retries=0) as client,
    ):
        for unit, first in ((1, 0), (2, 1000)):
            found = client.read_holding_registers(3, count=5, device_id=unit)
            assert found.registers == list(range(first + 3, first + 8))
            assert not client.write_register(80, 40 + unit, device_id=unit).isError()
            assert bus.devices[16 + unit].holding_registers.read(80, 1) == (40 + unit,)
        assert client.read_holding_registers(5000, device_id=1).exception_code == 2
        assert client.read_holding_registers(0, device_id=4).exception_code == 0x0A


def test_32_clients_get_their_own_answers(gated: Gated) -> None:
    """Each connection sends 10 requests; each response has its transaction id and value."""
    ran = subprocess.run(
        [sys.executable, CROWD, str(gated.port), "32", "10"],
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE,
    )
    assert (ran.stderr, ran.stdout.strip()) == ("", "320")


def test_exceptions_and_unknown_functions_pass_untouched(gated: Gated) -> None:
    with TcpClient("127.0.0.1", gated.port, options=OPTIONS) as client:
        with pytest.raises(ExceptionResponseError) as caught:
            client.write_coil(0, True)
        assert caught.value.code == ODD_CODE
        assert client.call(RawRequest(100, b"\1\2\3")) == RawResponse(100, b"\3\2\1")
        with pytest.raises(ExceptionResponseError) as caught:
            client.call(RawRequest(101))
        assert caught.value.code == 1
        assert isinstance(caught.value.request, RawRequest)


def test_a_broadcast_reaches_all_devices_once_and_is_not_answered(gated: Gated) -> None:
    asked = [device.asked for device in gated.devices.values()]
    with TcpClient("127.0.0.1", gated.port, options=OPTIONS) as client:
        with pytest.raises(ResponseTimeoutError):
            client.call(RawRequest(6, struct.pack(">HH", 70, 4711)), unit=0, timeout=QUIET)
        assert [client.read_holding_registers(70, unit=unit) for unit in (1, 2, 3)] == [[4711]] * 3
        assert [device.asked for device in gated.devices.values()] == [each + 2 for each in asked]
        with pytest.raises(ExceptionResponseError) as caught:
            client.read_holding_registers(70, unit=0)
        assert caught.value.code == 0x0A


# Clients that take turns.


def read_frame(unit: int, address: int) -> bytes:
    """Return a request for one register; its transaction id is the address."""
    return struct.pack(">HHHBBHH", address, 0, 6, unit, 3, address, 1)


def received(link: socket.socket, size: int) -> bytes:
    """Return `size` bytes from a stream, or fewer if it ends."""
    data = b""
    while len(data) < size and (piece := link.recv(size - len(data))):
        data += piece
    return data


def test_a_flood_on_udp_does_not_starve_others(adapter: Adapter, bus: Bus) -> None:
    """Requests beyond its queue are refused with 06, and other clients get their turns."""
    order: list[int] = []
    flooded, other = bus.devices[17], bus.devices[18]
    flooded.on_asked = lambda: order.append(17)
    other.on_asked = lambda: order.append(18)
    flooded.may_answer.clear()
    with gate(adapter, bus, "udp") as number, ExitStack() as stack:
        stack.callback(flooded.may_answer.set)
        flood, polite = (
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in "ab"
        )
        for each in (flood, polite):
            each.connect(("127.0.0.1", int(number)))
            each.settimeout(PATIENCE)
        for address in range(60):
            flood.send(read_frame(1, address))
        # One is on the line, 16 wait, and all the others are refused.
        refused = [flood.recv(99) for _ in range(60 - 17)]
        assert [each[7:] for each in refused] == [b"\x83\x06"] * (60 - 17)
        polite.send(read_frame(2, 5))
        flooded.may_answer.set()
        assert polite.recv(99)[-2:] == struct.pack(">H", 1005)
        served = {flood.recv(99) for _ in range(17)}
        assert len(served) == 17
        assert all(each[-2:] == each[:2] for each in served), "its own answer to each"
        # It arrived while one was on the line, so at most a few of the waiting ones came first.
        assert 18 in order[:6]


def test_peers_of_one_name_are_several_clients(adapter: Adapter, bus: Bus) -> None:
    """On a Unix socket all have its path as name; one shared queue would be full at once."""
    with gate(adapter, bus, "unix", queue=1) as path, ExitStack() as stack:
        links = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(6)]
        for link in links:
            link.settimeout(PATIENCE)
            link.connect(str(path))
            link.sendall(read_frame(1, 5))
        assert [received(link, 11)[7:] for link in links] == [b"\x03\x02\x00\x05"] * 6


@contextmanager
def gate_with_dead(adapter: Adapter, bus: Bus) -> Iterator[int | str]:
    """Yield the port of a gateway; only unit 3 has `TIMEOUT`, as a busy machine may be late."""
    behind = adapter.gateway("rtu", bus.port, {1: 17, 2: 18}, OPTIONS, pause=0.5)
    behind.units.add_line(behind.client, {3: 19}, timeout=TIMEOUT)
    with serving(adapter, behind.units, "tcp", remotes=(behind,)) as port:
        yield port


class Caller:
    """A client that makes calls until `ended`; `count` calls have returned."""

    def __init__(self, call: Callable[[], object], ended: threading.Event) -> None:
        self.count = 0
        self._call = call
        self._ended = ended

    def run(self) -> None:
        while not self._ended.is_set():
            self._call()
            self.count += 1
            self._ended.wait(0.005)  # all share this process with the gateway


def test_the_living_are_served_while_a_dead_unit_is_tried_again(adapter: Adapter, bus: Bus) -> None:
    """Four clients read the dead unit, and one client reads each of the two other units.

    `core/test_gateway_line.py` tests the delay that a dead unit causes, without a clock.
    """
    bus.devices[19].is_dead = True
    asked = bus.devices[19].asked
    ended = threading.Event()
    try:
        with (
            gate_with_dead(adapter, bus) as number,
            ThreadPoolExecutor(6) as pool,
            ExitStack() as stack,
        ):
            clients = [
                stack.enter_context(TcpClient("127.0.0.1", int(number), options=OPTIONS))
                for _ in range(6)
            ]

            def read(client: TcpClient, unit: int) -> Callable[[], object]:
                return lambda: client.read_holding_registers(0, unit=unit)

            def read_dead(client: TcpClient) -> None:
                with pytest.raises(GatewayTargetFailedError):
                    client.read_holding_registers(0, unit=3)

            stack.callback(ended.set)
            living = [
                Caller(read(client, unit), ended) for unit, client in enumerate(clients[:2], 1)
            ]
            dead = [Caller(partial(read_dead, client), ended) for client in clients[2:]]
            running = [pool.submit(each.run) for each in (*living, *dead)]

            def goes_on() -> bool:
                tries = bus.devices[19].asked - asked
                return (
                    tries >= 2  # found dead, and probed again
                    and all(each.count >= 10 for each in living)
                    # Most get a response at once, without using the line.
                    and sum(each.count for each in dead) > 5 * tries
                )

            give_up = monotonic() + PATIENCE
            while not goes_on():
                assert monotonic() < give_up, [each.count for each in (*living, *dead)]
                ended.wait(0.01)
            ended.set()
            for each in running:
                each.result(PATIENCE)
    finally:
        bus.devices[19].is_dead = False


def test_a_unit_that_is_back_is_served_again(adapter: Adapter, bus: Bus) -> None:
    bus.devices[19].is_dead = True
    with (
        gate(adapter, bus, timeout=TIMEOUT, pause=0.05) as number,
        TcpClient("127.0.0.1", int(number), options=OPTIONS) as client,
    ):
        with pytest.raises(GatewayTargetFailedError):
            client.read_holding_registers(0, unit=3)
        bus.devices[19].is_dead = False
        give_up = monotonic() + PATIENCE
        while True:
            try:
                assert client.read_holding_registers(0, unit=3) == [2000]
                break
            except GatewayTargetFailedError:
                assert monotonic() < give_up, "it is never tried again"


def test_shutdown_ends_while_requests_wait(adapter: Adapter, bus: Bus) -> None:
    """The request on the line may end within the grace time; waiting requests end too."""
    bus.devices[17].is_dead = True
    try:
        with ExitStack() as stack:
            with gate(adapter, bus, timeout=TIMEOUT) as number:
                asked = bus.devices[17].asked
                links: list[socket.socket] = []
                for _ in range(8):
                    link = socket.create_connection(("127.0.0.1", int(number)), PATIENCE)
                    links.append(stack.enter_context(link))
                    link.sendall(read_frame(1, 5))
                give_up = monotonic() + PATIENCE
                while bus.devices[17].asked == asked:
                    assert monotonic() < give_up, "the device is not asked"
            answers: list[bytes] = []
            for link in links:
                with suppress(ConnectionResetError):  # it was closed before it was read
                    answers.append(received(link, 9)[7:])
            assert set(answers) <= {b"\x83\x0b", b""}
            assert b"\x83\x0b" in answers
    finally:
        bus.devices[17].is_dead = False

"""`Gateway`: peers of all kinds reach the devices on a serial line, and the other way round."""

from __future__ import annotations

import shutil
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
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from modwire import (
    Decoder,
    ExceptionResponse,
    ExceptionResponseError,
    GatewayPathUnavailableError,
    GatewayTargetFailedError,
    IllegalDataAddressError,
    RawRequest,
    RawResponse,
    Response,
    ResponseTimeoutError,
    SequentialBlock,
    ServerOptions,
    Unit,
    Units,
)
from modwire_sync import SerialClient, SerialServer, TcpClient

from .adapters import SYNC, Adapter, Gate
from .devices import OPTIONS, PATIENCE, QUIET, serving
from .mbpoll import Mbpoll
from .peers import HAS_PYMODBUS
from .pty_pair import PtyPair

if TYPE_CHECKING:
    from modwire.messages.base import AnyRequest

    from ..conftest import RequirePeer

if HAS_PYMODBUS:
    from pymodbus.client import ModbusSerialClient, ModbusTcpClient, ModbusUdpClient

CROWD = Path(__file__).parents[1] / "helpers" / "crowd.py"
TIMEOUT = 0.4  # seconds that a device on the line has
ODD_CODE = 0x42  # an exception code that no document has

# A pseudo-terminal knows nothing but 8 bits, and no parity.
LINE: dict[str, Any] = {"baudrate": 115200, "bytesize": 8, "parity": "N"}


class Device(Unit):
    """A device on the line, with registers that hold their addresses from `first` on."""

    def __init__(self, first: int) -> None:
        super().__init__(holding_registers=SequentialBlock(0, range(first, first + 100)))
        self.is_dead = False
        self.asked = 0
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.on_asked: Callable[[], None] = lambda: None

    def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        self.asked += 1
        self.on_asked()
        assert self.may_answer.wait(PATIENCE)
        if self.is_dead:
            return None
        if request.function_code == 5:
            return ExceptionResponse(5, ODD_CODE)
        return super().execute(request, broadcast=broadcast)


class PeakRequest(RawRequest):
    """A function that only the device knows."""

    function_code = 100

    def __init__(self, data: bytes) -> None:
        super().__init__(100, data)

    @classmethod
    def decode(cls, pdu: bytes) -> PeakRequest:
        return cls(pdu[1:])

    def execute(self, unit: Unit) -> RawResponse:
        return RawResponse(100, self.data[::-1])


class Bus:
    """A serial line with the devices 17, 18 and 19 on it; the gateway opens `port`."""

    def __init__(self, port: str, devices: dict[int, Device]) -> None:
        self.port = port
        self.devices = devices


@contextmanager
def new_bus() -> Iterator[Bus]:
    devices = {17: Device(0), 18: Device(1000), 19: Device(2000)}
    decoder = Decoder()
    decoder.register(PeakRequest)
    with PtyPair() as cable:
        options = ServerOptions(decoder=decoder)
        with SerialServer(Units(devices), cable.left, options=options, **LINE):
            yield Bus(cable.right, devices)


@pytest.fixture(scope="module")
def bus() -> Iterator[Bus]:
    """A line that one gateway after the other opens."""
    with new_bus() as made:
        yield made


@contextmanager
def gate(
    adapter: Adapter, bus: Bus, link: str = "tcp", timeout: float = PATIENCE / 2, **arguments: Any
) -> Iterator[int | str]:
    """A server of `adapter` on a link, whose units 1, 2 and 3 are the devices."""
    options = OPTIONS.replace(response_timeout=timeout)
    behind = adapter.gateway("rtu", bus.port, {1: 17, 2: 18, 3: 19}, options, **arguments)
    with serving(adapter, behind.units, link, remotes=(behind,)) as port:
        yield port


class Gated(NamedTuple):
    """A gateway on TCP, at `port`, and the devices behind it."""

    port: int
    devices: dict[int, Device]


@pytest.fixture(scope="module")
def gated(adapter: Adapter) -> Iterator[Gated]:
    with new_bus() as made, gate(adapter, made) as number:
        yield Gated(int(number), made.devices)


@pytest.fixture(scope="session")
def _mbpoll(require_peer: RequirePeer) -> None:
    require_peer("mbpoll", shutil.which("mbpoll") is not None, "apt-get install mbpoll")


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
    """Every answer has the transaction and the value of its request; each connection asks 10."""
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
    """A request for one register, whose transaction is its address."""
    return struct.pack(">HHHBBHH", address, 0, 6, unit, 3, address, 1)


def received(link: socket.socket, size: int) -> bytes:
    """`size` bytes from a stream, or fewer where it ends."""
    data = b""
    while len(data) < size and (piece := link.recv(size - len(data))):
        data += piece
    return data


def test_a_flood_on_udp_does_not_starve_others(adapter: Adapter, bus: Bus) -> None:
    """Requests beyond its queue are refused with 06, and others have their turn in between."""
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
        # One is with the device, 16 wait, and all the others are refused.
        refused = [flood.recv(99) for _ in range(60 - 17)]
        assert [each[7:] for each in refused] == [b"\x83\x06"] * (60 - 17)
        polite.send(read_frame(2, 5))
        flooded.may_answer.set()
        assert polite.recv(99)[-2:] == struct.pack(">H", 1005)
        served = {flood.recv(99) for _ in range(17)}
        assert len(served) == 17
        assert all(each[-2:] == each[:2] for each in served), "its own answer to each"
        # It came while one was with the device, so at most a few of those that waited came first.
        assert 18 in order[:6]


def test_peers_of_one_name_are_several_clients(adapter: Adapter, bus: Bus) -> None:
    """On a Unix socket all have its path for a name; one queue for all would be full at once."""
    with gate(adapter, bus, "unix", queue=1) as path, ExitStack() as stack:
        links = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(6)]
        for link in links:
            link.settimeout(PATIENCE)
            link.connect(str(path))
            link.sendall(read_frame(1, 5))
        assert [received(link, 11)[7:] for link in links] == [b"\x03\x02\x00\x05"] * 6


@contextmanager
def gate_with_dead(adapter: Adapter, bus: Bus) -> Iterator[int | str]:
    """A gateway in which only unit 3 has `TIMEOUT`; a busy machine may be late for the others."""
    behind = adapter.gateway("rtu", bus.port, {1: 17, 2: 18}, OPTIONS, pause=0.5)
    behind.units.add_line(behind.client, {3: 19}, timeout=TIMEOUT)
    with serving(adapter, behind.units, "tcp", remotes=(behind,)) as port:
        yield port


class Caller:
    """A client that calls again and again until `ended`; `count` calls have come back."""

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
    """Four clients ask for the dead unit, and one for each of the living two.

    What a dead unit costs the others in time is in `core/test_gateway_line.py`, without a clock.
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
                    tries >= 2  # found dead, and tried again
                    and all(each.count >= 10 for each in living)
                    # Most are answered at once, without the line.
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
    """The request on the line may end within the grace, and those that wait behind it end too."""
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


# Lines that come and go.


def test_a_line_that_was_lost_serves_again(adapter: Adapter) -> None:
    """0A while the device is not there; when it is back, so is the way to it."""
    device = Device(0)
    with ExitStack() as stack:
        with serving(SYNC, Units({17: device}), "tcp") as number:
            behind = adapter.gateway("tcp", number, {1: 17}, OPTIONS)
            outside = stack.enter_context(serving(adapter, behind.units, "tcp", remotes=(behind,)))
            client = stack.enter_context(TcpClient("127.0.0.1", int(outside), options=OPTIONS))
            assert client.read_holding_registers(7) == [7]
        with pytest.raises(ExceptionResponseError) as caught:
            client.read_holding_registers(7)
        assert caught.value.code == 0x0A
        server = SYNC.package.TcpServer(Units({17: device}), ("127.0.0.1", int(number)))
        stack.enter_context(server)
        give_up = monotonic() + PATIENCE
        while True:
            try:
                assert client.read_holding_registers(7) == [7]
                break
            except ExceptionResponseError:
                assert monotonic() < give_up, "the line is never opened again"


def test_a_cable_that_is_pulled_and_back(adapter: Adapter, tmp_path: Path) -> None:
    """0A while it is out; when the port is there again, so are the devices."""
    port = tmp_path / "tty"
    units = Units({17: Device(0)})
    with ExitStack() as stack:
        with PtyPair() as cable, SerialServer(units, cable.left, **LINE):
            port.symlink_to(cable.right)
            options = OPTIONS.replace(response_timeout=PATIENCE / 5)
            behind = adapter.gateway("rtu", str(port), {1: 17}, options, pause=0.05)
            number = stack.enter_context(serving(adapter, behind.units, "tcp", remotes=(behind,)))
            client = stack.enter_context(TcpClient("127.0.0.1", int(number), options=OPTIONS))
            assert client.read_holding_registers(7) == [7]
        port.unlink()
        for _ in range(3):
            with pytest.raises(GatewayPathUnavailableError):
                client.read_holding_registers(7)
        with PtyPair() as cable, SerialServer(units, cable.left, **LINE):
            port.symlink_to(cable.right)
            give_up = monotonic() + PATIENCE
            while True:
                try:
                    assert client.read_holding_registers(7) == [7]
                    break
                except (GatewayPathUnavailableError, GatewayTargetFailedError):
                    assert monotonic() < give_up, "the port is never opened again"


def test_several_lines_and_own_units_behind_one_server(adapter: Adapter, bus: Bus) -> None:
    device = Device(5000)
    with ExitStack() as stack:
        number = stack.enter_context(serving(SYNC, Units({1: device}), "tcp"))
        behind = adapter.gateway("rtu", bus.port, {1: 17}, OPTIONS)
        other = adapter.gateway("tcp", number, {9: 1}, OPTIONS)  # for its client
        behind.units.add_line(other.client, {4: 1})
        behind.units[5] = own = Unit(holding_registers=SequentialBlock(0, [55] * 100))
        remotes = (behind, Gate(other.client, None))
        outside = stack.enter_context(serving(adapter, behind.units, "tcp", remotes=remotes))
        client = stack.enter_context(TcpClient("127.0.0.1", int(outside), options=OPTIONS))
        assert [client.read_holding_registers(0, unit=unit) for unit in (1, 4, 5)] == [
            [0],
            [5000],
            [55],
        ]
        with pytest.raises(ResponseTimeoutError):
            client.call(RawRequest(6, struct.pack(">HH", 60, 99)), unit=0, timeout=QUIET)
        assert [client.read_holding_registers(60, unit=unit) for unit in (1, 4, 5)] == [[99]] * 3
        assert own.holding_registers.read(60, 1) == (99,)


# The other way: a serial line in front, TCP behind.


@pytest.fixture(scope="module")
def forwarder(adapter: Adapter) -> Iterator[str]:
    """The far end of a line on which the units 1 and 2 are those of a server on TCP."""
    units = Units({1: Device(0), 2: Device(1000)})
    with serving(SYNC, units, "tcp") as number:
        behind = adapter.gateway("tcp", number, [1, 2], OPTIONS)
        with serving(adapter, behind.units, "rtu", remotes=(behind,)) as port:
            yield str(port)


@pytest.mark.usefixtures("_mbpoll")
def test_mbpoll_on_a_line_in_front_of_tcp(forwarder: str) -> None:
    mbpoll = Mbpoll("rtu", forwarder)
    assert mbpoll.read("-t", "4", "-r", "3", "-c", "2", unit=2) == {3: "1003", 4: "1004"}
    mbpoll.write("-t", "4", "-r", "3", "--", "33", unit=2)
    assert mbpoll.read("-t", "4", "-r", "3", unit=2) == {3: "33"}
    assert "failed: Illegal data address" in mbpoll.run("-t", "4", "-r", "5000").stderr


@pytest.mark.usefixtures("pymodbus")
def test_pymodbus_on_a_line_in_front_of_tcp(forwarder: str) -> None:
    with ModbusSerialClient(forwarder, baudrate=115200, timeout=PATIENCE, retries=0) as client:
        found = client.read_holding_registers(50, count=100 - 50, device_id=1)
        assert found.registers == list(range(50, 100))


def test_a_line_in_front_of_tcp_is_one_of_several_devices(forwarder: str) -> None:
    """It is silent for others, passes exceptions back, and a broadcast on."""
    with SerialClient(forwarder, options=OPTIONS, **LINE) as client:
        with pytest.raises(ResponseTimeoutError):
            client.read_holding_registers(0, unit=9, timeout=QUIET)
        with pytest.raises(IllegalDataAddressError):
            client.read_holding_registers(5000)
        with pytest.raises(ExceptionResponseError) as caught:
            client.write_coil(0, True)
        assert caught.value.code == ODD_CODE
        client.write_register(7, 4711, unit=0)
        # To a server on TCP unit 0 is a unit that it has not, so nothing was written.
        assert client.read_holding_registers(7) == [7]


def test_a_broadcast_goes_through_two_gateways_to_the_devices(adapter: Adapter, bus: Bus) -> None:
    """From a line through TCP to another line."""
    with ExitStack() as stack:
        number = stack.enter_context(gate(adapter, bus))
        behind = adapter.gateway("tcp", number, None, OPTIONS)
        far_end = stack.enter_context(serving(adapter, behind.units, "rtu", remotes=(behind,)))
        client = stack.enter_context(SerialClient(str(far_end), options=OPTIONS, **LINE))
        client.write_register(75, 55, unit=0)
        assert [client.read_holding_registers(75, unit=unit) for unit in (1, 2, 3)] == [[55]] * 3

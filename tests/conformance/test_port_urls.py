"""pyserial's URLs are ports like any other, for the clients and servers of every package."""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import serial.tools.list_ports
from serial.rs485 import RS485Settings
from serial.tools.list_ports_common import ListPortInfo

from modwire import ConnectionLostError, Endpoint, Units
from modwire.checksums import crc16
from server_peers import memory_unit

from .drivers.all import DRIVERS
from .drivers.base import Driver
from .drivers.far_ends import End, PtyListener, SocketEnd
from .port_servers import remote_port

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals"),
    # of pyserial: its RFC 2217 client, and the file of its spy, which it does not close
    pytest.mark.filterwarnings("ignore:set(Daemon|Name)"),
    pytest.mark.filterwarnings("ignore:unclosed file"),
]


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """End the file of the spy here, where the warning is expected, and in no later test."""
    yield
    gc.collect()


both_ways = pytest.mark.parametrize(
    "driver",
    [driver for driver in DRIVERS if "serial" not in driver.lacks],
    ids=lambda driver: driver.name,
)


def rtu(pdu: str, unit: int = 1) -> bytes:
    body = bytes([unit]) + bytes.fromhex(pdu)
    return body + crc16(body).to_bytes(2, "little")


READ, ANSWER = rtu("0300050001"), rtu("03020005")
QUICK = 0.2  # seconds, less than one negotiation of RFC 2217 takes


class Far:
    """The URL of a port and the end of its line; `check` tells what has to hold at the end."""

    def __init__(self, url: str, end: End, check: Callable[[], None] = lambda: None) -> None:
        self.url = url
        self.end = end
        self.check = check


@contextmanager
def over_socket(driver: Driver, tmp_path: Path, patch: pytest.MonkeyPatch) -> Iterator[Far]:
    with remote_port() as port:
        yield Far(port.url, SocketEnd(driver, port.near))


@contextmanager
def over_rfc2217(driver: Driver, tmp_path: Path, patch: pytest.MonkeyPatch) -> Iterator[Far]:
    def check() -> None:
        assert (port.port.baudrate, port.port.parity) == (9600, "N")

    with remote_port(rfc2217=True) as port:
        yield Far(port.url, SocketEnd(driver, port.near), check)


@contextmanager
def on_terminal(driver: Driver, url: str, check: Callable[[], None]) -> Iterator[Far]:
    listener = PtyListener(driver)
    try:
        yield Far(url.format(listener.address), listener._end, check)
    finally:
        listener.close()


def with_spy(driver: Driver, tmp_path: Path, patch: pytest.MonkeyPatch) -> Any:
    def check() -> None:
        """All bytes passed the spy, which writes rows: the direction, an offset, bytes."""
        rows = re.findall(r" ([TR]X)   \w{4}  ((?:\w\w )+)", log.read_text())
        passed = {
            way: bytes.fromhex("".join([data for found, data in rows if found == way]))
            for way in ("TX", "RX")
        }
        assert sorted(passed.values()) == sorted([3 * READ, 3 * ANSWER])

    log = tmp_path / "spy.txt"
    return on_terminal(driver, f"spy://{{}}?file={log}", check)


def with_alternative(driver: Driver, tmp_path: Path, patch: pytest.MonkeyPatch) -> Any:
    return on_terminal(driver, "alt://{}?class=PosixPollSerial", lambda: None)


@contextmanager
def by_hardware(driver: Driver, tmp_path: Path, patch: pytest.MonkeyPatch) -> Iterator[Far]:
    listener = PtyListener(driver)
    found = ListPortInfo(listener.address)
    found.hwid = "USB VID:PID=0403:6001"
    patch.setattr(serial.tools.list_ports, "comports", lambda *_: [found])
    try:
        yield Far("hwgrep://0403:6001", listener._end)
    finally:
        listener.close()


KINDS = [over_socket, over_rfc2217, with_spy, with_alternative, by_hardware]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


@both_ways
@every_kind
def test_clients(
    driver: Driver, kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read by the endpoint, again and again; only opening may take long."""
    package = import_module(f"modwire_{driver.adapter}")

    async def play() -> None:
        with kind(driver, tmp_path, monkeypatch) as far:
            endpoint = Endpoint(
                "serial", "rtu", path=far.url, baudrate=9600, parity="N", timeout=10
            )
            assert Endpoint.parse(str(endpoint)) == endpoint
            client = package.connect(str(endpoint))
            for number in range(3):
                start = monotonic()
                task = driver.start(driver.call(client, "read_holding_registers", (5,), {}))
                assert await far.end.receive(len(READ)) == READ
                await far.end.send(ANSWER)
                await task.wait()
                assert (task.error, task.value) == (None, [5])
                if number:
                    assert monotonic() - start < QUICK
            await driver.finish(driver.close(client))
            far.check()

    driver.run(play)


@both_ways
@every_kind
def test_servers(
    driver: Driver, kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play() -> None:
        with kind(driver, tmp_path, monkeypatch) as far:
            arguments = {"baudrate": 9600, "parity": "N"}
            units = Units({1: memory_unit()})
            serving = await driver.serve("serial", units, far.url, 5.0, arguments)
            for _ in range(3):
                await far.end.send(READ)
                assert await far.end.receive(len(ANSWER)) == ANSWER
            await driver.finish(serving.stop)
            far.check()

    driver.run(play)


@both_ways
def test_a_lost_remote_port_is_a_lost_link(driver: Driver) -> None:
    package = import_module(f"modwire_{driver.adapter}")

    async def play() -> None:
        with remote_port(rfc2217=True) as port:
            end = SocketEnd(driver, port.near)
            client = package.SerialClient(port.url, timeout=10.0)
            task = driver.start(driver.call(client, "read_holding_registers", (5,), {}))
            assert await end.receive(len(READ)) == READ
        await task.wait()
        assert isinstance(task.error, ConnectionLostError)
        await driver.finish(driver.close(client))

    driver.run(play)


@both_ways
def test_closing_ends_a_call_on_a_remote_port(driver: Driver) -> None:
    package = import_module(f"modwire_{driver.adapter}")

    async def play() -> None:
        with remote_port(rfc2217=True) as port:
            end = SocketEnd(driver, port.near)
            client = package.SerialClient(port.url, timeout=100.0)
            task = driver.start(driver.call(client, "read_holding_registers", (5,), {}))
            assert await end.receive(len(READ)) == READ
            await driver.finish(driver.close(client))
            await task.wait()
            assert isinstance(task.error, ConnectionLostError)

    driver.run(play)


@both_ways
@pytest.mark.parametrize(
    ("url", "arguments", "text"),
    [
        ("hwgrep://no:such", {}, "no ports found matching"),
        ("nosuch://x", {}, "invalid URL, protocol 'nosuch' not known"),
        ("tcp://10.0.0.1:502", {}, "use the endpoint rtu[+]tcp://10.0.0.1:502"),
        ("rtu:///dev/ttyUSB0", {}, r"it is an endpoint, which connect\(\) takes"),
        ("cp2110://0:0", {}, "needs the package hidapi"),
        ("rfc2217://127.0.0.1:1", {}, "[Cc]ould not open port"),
        ("spy:///dev/null?fiel=x", {}, "unknown option: 'fiel'"),
        ("alt:///dev/null?class=Nobody", {}, "unknown class"),
        ("loop://", {"rs485": RS485Settings()}, "rs485 is for ports of this machine"),
        ("/dev/ttyNOPE", {}, "No such file or directory"),
        ("COM77", {}, "could not open port COM77"),
    ],
)
def test_a_port_that_cannot_be_opened_says_why(
    driver: Driver, url: str, arguments: Any, text: str
) -> None:
    package = import_module(f"modwire_{driver.adapter}")

    async def play() -> None:
        client = package.SerialClient(url, **arguments)
        with pytest.raises(ConnectionLostError, match=text):
            await driver.finish(driver.call(client, "read_holding_registers", (0,), {}))
        units = Units({1: memory_unit()})
        if driver.adapter == "trio":
            serving = package.serve_serial(units, url, **arguments)
        else:
            serving = driver.serve("serial", units, url, 1.0, arguments)
        with pytest.raises((OSError, ValueError), match=text):
            await serving

    driver.run(play)


@both_ways
def test_a_looped_line_is_an_echo(driver: Driver) -> None:
    """The bytes of the client come back: without an answer the call ends at its timeout."""
    package = import_module(f"modwire_{driver.adapter}")

    async def play() -> None:
        client = package.SerialClient("loop://", timeout=0.1, suppress_echo=True)
        with pytest.raises(TimeoutError, match="did not answer"):
            await driver.finish(driver.call(client, "write_register", (5, 1), {}))
        await driver.finish(driver.close(client))

    driver.run(play)

"""`SerialClient` on pseudo-terminals, which the hub waits for, and where only threads can wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import gevent
import pytest
import serial
from gevent.event import Event
from serial.rs485 import RS485Settings

import modwire_gevent.serial_link
from gevent_peers import HOST, SHORT, outcome
from modwire.client.options import ClientOptions
from modwire.errors import ConnectionLostError, IllegalDataValueError, ResponseTimeoutError
from modwire.framing import AsciiFraming, BinaryFraming, TcpFraming
from modwire.messages.base import RawRequest
from modwire.options import silent_interval
from modwire_gevent import SerialClient
from peers import PATIENCE, PtyPeer, SocketPeer, registers, rtu, serial_line, tcp_server


@pytest.fixture(params=[True, False], ids=["hub waits", "thread waits"])
def hub_waits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[bool]:
    """On Windows, and for some of pyserial's URLs, nothing but a read can be waited for."""
    if not request.param:
        monkeypatch.setattr(modwire_gevent.serial_link, "descriptor", lambda port: None)
    return request.param


@pytest.mark.usefixtures("hub_waits")
def test_rtu_reads_writes_and_errors() -> None:
    def script(peer: PtyPeer) -> None:
        assert peer.request(8) == rtu(7, bytes.fromhex("0300020003"))
        peer.send(rtu(7, registers(10, 20, 30)))
        request = peer.request(8)
        assert request == rtu(1, bytes.fromhex("0600090100"))
        peer.send(request)
        peer.request(8)
        peer.send(rtu(1, b"\x83\x03"))

    with serial_line(script) as path, SerialClient(path) as client:
        assert client.name == f"rtu://{path}"
        assert client.read_holding_registers(2, 3, unit=7) == [10, 20, 30]
        client.write_register(9, 256)
        with pytest.raises(IllegalDataValueError):
            client.read_holding_registers(0)


def test_junk_damaged_frames_and_other_units_before_the_reply() -> None:
    def script(peer: PtyPeer) -> None:
        peer.request(8)
        peer.send(b"\xff\x01\x03", rtu(1, registers(5)))
        peer.request(8)
        peer.send(rtu(1, registers(1))[:-1] + b"\0", rtu(9, registers(2)), rtu(1, registers(3)))

    with serial_line(script) as path, SerialClient(path) as client:
        assert client.read_holding_registers(0) == [5]
        assert client.read_holding_registers(0) == [3]


def test_an_adapter_that_hears_itself() -> None:
    def script(peer: PtyPeer) -> None:
        request = peer.request(8)
        peer.send(request, request)  # the echo, and the answer to a write, which is the same

    with serial_line(script) as path, SerialClient(path, suppress_echo=True) as client:
        client.write_register(1, 2)


def test_an_answer_without_a_length_ends_by_silence() -> None:
    def script(peer: PtyPeer) -> None:
        peer.request(6)
        peer.send(rtu(1, b"\x41\x01\x02"))

    with serial_line(script) as path, SerialClient(path) as client:
        assert client.call(RawRequest(0x41, b"\x09\x09")).data == b"\x01\x02"


@pytest.mark.usefixtures("hub_waits")
def test_a_broadcast_is_done_once_sent() -> None:
    def script(peer: PtyPeer) -> None:
        assert peer.request(8) == rtu(0, bytes.fromhex("0600010002"))
        peer.request(8)
        peer.send(rtu(1, registers(3)))

    with serial_line(script) as path, SerialClient(path) as client:
        client.write_register(1, 2, unit=0)
        assert client.read_holding_registers(0) == [3]


def test_a_late_answer_is_not_the_next_ones() -> None:
    """It comes between two calls, when nobody listens, and the unit's time is over by then."""
    timed_out, sent = threading.Event(), threading.Event()

    def script(peer: PtyPeer) -> None:
        peer.request(8)
        assert timed_out.wait(PATIENCE)
        peer.send(rtu(1, registers(111)))
        sent.set()
        peer.request(8)
        peer.send(rtu(1, registers(222)))

    options = ClientOptions(silence=silent_interval(19200), tolerance=0.02, late_reply_window=0.0)
    with serial_line(script) as path, SerialClient(path, options=options) as client:
        with pytest.raises(ResponseTimeoutError):
            client.read_holding_registers(0, timeout=SHORT)
        timed_out.set()
        assert sent.wait(PATIENCE)
        assert client.read_holding_registers(0) == [222]


@pytest.mark.usefixtures("hub_waits")
def test_another_unit_can_be_asked_while_one_owes_an_answer() -> None:
    def script(peer: PtyPeer) -> None:
        peer.request(8)
        request = peer.request(8)
        peer.send(rtu(request[0], registers(5)))

    with serial_line(script) as path, SerialClient(path) as client:
        with pytest.raises(ResponseTimeoutError):
            client.read_holding_registers(0, unit=1, timeout=SHORT)
        assert client.read_holding_registers(0, unit=2) == [5]


@pytest.mark.usefixtures("hub_waits")
def test_a_call_that_is_timed_out_by_its_caller() -> None:
    timed_out = threading.Event()

    def script(peer: PtyPeer) -> None:
        peer.request(8)
        assert timed_out.wait(PATIENCE)
        peer.send(rtu(1, registers(111)))
        peer.request(8)
        peer.send(rtu(1, registers(222)))

    with serial_line(script) as path, SerialClient(path) as client:
        with gevent.Timeout(SHORT, False):
            client.read_holding_registers(0)
            raise AssertionError
        timed_out.set()
        assert client.is_open
        assert client.read_holding_registers(0) == [222]


@pytest.mark.usefixtures("hub_waits")
def test_close_ends_a_call() -> None:
    asked = threading.Event()

    def script(peer: PtyPeer) -> None:
        peer.request(8)
        asked.set()

    with serial_line(script) as path:
        client = SerialClient(path)
        caller = outcome(lambda: client.read_holding_registers(0, timeout=PATIENCE))
        gevent.get_hub().threadpool.apply(asked.wait, (PATIENCE,))
        client.close()
        assert "the client was closed" in str(caller.get(timeout=PATIENCE))


def test_ascii_and_binary() -> None:
    def ascii_script(peer: PtyPeer) -> None:
        assert peer.request(17) == b":010300000001FB\r\n"
        peer.send(b":0103020005F5\r\n")

    def binary_script(peer: PtyPeer) -> None:
        assert peer.request(10) == b"{" + rtu(1, bytes.fromhex("0300000001")) + b"}"
        peer.send(b"{" + rtu(1, registers(5)) + b"}")

    with serial_line(ascii_script) as path, SerialClient(path, framing=AsciiFraming) as client:
        assert client.read_holding_registers(0) == [5]
    with serial_line(binary_script) as path, SerialClient(path, framing=BinaryFraming) as client:
        assert client.read_holding_registers(0) == [5]


def test_the_line_is_set_as_the_specification_says(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[dict[str, object]] = []

    def serial_for_url(url: str, **settings: object) -> None:
        opened.append({"url": url, **settings})
        raise OSError("only looking")

    monkeypatch.setattr(serial, "serial_for_url", serial_for_url)
    for client in (
        SerialClient("COM1"),
        SerialClient("COM1", parity="N"),
        SerialClient("COM1", framing=AsciiFraming, baudrate=9600, exclusive=False),
        SerialClient("hwgrep://here"),
    ):
        with pytest.raises(ConnectionLostError, match="only looking"):
            client.connect()
    found = [
        [each[key] for key in ("url", "baudrate", "bytesize", "parity", "stopbits", "exclusive")]
        for each in opened
    ]
    assert found == [
        ["COM1", 19200, 8, "E", 1, True],
        ["COM1", 19200, 8, "N", 2, True],
        ["COM1", 9600, 7, "E", 1, None],
        ["hwgrep://here", 19200, 8, "E", 1, True],
    ]


def test_rs485_settings_reach_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    class Port:
        rs485_mode: RS485Settings | None = None

        def close(self) -> None: ...

    ports: list[Port] = []

    def serial_for_url(url: str, **settings: object) -> Port:
        ports.append(Port())
        return ports[-1]

    monkeypatch.setattr(serial, "serial_for_url", serial_for_url)
    own = RS485Settings(delay_before_tx=0.01)
    for rs485 in (None, True, own):
        client = SerialClient("COM1", rs485=rs485)
        client.connect()
        client.close()
    assert ports[0].rs485_mode is None
    assert isinstance(ports[1].rs485_mode, RS485Settings)
    assert ports[2].rs485_mode is own


def test_a_url_of_pyserials() -> None:
    def script(peer: SocketPeer) -> None:
        peer.request(8)
        peer.send(rtu(1, registers(5)))

    with (
        tcp_server(script) as port,
        SerialClient(f"socket://{HOST}:{port}", exclusive=False) as client,
    ):
        assert client.read_holding_registers(0) == [5]


def test_a_url_that_takes_long_to_open_holds_up_only_who_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And a port that opens when nobody waits any more is closed."""
    begun, go, closed = threading.Event(), threading.Event(), threading.Event()

    class Port:
        def close(self) -> None:
            closed.set()

    def serial_for_url(url: str, **settings: object) -> Port:
        begun.set()
        assert go.wait(PATIENCE)
        return Port()

    monkeypatch.setattr(serial, "serial_for_url", serial_for_url)
    caller = outcome(SerialClient("rfc2217://192.0.2.1:2217").connect)
    assert gevent.get_hub().threadpool.apply(begun.wait, (PATIENCE,))
    caller.kill(timeout=PATIENCE)
    assert caller.dead
    gevent.sleep(0)  # until the attempt has been killed too
    go.set()
    assert gevent.get_hub().threadpool.apply(closed.wait, (PATIENCE,))


def test_a_port_that_is_not_there_or_taken() -> None:
    def script(peer: PtyPeer) -> None:
        peer.request(8)
        peer.send(rtu(1, registers(5)))

    with pytest.raises(ConnectionLostError, match=r"rtu:///dev/nowhere: cannot be opened"):
        SerialClient("/dev/nowhere").connect()
    with serial_line(script) as path, SerialClient(path) as client:
        with pytest.raises(ConnectionLostError, match="exclusively lock"):
            SerialClient(path).connect()
        assert client.read_holding_registers(0) == [5]


@pytest.mark.usefixtures("hub_waits")
def test_an_unplugged_adapter_is_a_lost_connection() -> None:
    def script(peer: PtyPeer) -> None:
        peer.request(8)
        peer.unplug()

    with serial_line(script) as path, SerialClient(path) as client:
        with pytest.raises(ConnectionLostError):
            client.read_holding_registers(0, timeout=PATIENCE)
        assert not client.is_open


def test_while_a_call_waits_the_other_greenlets_run() -> None:
    asked, ran = threading.Event(), Event()

    def script(peer: PtyPeer) -> None:
        peer.request(8)
        asked.set()
        assert answered.wait(PATIENCE)
        peer.send(rtu(1, registers(5)))

    answered = threading.Event()
    with serial_line(script) as path, SerialClient(path) as client:
        caller = gevent.spawn(client.read_holding_registers, 0, timeout=PATIENCE)
        gevent.spawn(ran.set)
        assert ran.wait(PATIENCE)
        answered.set()
        assert caller.get(timeout=PATIENCE) == [5]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"framing": TcpFraming}, "framing must be one for serial lines"),
        ({"parity": "X"}, "parity must be N, E or O"),
        ({"bytesize": 9}, "bytesize must be 7 or 8"),
        ({"baudrate": 0}, "baudrate must be greater than 0"),
        ({"unit": 5, "options": ClientOptions()}, "beside options"),
    ],
)
def test_wrong_arguments(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SerialClient("/dev/ttyUSB0", **arguments)  # type: ignore[arg-type]

"""`SerialClient` on pseudo-terminals: RTU, ASCII, Binary, and faults of the line."""

# ruff: noqa: SIM117 - a peer, and in it the client that talks to it

from __future__ import annotations

import io
import threading
from time import monotonic

import pytest
import serial
from serial.rs485 import RS485Settings

from modwire import (
    AsciiFraming,
    BinaryFraming,
    ClientOptions,
    ConnectionLostError,
    IllegalDataValueError,
    RawRequest,
    ResponseTimeoutError,
    TcpFraming,
    silent_interval,
)
from packages import HOST, Package
from peers import PATIENCE, PtyPeer, SocketPeer, registers, rtu, serial_line, tcp_server

SHORT = 0.05  # seconds: the timeout of calls that are to time out


class WithoutDescriptor(serial.Serial):
    """A port without a file descriptor, as on Windows and with some URLs of pyserial."""

    def fileno(self) -> int:
        raise io.UnsupportedOperation("fileno")


@pytest.fixture(params=[True, False], ids=["with descriptor", "without descriptor"])
def any_port(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the test on a port with a descriptor, and on one without."""
    if not request.param:
        monkeypatch.setattr(serial, "serial_for_url", WithoutDescriptor)


def answer_5(peer: PtyPeer | SocketPeer) -> None:
    """Answer one request of unit 1 with one register of value 5."""
    peer.request(8)
    peer.send(rtu(1, registers(5)))


@pytest.mark.usefixtures("any_port")
def test_rtu_reads_writes_and_errors(package: Package) -> None:
    def script(peer: PtyPeer) -> None:
        assert peer.request(8) == rtu(7, bytes.fromhex("0300020003"))
        peer.send(rtu(7, registers(10, 20, 30)))
        request = peer.request(8)
        assert request == rtu(1, bytes.fromhex("0600090100"))
        peer.send(request)
        peer.request(8)
        peer.send(rtu(1, b"\x83\x03"))

    with serial_line(script) as path, package.SerialClient(path, timeout=PATIENCE) as client:
        assert client.name == f"rtu://{path}"
        assert client.read_holding_registers(2, 3, unit=7) == [10, 20, 30]
        client.write_register(9, 256)
        with pytest.raises(IllegalDataValueError):
            client.read_holding_registers(0)


@pytest.mark.parametrize("junk", ["00", "ff ff", "01", "01 03", "ff 01 03"])
def test_junk_before_the_reply(package: Package, junk: str) -> None:
    def script(peer: PtyPeer) -> None:
        peer.request(8)
        peer.send(bytes.fromhex(junk), rtu(1, registers(5)))

    with serial_line(script) as path, package.SerialClient(path, timeout=PATIENCE) as client:
        assert client.read_holding_registers(0) == [5]


def test_a_damaged_frame_and_another_units_before_the_reply(package: Package) -> None:
    def script(peer: PtyPeer) -> None:
        peer.request(8)
        peer.send(rtu(1, registers(1))[:-1] + b"\0", rtu(9, registers(2)), rtu(1, registers(3)))

    with serial_line(script) as path, package.SerialClient(path, timeout=PATIENCE) as client:
        assert client.read_holding_registers(0) == [3]


def test_an_adapter_that_echoes(package: Package) -> None:
    def script(peer: PtyPeer) -> None:
        request = peer.request(8)
        peer.send(request, request)  # the echo, and the response, which is the same

    with serial_line(script) as path:
        with package.SerialClient(path, suppress_echo=True, timeout=PATIENCE) as client:
            client.write_register(1, 2)


def test_an_answer_without_a_length_ends_by_silence(package: Package) -> None:
    def script(peer: PtyPeer) -> None:
        peer.request(6)
        peer.send(rtu(1, b"\x41\x01\x02"))

    with serial_line(script) as path, package.SerialClient(path, timeout=PATIENCE) as client:
        assert client.call(RawRequest(0x41, b"\x09\x09")).data == b"\x01\x02"


@pytest.mark.usefixtures("any_port")
def test_a_broadcast_is_done_once_sent(package: Package) -> None:
    def script(peer: PtyPeer) -> None:
        assert peer.request(8) == rtu(0, bytes.fromhex("0600010002"))
        answer_5(peer)

    with serial_line(script) as path, package.SerialClient(path, timeout=PATIENCE) as client:
        client.write_register(1, 2, unit=0)
        assert client.read_holding_registers(0) == [5]


def test_a_late_answer_is_not_the_next_ones(package: Package) -> None:
    """It arrives between two calls, after the timeout, when the client does not receive."""
    timed_out, sent = threading.Event(), threading.Event()

    def script(peer: PtyPeer) -> None:
        peer.request(8)
        assert timed_out.wait(PATIENCE)
        peer.send(rtu(1, registers(111)))
        peer.wait_delivered()
        sent.set()
        peer.request(8)
        peer.send(rtu(1, registers(222)))

    options = ClientOptions(silence=silent_interval(19200), tolerance=0.02, late_reply_window=0.0)
    with serial_line(script) as path, package.SerialClient(path, options=options) as client:
        with pytest.raises(ResponseTimeoutError):
            client.read_holding_registers(0, timeout=SHORT)
        timed_out.set()
        package.wait(sent)
        assert client.read_holding_registers(0, timeout=PATIENCE) == [222]


def test_an_answer_that_comes_while_the_next_call_waits_its_turn_is_dropped(
    package: Package,
) -> None:
    timed_out = threading.Event()

    def script(peer: PtyPeer) -> None:
        peer.request(8)
        assert timed_out.wait(PATIENCE)
        peer.send(rtu(1, registers(111)))
        peer.request(8)
        peer.send(rtu(1, registers(222)))

    options = ClientOptions(late_reply_window=PATIENCE)
    with serial_line(script) as path, package.SerialClient(path, options=options) as client:
        with pytest.raises(ResponseTimeoutError):
            client.read_holding_registers(0, timeout=SHORT)
        timed_out.set()
        assert client.read_holding_registers(0, timeout=PATIENCE) == [222]


@pytest.mark.usefixtures("any_port")
def test_another_unit_can_be_asked_while_one_owes_an_answer(package: Package) -> None:
    def script(peer: PtyPeer) -> None:
        peer.request(8)
        request = peer.request(8)
        peer.send(rtu(request[0], registers(5)))

    with serial_line(script) as path, package.SerialClient(path) as client:
        with pytest.raises(ResponseTimeoutError):
            client.read_holding_registers(0, unit=1, timeout=SHORT)
        assert client.read_holding_registers(0, unit=2, timeout=PATIENCE) == [5]


@pytest.mark.usefixtures("any_port")
def test_close_ends_a_call(package: Package) -> None:
    asked = threading.Event()

    def script(peer: PtyPeer) -> None:
        peer.request(8)
        asked.set()

    with serial_line(script) as path:
        client = package.SerialClient(path)
        caller = package.start(lambda: client.read_holding_registers(0, timeout=2 * PATIENCE))
        package.wait(asked)
        client.close()
        with pytest.raises(ConnectionLostError, match="the client was closed"):
            caller.result()


def test_ascii_and_binary(package: Package) -> None:
    def ascii_script(peer: PtyPeer) -> None:
        assert peer.request(17) == b":010300000001FB\r\n"
        peer.send(b":0103020005F5\r\n")

    def binary_script(peer: PtyPeer) -> None:
        assert peer.request(10) == b"{" + rtu(1, bytes.fromhex("0300000001")) + b"}"
        peer.send(b"{" + rtu(1, registers(5)) + b"}")

    for script, framing in ((ascii_script, AsciiFraming), (binary_script, BinaryFraming)):
        with serial_line(script) as path:
            with package.SerialClient(path, framing=framing, timeout=PATIENCE) as client:
                assert client.read_holding_registers(0) == [5]


# The line.


def test_the_line_is_set_as_the_specification_says(
    package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[dict[str, object]] = []

    def serial_for_url(url: str, **settings: object) -> None:
        opened.append({"url": url, **settings})
        raise OSError("only looking")

    monkeypatch.setattr(serial, "serial_for_url", serial_for_url)
    for client in (
        package.SerialClient("COM1"),
        package.SerialClient("COM1", parity="N"),
        package.SerialClient("COM1", framing=AsciiFraming, baudrate=9600, exclusive=False),
        package.SerialClient("hwgrep://here"),
        package.connect(r"rtu://\\.\COM12?baudrate=9600"),
        package.connect("ascii://com3"),
        package.connect("rtu://rfc2217://[::1]:2217?parity=N&baudrate=1200"),
    ):
        with pytest.raises(ConnectionLostError, match="only looking"):
            client.connect()
    names = ("url", "baudrate", "bytesize", "parity", "stopbits", "exclusive")
    assert [[each[name] for name in names] for each in opened] == [
        ["COM1", 19200, 8, "E", 1, True],
        ["COM1", 19200, 8, "N", 2, True],
        ["COM1", 9600, 7, "E", 1, None],
        ["hwgrep://here", 19200, 8, "E", 1, True],
        [r"\\.\COM12", 9600, 8, "E", 1, True],
        ["com3", 19200, 7, "E", 1, True],
        ["rfc2217://[::1]:2217", 1200, 8, "N", 2, True],
    ]


def test_rs485_settings_reach_the_driver(package: Package, monkeypatch: pytest.MonkeyPatch) -> None:
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
        client = package.SerialClient("COM1", rs485=rs485)
        client.connect()
        client.close()
    assert ports[0].rs485_mode is None
    assert isinstance(ports[1].rs485_mode, RS485Settings)
    assert ports[2].rs485_mode is own


def test_the_time_for_an_answer_counts_from_the_last_bit_sent(package: Package) -> None:
    """At 300 baud, to send 8 characters of 11 bits takes longer than some timeouts."""

    def script(peer: PtyPeer) -> None:
        peer.request(8)

    with serial_line(script) as path:
        with package.SerialClient(path, baudrate=300, timeout=0.1) as client:
            begin = monotonic()
            with pytest.raises(ResponseTimeoutError):
                client.read_holding_registers(0)
            assert monotonic() - begin >= 0.1 + 8 * 11 / 300


def test_a_slow_line_gives_a_long_answer_its_time(package: Package) -> None:
    fast = package.SerialClient("x", baudrate=115200)
    slow = package.SerialClient("x", baudrate=1200)
    assert fast.options.response_timeout == pytest.approx(1.0 + 256 * 11 / 115200)
    assert slow.options.response_timeout == pytest.approx(1.0 + 256 * 11 / 1200)
    own = package.SerialClient("x", baudrate=1200, timeout=0.5)
    assert own.options.response_timeout == 0.5
    assert slow.options.silence == pytest.approx(38.5 / 1200)


def test_a_low_baudrate_works(package: Package) -> None:
    with serial_line(answer_5) as path:
        with package.SerialClient(path, baudrate=300, timeout=PATIENCE) as client:
            assert client.read_holding_registers(0) == [5]


def test_a_port_that_does_not_exist_or_is_taken(package: Package) -> None:
    with pytest.raises(ConnectionLostError, match=r"rtu:///dev/nowhere: cannot be opened"):
        package.SerialClient("/dev/nowhere").connect()
    with serial_line(answer_5) as path, package.SerialClient(path, timeout=PATIENCE) as client:
        with pytest.raises(ConnectionLostError, match="exclusively lock"):
            package.SerialClient(path).connect()
        assert client.read_holding_registers(0) == [5]


def test_a_url_of_pyserial(package: Package) -> None:
    with tcp_server(answer_5) as port:
        url = f"socket://{HOST}:{port}"
        with package.SerialClient(url, exclusive=False, timeout=PATIENCE) as client:
            assert client.read_holding_registers(0) == [5]


@pytest.mark.usefixtures("any_port")
def test_an_unplugged_adapter_is_a_lost_connection(package: Package) -> None:
    def script(peer: PtyPeer) -> None:
        peer.request(8)
        peer.unplug()

    with serial_line(script) as path, package.SerialClient(path) as client:
        with pytest.raises(ConnectionLostError):
            client.read_holding_registers(0, timeout=PATIENCE)
        assert not client.is_open


@pytest.mark.usefixtures("any_port")
def test_silence_is_a_timeout(package: Package) -> None:
    def script(peer: PtyPeer) -> None:
        answer_5(peer)
        peer.request(8)

    with serial_line(script) as path, package.SerialClient(path, timeout=PATIENCE) as client:
        assert client.read_holding_registers(0) == [5]
        with pytest.raises(ResponseTimeoutError):
            client.read_holding_registers(0, timeout=SHORT)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"framing": TcpFraming}, "framing must be one for serial lines"),
        ({"parity": "X"}, "parity must be N, E or O"),
        ({"bytesize": 9}, "bytesize must be 7 or 8"),
        ({"stopbits": 3}, "stopbits 1 or 2"),
        ({"baudrate": 0}, "baudrate must be greater than 0"),
        ({"unit": 5, "options": ClientOptions()}, "beside options"),
    ],
)
def test_wrong_arguments(package: Package, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        package.SerialClient("/dev/ttyUSB0", **arguments)

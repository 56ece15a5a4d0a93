"""`SerialClient` on pseudo-terminals: RTU, ASCII, Binary, and what a line does to frames."""

from __future__ import annotations

import threading

import pytest

from modwire.client.options import ClientOptions
from modwire.client.protocol import ClientProtocol
from modwire.errors import ConnectionLostError, IllegalDataValueError, ResponseTimeoutError
from modwire.framing import AsciiFraming, BinaryFraming, RtuFraming, TcpFraming
from modwire.messages.register_access import ReadHoldingRegistersRequest
from modwire.options import silent_interval
from modwire_sync import SerialClient

from .peers import (
    PATIENCE,
    PtyPeer,
    keyboard_interrupt,
    registers,
    rtu,
    serial_line,
    wait_until_receiving,
)

SHORT = 0.05


def test_rtu_reads_and_writes() -> None:
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


@pytest.mark.parametrize("junk", ["00", "ff ff", "01", "01 03"])
def test_junk_before_the_reply(junk: str) -> None:
    def script(peer: PtyPeer) -> None:
        peer.request(8)
        peer.send(bytes.fromhex(junk), rtu(1, registers(5)))

    with serial_line(script) as path, SerialClient(path) as client:
        assert client.read_holding_registers(0) == [5]


def test_a_damaged_frame_and_another_units_before_the_reply() -> None:
    def script(peer: PtyPeer) -> None:
        peer.request(8)
        peer.send(rtu(1, registers(1))[:-1] + b"\0", rtu(9, registers(2)), rtu(1, registers(3)))

    with serial_line(script) as path, SerialClient(path) as client:
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

    from modwire.messages.base import RawRequest

    with serial_line(script) as path, SerialClient(path) as client:
        assert client.call(RawRequest(0x41, b"\x09\x09")).data == b"\x01\x02"


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


def test_an_answer_that_comes_while_the_next_call_waits_its_turn_is_dropped() -> None:
    timed_out = threading.Event()

    def script(peer: PtyPeer) -> None:
        peer.request(8)
        assert timed_out.wait(PATIENCE)
        peer.send(rtu(1, registers(111)))
        peer.request(8)
        peer.send(rtu(1, registers(222)))

    with serial_line(script) as path, SerialClient(path) as client:
        with pytest.raises(ResponseTimeoutError):
            client.read_holding_registers(0, timeout=SHORT)
        timed_out.set()
        assert client.read_holding_registers(0) == [222]


def test_another_unit_can_be_asked_while_one_owes_an_answer() -> None:
    def script(peer: PtyPeer) -> None:
        peer.request(8)
        request = peer.request(8)
        peer.send(rtu(request[0], registers(5)))

    with serial_line(script) as path, SerialClient(path) as client:
        with pytest.raises(ResponseTimeoutError):
            client.read_holding_registers(0, unit=1, timeout=SHORT)
        assert client.read_holding_registers(0, unit=2) == [5]


def test_ascii() -> None:
    def script(peer: PtyPeer) -> None:
        assert peer.request(17) == b":010300000001FB\r\n"
        peer.send(b":0103020005F5\r\n")

    with serial_line(script) as path, SerialClient(path, framing=AsciiFraming) as client:
        assert client.read_holding_registers(0) == [5]


def test_binary() -> None:
    def script(peer: PtyPeer) -> None:
        assert peer.request(10) == b"{" + rtu(1, bytes.fromhex("0300000001")) + b"}"
        peer.send(b"{" + rtu(1, registers(5)) + b"}")

    with serial_line(script) as path, SerialClient(path, framing=BinaryFraming) as client:
        assert client.read_holding_registers(0) == [5]


def test_the_line_is_set_as_the_specification_says(monkeypatch: pytest.MonkeyPatch) -> None:
    import serial

    opened: list[dict[str, object]] = []

    def serial_for_url(url: str, **settings: object) -> None:
        opened.append({"url": url, **settings})
        raise OSError("only looking")

    monkeypatch.setattr(serial, "serial_for_url", serial_for_url)
    for client in (
        SerialClient("COM1"),
        SerialClient("COM1", parity="N"),
        SerialClient("COM1", framing=AsciiFraming, baudrate=9600, exclusive=False),
    ):
        with pytest.raises(ConnectionLostError, match="only looking"):
            client.connect()
    found = [
        [each[key] for key in ("baudrate", "bytesize", "parity", "stopbits", "exclusive")]
        for each in opened
    ]
    assert found == [
        [19200, 8, "E", 1, True],
        [19200, 8, "N", 2, True],
        [9600, 7, "E", 1, None],
    ]


def test_rs485_settings_reach_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    import serial
    from serial.rs485 import RS485Settings

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


def test_the_time_for_an_answer_counts_from_the_last_bit_sent() -> None:
    """At 300 baud a request is on the line for longer than some timeouts."""
    protocol = ClientProtocol(RtuFraming, ClientOptions(response_timeout=0.1))
    protocol.start(ReadHoldingRegistersRequest(0), 1, now=10.0)
    assert len(protocol.data_to_send(10.0)) == 8
    protocol.data_sent(10.3)
    assert protocol.deadline() == pytest.approx(10.4)


def test_a_slow_line_gives_a_long_answer_its_time() -> None:
    fast, slow = SerialClient("x", baudrate=115200), SerialClient("x", baudrate=1200)
    assert fast.options.response_timeout == pytest.approx(1.0 + 256 * 11 / 115200)
    assert slow.options.response_timeout == pytest.approx(1.0 + 256 * 11 / 1200)
    assert SerialClient("x", baudrate=1200, timeout=0.5).options.response_timeout == 0.5
    assert slow.options.silence == pytest.approx(38.5 / 1200)


def test_a_low_baudrate_works() -> None:
    def script(peer: PtyPeer) -> None:
        peer.request(8)
        peer.send(rtu(1, registers(5)))

    with serial_line(script) as path, SerialClient(path, baudrate=300) as client:
        assert client.read_holding_registers(0) == [5]


def test_a_port_that_is_not_there() -> None:
    with pytest.raises(ConnectionLostError, match=r"rtu:///dev/nowhere: cannot be opened"):
        SerialClient("/dev/nowhere").connect()


def test_a_port_belongs_to_one_client() -> None:
    def script(peer: PtyPeer) -> None:
        peer.request(8)
        peer.send(rtu(1, registers(5)))

    with serial_line(script) as path, SerialClient(path) as client:
        with pytest.raises(ConnectionLostError, match="exclusively lock"):
            SerialClient(path).connect()
        assert client.read_holding_registers(0) == [5]


def test_an_unplugged_adapter_is_a_lost_connection() -> None:
    def script(peer: PtyPeer) -> None:
        peer.request(8)
        peer.unplug()

    with serial_line(script) as path, SerialClient(path) as client:
        with pytest.raises(ConnectionLostError):
            client.read_holding_registers(0, timeout=PATIENCE)
        assert not client.is_open


def test_close_from_another_thread_ends_a_call() -> None:
    main = threading.get_ident()

    def script(peer: PtyPeer) -> None:
        peer.request(8)
        wait_until_receiving(main)
        client.close()

    with serial_line(script) as path:
        client = SerialClient(path)
        with pytest.raises(ConnectionLostError, match="the client was closed"):
            client.read_holding_registers(0, timeout=PATIENCE)


def test_keyboard_interrupt_in_a_call_leaves_the_client_usable() -> None:
    """The unit may still be sending: its answer to the call that was given up is not taken."""
    main = threading.get_ident()

    def script(peer: PtyPeer) -> None:
        peer.request(8)
        wait_until_receiving(main)
        interrupt()
        assert interrupted.wait(PATIENCE)
        peer.send(rtu(1, registers(111)))
        peer.request(8)
        peer.send(rtu(1, registers(222)))

    interrupted = threading.Event()
    with (
        keyboard_interrupt() as interrupt,
        serial_line(script) as path,
        SerialClient(path) as client,
    ):
        with pytest.raises(KeyboardInterrupt):
            client.read_holding_registers(0, timeout=PATIENCE)
        interrupted.set()
        assert client.is_open
        assert client.read_holding_registers(0) == [222]


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
def test_wrong_arguments(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SerialClient("/dev/ttyUSB0", **arguments)  # type: ignore[arg-type]


def test_a_port_that_select_cannot_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows: the port itself waits."""
    import modwire_sync.serial_link

    def script(peer: PtyPeer) -> None:
        peer.request(8)
        peer.send(rtu(1, registers(5)))
        peer.request(8)

    monkeypatch.setattr(modwire_sync.serial_link, "descriptor", lambda port: None)
    with serial_line(script) as path, SerialClient(path) as client:
        assert client.read_holding_registers(0) == [5]
        with pytest.raises(ResponseTimeoutError):
            client.read_holding_registers(0, timeout=SHORT)

"""`TcpClient` against servers that do right and servers that do wrong."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path

import pytest

from modwire.client.options import ClientOptions
from modwire.errors import (
    ConnectionLostError,
    FrameError,
    IllegalDataAddressError,
    InvalidResponseError,
    ResponseTimeoutError,
)
from modwire.framing import AsciiFraming, RtuFraming
from modwire.messages.base import RawRequest
from modwire_sync import TcpClient, UnixClient
from modwire_sync.links import SocketLink

from .peers import (
    PATIENCE,
    SocketPeer,
    answer_one_read,
    answer_reads,
    free_port,
    keyboard_interrupt,
    mbap,
    registers,
    rtu,
    tcp_server,
    unix_server,
    wait_until_receiving,
)

SHORT = 0.05  # seconds: the timeout of calls that are to time out
HOST = "127.0.0.1"


def test_reads_and_writes() -> None:
    def script(peer: SocketPeer) -> None:
        request = peer.request()
        assert request.hex() == "000100000006070300020003"
        peer.send(mbap(request, registers(10, 20, 30)))
        request = peer.request()
        assert request.hex() == "0002000000060106000900ff"
        peer.send(mbap(request, request[7:]))
        assert peer.receive() == b""

    with tcp_server(script) as port, TcpClient(HOST, port) as client:
        assert client.read_holding_registers(2, 3, unit=7) == [10, 20, 30]
        client.write_register(9, 255)


def test_an_exception_response_is_raised_and_the_connection_kept() -> None:
    def script(peer: SocketPeer) -> None:
        peer.send(mbap(peer.request(), b"\x83\x02"))
        answer_reads(peer)

    with tcp_server(script) as port, TcpClient(HOST, port) as client:
        with pytest.raises(IllegalDataAddressError):
            client.read_holding_registers(0)
        assert client.read_holding_registers(5) == [5]


@pytest.mark.parametrize(
    "pdu",
    [registers(1, function_code=4), registers(1), registers(1, 2, 3), b"\x83\x02\x00", b"\x03"],
    ids=["function code", "too few", "too many", "long exception", "no byte count"],
)
def test_an_answer_that_does_not_fit_is_refused(pdu: bytes) -> None:
    def script(peer: SocketPeer) -> None:
        peer.send(mbap(peer.request(), pdu))
        answer_reads(peer)

    with tcp_server(script) as port, TcpClient(HOST, port) as client:
        with pytest.raises(InvalidResponseError):
            client.read_holding_registers(0, 2)
        assert client.read_holding_registers(5) == [5]


def test_an_answer_from_another_unit_is_not_taken() -> None:
    def script(peer: SocketPeer) -> None:
        request = peer.request()
        peer.send(mbap(request[:6] + b"\x09", registers(1)), mbap(request, registers(2)))

    with tcp_server(script) as port, TcpClient(HOST, port) as client:
        assert client.read_holding_registers(0) == [2]


def test_stale_transaction_ids_are_skipped() -> None:
    def script(peer: SocketPeer) -> None:
        request = peer.request()
        stale = mbap(request, registers(1), transaction=0x7777)
        peer.send(stale + stale + mbap(request, registers(2)))

    with tcp_server(script) as port, TcpClient(HOST, port) as client:
        assert client.read_holding_registers(0) == [2]


@pytest.mark.parametrize("head", ["0001 0001 0005", "0001 0000 0000", "0001 0000 ffff"])
def test_a_stream_that_is_no_modbus_ends_the_connection_only(head: str) -> None:
    def script(peer: SocketPeer) -> None:
        peer.request()
        peer.send(bytes.fromhex(head) + b"\x01\x03\x02\x00\x01")
        with pytest.raises(ConnectionError):
            raise ConnectionError(peer.receive())

    with tcp_server(script, answer_reads) as port, TcpClient(HOST, port) as client:
        with pytest.raises(FrameError):
            client.read_holding_registers(0)
        assert client.read_holding_registers(6) == [6]


def test_an_answer_byte_by_byte_is_put_together() -> None:
    def script(peer: SocketPeer) -> None:
        answer = mbap(peer.request(), registers(1, 2, 3))
        peer.send(*(answer[at : at + 1] for at in range(len(answer))))

    with tcp_server(script) as port, TcpClient(HOST, port) as client:
        assert client.read_holding_registers(0, 3) == [1, 2, 3]


def test_silence_is_a_timeout_and_the_late_answer_is_nobodys() -> None:
    timed_out = threading.Event()

    def script(peer: SocketPeer) -> None:
        first = peer.request()
        assert timed_out.wait(PATIENCE)
        peer.send(mbap(first, registers(111)))
        second = peer.request()
        peer.send(mbap(first, registers(111)), mbap(second, registers(222)))

    with tcp_server(script) as port, TcpClient(HOST, port) as client:
        with pytest.raises(ResponseTimeoutError, match="unit 1 did not answer"):
            client.read_holding_registers(0, timeout=SHORT)
        timed_out.set()
        assert client.read_holding_registers(0) == [222]


def test_a_timeout_does_not_come_early_or_much_too_late() -> None:
    from time import monotonic

    def script(peer: SocketPeer) -> None:
        assert peer.receive()
        assert peer.receive() == b""

    with tcp_server(script) as port, TcpClient(HOST, port) as client:
        begin = monotonic()
        with pytest.raises(ResponseTimeoutError):
            client.read_holding_registers(0, timeout=0.2)
        assert 0.2 <= monotonic() - begin < 2.0


def test_junk_that_keeps_coming_does_not_keep_the_call_alive() -> None:
    def script(peer: SocketPeer) -> None:
        stale = mbap(peer.request(), registers(1), transaction=0x7777)
        with contextlib.suppress(ConnectionError):
            while True:
                peer.send(stale)

    with (
        tcp_server(script) as port,
        TcpClient(HOST, port) as client,
        pytest.raises(ResponseTimeoutError),
    ):
        client.read_holding_registers(0, timeout=SHORT)


def test_reads_are_tried_again_writes_are_not() -> None:
    def script(peer: SocketPeer) -> None:
        first, again = peer.request(), peer.request()
        assert first[7:] == again[7:]
        peer.send(mbap(again, registers(4)))
        assert peer.request()[7] == 6
        assert peer.receive() == b""

    with tcp_server(script) as port, TcpClient(HOST, port, timeout=SHORT, retries=1) as client:
        assert client.read_holding_registers(0) == [4]
        with pytest.raises(ResponseTimeoutError):
            client.write_register(0, 1)


def test_half_an_answer_and_then_the_end() -> None:
    def script(peer: SocketPeer) -> None:
        peer.send(mbap(peer.request(), registers(1, 2))[:-3])

    with tcp_server(script, answer_reads) as port, TcpClient(HOST, port) as client:
        with pytest.raises(ConnectionLostError, match="closed the connection"):
            client.read_holding_registers(0, 2)
        assert not client.is_open
        assert client.read_holding_registers(7) == [7]


def test_a_reset_is_a_lost_connection() -> None:
    def script(peer: SocketPeer) -> None:
        peer.request()
        peer.reset()

    with tcp_server(script, answer_reads) as port, TcpClient(HOST, port) as client:
        with pytest.raises(ConnectionLostError, match=f"tcp://127.0.0.1:{port}: the link was lost"):
            client.read_holding_registers(0)
        assert client.read_holding_registers(7) == [7]


def test_a_connection_closed_while_idle_is_opened_anew_even_for_a_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import modwire.backoff

    closed = threading.Event()

    def first(peer: SocketPeer) -> None:
        answer_one_read(peer)
        peer.socket.close()
        closed.set()

    def second(peer: SocketPeer) -> None:
        request = peer.request()
        assert request[7] == 6
        peer.send(mbap(request, request[7:]))

    monkeypatch.setattr(modwire.backoff, "_IDLE", -1.0)  # any pause is long enough
    with tcp_server(first, second) as port, TcpClient(HOST, port) as client:
        client.read_holding_registers(0)
        assert closed.wait(PATIENCE)
        client.write_register(1, 2)


def test_a_read_that_met_a_connection_just_closed_is_sent_again() -> None:
    def first(peer: SocketPeer) -> None:
        answer_one_read(peer)
        peer.request()  # closed without an answer

    with tcp_server(first, answer_reads) as port, TcpClient(HOST, port) as client:
        assert client.read_holding_registers(1) == [1]
        assert client.read_holding_registers(2) == [2]


def test_a_write_that_met_a_connection_just_closed_is_never_sent_again() -> None:
    def first(peer: SocketPeer) -> None:
        answer_one_read(peer)
        peer.request()

    with tcp_server(first, answer_reads) as port, TcpClient(HOST, port) as client:
        client.read_holding_registers(1)
        with pytest.raises(ConnectionLostError):
            client.write_register(0, 1)
        assert client.read_holding_registers(2) == [2]


def test_a_read_is_sent_again_once_only() -> None:
    def closing(peer: SocketPeer) -> None:
        answer_one_read(peer)
        peer.request()

    def hopeless(peer: SocketPeer) -> None:
        peer.request()

    with tcp_server(closing, hopeless) as port, TcpClient(HOST, port) as client:
        client.read_holding_registers(1)
        with pytest.raises(ConnectionLostError):
            client.read_holding_registers(2)


def test_nobody_listens_and_the_next_tries_keep_their_distance() -> None:
    client = TcpClient(HOST, free_port())
    for _ in range(2):  # the second try comes at once
        with pytest.raises(ConnectionLostError, match="refused"):
            client.read_holding_registers(0)
    with pytest.raises(ConnectionLostError, match=r"refused; the next try is in 0\.[01] s"):
        client.read_holding_registers(0, timeout=0.01)
    with pytest.raises(ConnectionLostError, match=r"refused$"):  # waits and tries
        client.read_holding_registers(0, timeout=1.0)


def test_a_server_that_is_back_is_found_again() -> None:
    port = free_port()
    client = TcpClient(HOST, port)
    with pytest.raises(ConnectionLostError):
        client.connect()
    with socket.create_server((HOST, port)) as listener:
        client.connect()
        assert client.is_open
        listener.accept()[0].close()
    client.close()


def test_wrong_arguments_are_told_before_anything_is_opened() -> None:
    for arguments in ({"port": 0}, {"unit": 256}, {"timeout": 0}, {"max_in_flight": 17}):
        with pytest.raises(ValueError, match="must be"):
            TcpClient(HOST, **arguments)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="beside options"):
        TcpClient(HOST, unit=5, options=ClientOptions())


def test_a_wrong_call_leaves_the_client_as_it_was() -> None:
    with tcp_server(answer_reads) as port, TcpClient(HOST, port) as client:
        with pytest.raises(ValueError, match=r"unit must be 0..255"):
            client.read_holding_registers(0, unit=300)
        with pytest.raises(ValueError, match="timeout"):
            client.read_holding_registers(0, timeout=-1)
        assert client.read_holding_registers(3) == [3]


def test_close_and_with_and_a_call_after_it() -> None:
    with tcp_server(answer_reads, answer_reads) as port:
        client = TcpClient(HOST, port)
        assert not client.is_open
        with client:
            assert client.is_open
            assert client.read_holding_registers(1) == [1]
        assert not client.is_open
        client.close()
        assert client.read_holding_registers(2) == [2]
        client.close()


def test_rtu_over_tcp_with_junk_in_front_and_a_torn_frame() -> None:
    def script(peer: SocketPeer) -> None:
        assert peer.request(8) == rtu(1, b"\x03\x00\x00\x00\x01")
        answer = rtu(1, registers(5))
        peer.send(b"\xff\xff", answer[:3], answer[3:])

    with tcp_server(script) as port, TcpClient(HOST, port, framing=RtuFraming) as client:
        assert client.name == f"rtu+tcp://127.0.0.1:{port}"
        assert client.read_holding_registers(0) == [5]


def test_without_transaction_ids_a_late_answer_is_not_the_next_ones() -> None:
    """It lies in the socket when the next call starts, long after the unit's time was over."""
    timed_out, sent = threading.Event(), threading.Event()

    def script(peer: SocketPeer) -> None:
        peer.request(8)
        assert timed_out.wait(PATIENCE)
        peer.send(rtu(1, registers(111)))
        sent.set()
        peer.request(8)
        peer.send(rtu(1, registers(222)))

    options = ClientOptions(silence=0.0, tolerance=0.05, late_reply_window=0.0)
    with (
        tcp_server(script) as port,
        TcpClient(HOST, port, framing=RtuFraming, options=options) as client,
    ):
        with pytest.raises(ResponseTimeoutError):
            client.read_holding_registers(0, timeout=SHORT)
        timed_out.set()
        assert sent.wait(PATIENCE)
        assert client.read_holding_registers(0) == [222]


def test_ascii_over_tcp() -> None:
    def script(peer: SocketPeer) -> None:
        assert peer.request(17) == b":010300000001FB\r\n"
        peer.send(b":0103020005F5\r\n")

    with tcp_server(script) as port, TcpClient(HOST, port, framing=AsciiFraming) as client:
        assert client.read_holding_registers(0) == [5]


def test_ipv6(require_peer: object) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"no ::1 here, so IPv6 was not tried: {error}")
    with tcp_server(answer_reads, host="::1") as port, TcpClient("::1", port) as client:
        assert client.name == f"tcp://[::1]:{port}"
        assert client.read_holding_registers(8) == [8]


def test_a_host_name_has_all_its_addresses_tried() -> None:
    """localhost may be ::1 first, where nobody listens."""
    with tcp_server(answer_reads) as port, TcpClient("localhost", port) as client:
        assert client.read_holding_registers(8) == [8]


def test_a_name_that_does_not_exist_is_a_connection_error() -> None:
    with pytest.raises(ConnectionLostError, match=r"tcp://nowhere\.invalid:502: cannot be opened"):
        TcpClient("nowhere.invalid").connect()


def test_source_address_and_socket_options() -> None:
    with (
        tcp_server(answer_reads) as port,
        TcpClient(HOST, port, source_address=("127.0.0.2", 0)) as client,
    ):
        link = client._link
        assert isinstance(link, SocketLink)
        sock = link._sock
        assert sock.getsockname()[0] == "127.0.0.2"
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "modwire.sock")
    with unix_server(path, answer_reads), UnixClient(path) as client:
        assert client.name == f"unix://{path}"
        assert client.read_holding_registers(8) == [8]
    with pytest.raises(ConnectionLostError):
        UnixClient(str(tmp_path / "none")).connect()


def test_keyboard_interrupt_in_a_call_leaves_the_client_usable() -> None:
    main = threading.get_ident()
    assert main == threading.main_thread().ident

    def script(peer: SocketPeer) -> None:
        first = peer.request()
        wait_until_receiving(main)
        interrupt()
        second = peer.request()
        peer.send(mbap(first, registers(111)), mbap(second, registers(222)))

    with (
        keyboard_interrupt() as interrupt,
        tcp_server(script) as port,
        TcpClient(HOST, port) as client,
    ):
        with pytest.raises(KeyboardInterrupt):
            client.read_holding_registers(0, timeout=PATIENCE)
        assert client.is_open
        assert client.read_holding_registers(0) == [222]


def test_an_interrupt_while_sending_closes_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    def first(peer: SocketPeer) -> None:
        assert peer.receive() == b""

    def interrupted(link: SocketLink, data: bytes) -> float:
        raise KeyboardInterrupt

    with tcp_server(first, answer_reads) as port, TcpClient(HOST, port) as client:
        with monkeypatch.context() as patch:
            patch.setattr(SocketLink, "send", interrupted)
            with pytest.raises(KeyboardInterrupt):
                client.read_holding_registers(0)
        assert not client.is_open
        assert client.read_holding_registers(4) == [4]


def test_a_custom_request_that_fails_harms_no_other() -> None:
    class Broken(RawRequest):
        def encode(self) -> bytes:
            raise ZeroDivisionError

    with tcp_server(answer_reads) as port, TcpClient(HOST, port) as client:
        with pytest.raises(ZeroDivisionError):
            client.call(Broken(99))
        assert client.read_holding_registers(4) == [4]


@pytest.mark.parametrize("kernel_waits", [True, False])
def test_timeouts_by_the_kernel_and_by_python_are_alike(
    kernel_waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows, TLS and patched sockets know no SO_RCVTIMEO."""
    import modwire_sync.links

    def script(peer: SocketPeer) -> None:
        answer_one_read(peer)
        peer.request()
        answer_reads(peer)

    if not kernel_waits:
        monkeypatch.setattr(modwire_sync.links, "_kernel_can_wait", lambda sock: False)
    monkeypatch.setattr("modwire.backoff._IDLE", -1.0)
    with tcp_server(script) as port, TcpClient(HOST, port) as client:
        assert client.read_holding_registers(1) == [1]
        with pytest.raises(ResponseTimeoutError):
            client.read_holding_registers(2, timeout=SHORT)
        assert client.read_holding_registers(3) == [3]


def test_bytes_are_logged_when_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    with tcp_server(answer_reads) as port, TcpClient(HOST, port) as client:
        client.read_holding_registers(1)
        assert not caplog.messages
        with caplog.at_level("DEBUG", "modwire"):
            client.read_holding_registers(2)
        assert caplog.messages == [
            f"tcp://127.0.0.1:{port}: sent 00 02 00 00 00 06 01 03 00 02 00 01",
            f"tcp://127.0.0.1:{port}: received 00 02 00 00 00 05 01 03 02 00 02",
        ]


def test_a_dead_server_is_not_waited_for_longer_than_said() -> None:
    """A peer whose backlog is full neither accepts nor refuses."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fill = [socket.socket() for _ in range(3)]
        for sock in fill:
            sock.setblocking(False)
            sock.connect_ex((HOST, port))
        with pytest.raises(ConnectionLostError, match="timed out"):
            TcpClient(HOST, port, connect_timeout=SHORT).connect()
        for sock in fill:
            sock.close()

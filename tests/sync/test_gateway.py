"""`Gateway`: who asks the devices on a line, in threads, and what becomes of those who leave."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator

import pytest

from gateway_peers import LOOPBACK, FakeLine, write
from modwire import (
    Response,
    ServerOptions,
    Unit,
    WriteSingleRegisterRequest,
    WriteSingleRegisterResponse,
)
from modwire.errors import GatewayTargetFailedError, ResponseTimeoutError, ServerDeviceBusyError
from modwire_sync import Gateway, SerialServer, TcpClient, TcpServer, UdpServer
from server_peers import PATIENCE, RawClient, line, memory_unit, rtu, tcp, wait_until


@pytest.fixture
def fake() -> Iterator[FakeLine]:
    made = FakeLine()
    yield made
    for _ in range(99):
        made.may_end.release()  # whatever a failed test has left


def test_who_goes_away_while_waiting_is_not_asked_for(fake: FakeLine) -> None:
    with (
        TcpServer(Gateway(fake), LOOPBACK) as server,
        RawClient(server.address) as first,
        RawClient(server.address) as last,
    ):
        first.send(write(1))
        fake.wait_asked(1)
        with RawClient(server.address) as leaving:
            leaving.send(write(2))
            wait_until(lambda: server._loop.workers.outstanding == 2)
        wait_until(lambda: server._loop.workers.outstanding == 1)
        last.send(write(3))
        wait_until(lambda: server._loop.workers.outstanding == 2)
        for _ in range(2):
            fake.may_end.release()
        assert first.receive(12) == write(1)
        assert last.receive(12) == write(3)
    assert fake.asked == [(1, 1), (1, 3)]


def test_who_only_ends_his_sending_hears_that_he_was_queued(fake: FakeLine) -> None:
    """What is asked already is answered as ever."""
    with (
        TcpServer(Gateway(fake), LOOPBACK) as server,
        RawClient(server.address) as first,
        RawClient(server.address) as second,
    ):
        for number, peer in enumerate((first, second), 1):
            peer.send(write(number))
            fake.wait_asked(1)
            peer.socket.shutdown(socket.SHUT_WR)
        assert second.receive(9) == tcp("8606", 2)
        fake.may_end.release()
        assert first.receive(12) == write(1)
        assert first.is_closed()


def test_the_end_of_the_server_withdraws_what_waits(fake: FakeLine) -> None:
    """A write that is executed after that would be a surprise."""
    gateway = Gateway(fake)
    server = TcpServer(gateway, LOOPBACK).start()
    peers = [RawClient(server.address) for _ in range(3)]
    for number, peer in enumerate(peers, 1):
        peer.send(write(number))
        wait_until(lambda: server._loop.workers.outstanding == number)  # noqa: B023
    server.shutdown(grace=0)
    for peer in peers:
        assert peer.is_closed()
        peer.close()
    fake.may_end.release()
    with TcpServer(gateway, LOOPBACK) as second, RawClient(second.address) as peer:
        fake.may_end.release()
        peer.ask(write(9), write(9))
    assert fake.asked == [(1, 1), (1, 9)]


def test_as_many_are_asked_at_once_as_the_line_takes() -> None:
    """Though the server has one worker."""
    fake = FakeLine(max_in_flight=4)
    with TcpServer(Gateway(fake), LOOPBACK, workers=1) as server:
        peers = [RawClient(server.address) for _ in range(6)]
        for number, peer in enumerate(peers):
            peer.send(write(number))
        fake.wait_asked(4)
        wait_until(lambda: server._loop.workers.outstanding == 6)
        assert len(fake.asked) == 4
        for _ in range(6):
            fake.may_end.release()
        for number, peer in enumerate(peers):
            assert peer.receive(12) == write(number)
            peer.close()


def test_it_may_be_asked_without_a_server(fake: FakeLine) -> None:
    """As other units that wait, and with its turns."""
    gateway = Gateway(fake, {1: 17})
    unit = gateway[1]
    fake.may_end.release()
    request = WriteSingleRegisterRequest(0, 5)
    assert unit.execute_for("me", request) == WriteSingleRegisterResponse(0, 5)
    fake.error = ValueError("odd")
    fake.may_end.release()
    with pytest.raises(ValueError, match="odd"):
        unit.execute_for("me", request)


def test_an_error_of_the_client_is_answered_with_04_and_told(fake: FakeLine) -> None:
    told: list[BaseException] = []
    options = ServerOptions(on_error=lambda peer, request, error: told.append(error))
    fake.error = ValueError("odd")
    with (
        TcpServer(Gateway(fake), LOOPBACK, options=options) as server,
        RawClient(server.address) as peer,
    ):
        fake.may_end.release()
        peer.ask(write(1), tcp("8604", 1))
    assert told == [fake.error]


def test_hooks_see_every_call_and_can_end_nothing(fake: FakeLine) -> None:
    calls: list[tuple[object, Response | None]] = []

    def on_call(peer: object, request: object, response: Response | None) -> None:
        calls.append((peer, response))
        raise SystemExit

    gateway = Gateway(fake)
    with TcpServer(gateway, LOOPBACK, on_call=on_call) as server, RawClient(server.address) as peer:
        for number in (1, 2):
            fake.may_end.release()
            peer.ask(write(number), tcp("8604", number))
        assert calls == [
            (peer.socket.getsockname(), WriteSingleRegisterResponse(0, number)) for number in (1, 2)
        ]


def test_a_dead_unit_is_logged_once_and_when_it_is_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fake = FakeLine(late_reply_window=0.01)
    gateway = Gateway(fake, {1: 17}, pause=0.01)
    with (
        caplog.at_level(logging.WARNING, "modwire.server"),
        TcpServer(gateway, LOOPBACK) as server,
        TcpClient(*server.address) as client,
    ):
        fake.error = ResponseTimeoutError("no answer")
        fake.may_end.release()
        with pytest.raises(GatewayTargetFailedError):
            client.write_register(0, 1)
        fake.error = None
        fake.may_end.release()

        def is_back() -> bool:
            try:
                client.write_register(0, 1)
            except GatewayTargetFailedError:
                return False
            return True

        wait_until(is_back)
    assert [record.getMessage() for record in caplog.records] == [
        "gateway to fake: unit 17 does not answer: it is not asked for 0.01 s",
        "gateway to fake: unit 17 answers again",
    ]


def test_a_broadcast_comes_before_what_was_asked_after_it(fake: FakeLine) -> None:
    """And nobody answers it: own units, each line, and the next request in its turn."""
    other = FakeLine()
    gateway = Gateway(fake, [1])
    gateway.add_line(other, [2])
    gateway[5] = own = memory_unit()
    gateway[6] = slow = Unit(holding_registers=own.holding_registers, blocking=True)
    with line() as port, SerialServer(gateway, port.port, baudrate=115200, parity="N") as server:
        port.send(rtu("0600000007", unit=0))
        fake.wait_asked(1)
        other.wait_asked(1)
        port.send(rtu("0600000009", unit=1))
        wait_until(lambda: server._loop.workers.outstanding == 2)
        assert fake.asked == [(0, 7)]
        for each in (fake, fake, other):
            each.may_end.release()
        assert port.receive(8) == rtu("0600000009", unit=1)
        wait_until(lambda: server._loop.workers.outstanding == 0)
    assert (fake.asked, other.asked) == ([(0, 7), (1, 9)], [(0, 7)])
    assert own.holding_registers.read(0, 1) == (7,)
    assert slow.server_message_count == 1


def test_a_full_queue_on_udp_is_busy_and_other_units_are_not(fake: FakeLine) -> None:
    gateway = Gateway(fake, [1], queue=2)
    gateway[5] = Unit(holding_registers=memory_unit().holding_registers, blocking=True)
    with (
        UdpServer(gateway, LOOPBACK, max_calls=1) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer,
    ):
        peer.settimeout(PATIENCE)
        peer.connect(server.address)
        for number in (1, 2, 3, 4):
            peer.send(write(number))
        assert peer.recv(99) == tcp("8606", 4)
        peer.send(tcp("0300050001", 5, unit=5))
        assert peer.recv(99) == tcp("03020005", 5, unit=5)
        for number in (1, 2, 3):
            fake.may_end.release()
            assert peer.recv(99) == write(number)


def test_the_clients_of_several_servers_take_turns_at_one_line(fake: FakeLine) -> None:
    gateway = Gateway(fake)
    with (
        TcpServer(gateway, LOOPBACK) as server,
        UdpServer(gateway, LOOPBACK) as other,
        RawClient(server.address) as first,
        RawClient(server.address) as second,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer,
    ):
        peer.settimeout(PATIENCE)
        peer.connect(other.address)
        first.send(write(1))
        fake.wait_asked(1)
        for number in (2, 3):
            peer.send(write(number))
            wait_until(lambda: other._loop.workers.outstanding == number - 1)  # noqa: B023
        second.send(write(4))
        wait_until(lambda: server._loop.workers.outstanding == 2)
        for _ in range(4):
            fake.may_end.release()
        assert first.receive(12) == write(1)
        assert second.receive(12) == write(4)
        assert [peer.recv(99) for _ in "ab"] == [write(2), write(3)]
    assert [value for _, value in fake.asked] == [1, 2, 4, 3]


def test_the_errors_of_a_gateway_are_those_of_the_client(fake: FakeLine) -> None:
    gateway = Gateway(fake, patience=0.001)
    with (
        TcpServer(gateway, LOOPBACK) as server,
        TcpClient(*server.address, timeout=9) as client,
        RawClient(server.address) as first,
    ):
        first.send(write(1))
        fake.wait_asked(1)
        waiting = threading.Timer(0.05, fake.may_end.release)
        waiting.start()
        with pytest.raises(ServerDeviceBusyError):
            client.write_register(0, 1)
        waiting.join()

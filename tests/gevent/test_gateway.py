"""`Gateway`: who asks the devices on a line, in greenlets, and what becomes of those who leave."""

from __future__ import annotations

import logging
import struct
from contextlib import ExitStack
from typing import Any

import gevent
import pytest
from gevent import socket
from gevent.lock import Semaphore

from modwire import (
    ClientOptions,
    Request,
    Response,
    ServerOptions,
    TcpFraming,
    Unit,
    WriteSingleRegisterRequest,
    WriteSingleRegisterResponse,
)
from modwire.errors import GatewayTargetFailedError, ResponseTimeoutError
from modwire_gevent import Client, Gateway, SerialServer, TcpClient, TcpServer, UdpServer
from serve_peers import LOOPBACK, PATIENCE, RawClient, line, memory_unit, rtu, run, tcp, wait_until


class FakeLine(Client):
    """A client whose calls end when the test lets them; `asked` are the values they write."""

    def __init__(self, **options: Any) -> None:
        super().__init__("fake", TcpFraming, ClientOptions(**options))
        self.asked: list[tuple[int | None, int]] = []
        self.may_end = Semaphore(0)
        self.error: Exception | None = None

    def call(
        self, request: Request[Any], *, unit: int | None = None, timeout: float | None = None
    ) -> Any:
        pdu = request.encode()
        self.asked.append((unit, pdu[4]))
        assert self.may_end.acquire(timeout=PATIENCE)
        if self.error is not None:
            raise self.error
        return None if unit == 0 else WriteSingleRegisterResponse(0, pdu[4])

    def let(self, count: int) -> None:
        """So many calls may end."""
        for _ in range(count):
            self.may_end.release()

    def wait_asked(self, count: int) -> None:
        wait_until(lambda: len(self.asked) >= count)


def write(value: int, unit: int = 1) -> bytes:
    return tcp(f"060000{value:04x}", value, unit=unit)


def waiting(gateway: Gateway) -> int:
    """How many requests wait for their turn at the line of unit 1."""
    count: int = gateway[1]._line.waiting  # type: ignore[attr-defined]
    return count


@pytest.mark.parametrize("resets", [True, False])
def test_who_goes_away_while_waiting_is_not_asked_for(resets: bool) -> None:
    fake = FakeLine()
    gateway = Gateway(fake)
    with (
        TcpServer(gateway, LOOPBACK) as server,
        RawClient(server.address) as first,
        RawClient(server.address) as last,
    ):
        first.send(write(1))
        fake.wait_asked(1)
        with RawClient(server.address) as leaving:
            leaving.send(write(2))
            wait_until(lambda: waiting(gateway) == 1)
            if resets:
                leaving.socket.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
        wait_until(lambda: waiting(gateway) == 0)
        last.send(write(3))
        wait_until(lambda: waiting(gateway) == 1)
        fake.let(2)
        assert first.receive(12) == write(1)
        assert last.receive(12) == write(3)
        fake.let(1)
        last.ask(write(4), write(4))
    assert fake.asked == [(1, 1), (1, 3), (1, 4)]


def test_who_only_ends_his_sending_hears_that_he_was_queued() -> None:
    """What is asked already is answered as ever."""
    fake = FakeLine()
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
        fake.let(1)
        assert first.receive(12) == write(1)
        assert first.is_closed()


def test_who_sends_on_while_waiting_is_answered_in_order() -> None:
    """More requests are no end: they wait where they are until the first is answered."""
    fake = FakeLine()
    with TcpServer(Gateway(fake), LOOPBACK) as server, RawClient(server.address) as peer:
        peer.send(write(1))
        fake.wait_asked(1)
        peer.send(write(2))
        gevent.sleep(0)
        fake.let(2)
        assert peer.receive(24) == write(1) + write(2)


def test_the_end_of_the_server_withdraws_what_waits() -> None:
    """A write that is executed after that would be a surprise."""
    fake = FakeLine()
    gateway = Gateway(fake)
    server = TcpServer(gateway, LOOPBACK)
    server.start()
    with ExitStack() as stack:
        for number in (1, 2, 3):
            peer = stack.enter_context(RawClient(server.address))
            peer.send(write(number))
            fake.wait_asked(1)
            wait_until(lambda: waiting(gateway) == number - 1)  # noqa: B023
        server.shutdown(grace=0)
        assert waiting(gateway) == 0
        fake.let(1)
        with TcpServer(gateway, LOOPBACK) as second, RawClient(second.address) as peer:
            peer.ask(write(9), write(9))
    assert fake.asked == [(1, 1), (1, 9)]


def test_as_many_are_asked_at_once_as_the_line_takes() -> None:
    fake = FakeLine(max_in_flight=4)
    gateway = Gateway(fake)
    with TcpServer(gateway, LOOPBACK, workers=1) as server, ExitStack() as stack:
        peers = [stack.enter_context(RawClient(server.address)) for _ in range(6)]
        for number, peer in enumerate(peers):
            peer.send(write(number))
        fake.wait_asked(4)
        wait_until(lambda: waiting(gateway) == 2)
        assert len(fake.asked) == 4
        fake.let(6)
        for number, peer in enumerate(peers):
            assert peer.receive(12) == write(number)


@pytest.mark.parametrize("error", [gevent.GreenletExit, gevent.Timeout])
def test_who_is_killed_takes_the_turn_of_nobody(error: type[BaseException]) -> None:
    """Neither where he waits nor where the device is being asked for him; without a server."""
    fake = FakeLine()
    gateway = Gateway(fake, {1: 17})

    def ask(number: int) -> object:
        return gateway[1].execute_for(number, WriteSingleRegisterRequest(0, number))

    callers = []
    for number in range(3):
        callers.append(run(lambda number=number: ask(number)))  # type: ignore[misc]
        fake.wait_asked(1)
        wait_until(lambda: waiting(gateway) == number)  # noqa: B023
    callers[1].kill(error, timeout=PATIENCE)
    assert waiting(gateway) == 1
    callers[0].kill(error, timeout=PATIENCE)
    fake.wait_asked(2)
    fake.let(1)
    assert callers[2].get(timeout=PATIENCE) == WriteSingleRegisterResponse(0, 2)
    assert fake.asked == [(17, 0), (17, 2)]
    assert all(isinstance(caller.value, error) for caller in callers[:2])


def test_an_error_of_the_client_is_answered_with_04_and_told() -> None:
    """And the next in the queue has his turn."""
    told: list[BaseException] = []
    options = ServerOptions(on_error=lambda peer, request, error: told.append(error))
    fake = FakeLine()
    fake.error = ValueError("odd")
    fake.let(2)
    with (
        TcpServer(Gateway(fake), LOOPBACK, options=options) as server,
        RawClient(server.address) as first,
        RawClient(server.address) as second,
    ):
        for number, peer in enumerate((first, second), 1):
            peer.send(write(number))
        for number, peer in enumerate((first, second), 1):
            assert peer.receive(9) == tcp("8604", number)
    assert told == [fake.error] * 2


def test_a_dead_unit_is_logged_once_and_when_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    fake = FakeLine(late_reply_window=0.01)
    gateway = Gateway(fake, {1: 17}, pause=0.01)
    with (
        caplog.at_level(logging.WARNING, "modwire.server"),
        TcpServer(gateway, LOOPBACK) as server,
        TcpClient(*server.address) as client,
    ):
        fake.error = ResponseTimeoutError("no answer")
        fake.let(1)
        with pytest.raises(GatewayTargetFailedError):
            client.write_register(0, 1)
        fake.error = None
        fake.let(1)

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


def test_a_broadcast_comes_before_what_was_asked_after_it() -> None:
    """And nobody answers it: own units, each line, and the next request in its turn."""
    fake, other = FakeLine(), FakeLine()
    gateway = Gateway(fake, [1])
    gateway.add_line(other, [2])
    gateway[5] = own = memory_unit()
    with line() as port, SerialServer(gateway, port.port, baudrate=115200, parity="N"):
        port.send(rtu("0600000007", unit=0))
        fake.wait_asked(1)
        port.send(rtu("0600000009", unit=1))
        fake.let(1)
        other.wait_asked(1)
        assert fake.asked == [(0, 7)]
        other.let(1)
        fake.let(1)
        assert port.receive(8) == rtu("0600000009", unit=1)
    assert (fake.asked, other.asked) == ([(0, 7), (1, 9)], [(0, 7)])
    assert own.holding_registers.read(0, 1) == (7,)


def test_a_call_that_is_killed_leaves_the_serial_line_to_the_next() -> None:
    """It is answered with silence; the unit must not count as busy from then on."""
    fake = FakeLine()
    kills = [True, False]

    def on_call(*call: object) -> None:
        if kills.pop(0):
            raise gevent.GreenletExit

    with (
        line() as port,
        SerialServer(
            Gateway(fake, [1]), port.port, baudrate=115200, parity="N", on_call=on_call
        ) as server,
    ):
        port.send(rtu("0600000007", unit=1))
        fake.wait_asked(1)
        fake.let(2)
        wait_until(lambda: server._line.is_idle)
        port.send(rtu("0600000009", unit=1))
        assert port.receive(8) == rtu("0600000009", unit=1)


def test_a_full_queue_on_udp_is_busy_and_other_units_are_not() -> None:
    fake = FakeLine()
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
            fake.let(1)
            assert peer.recv(99) == write(number)


def test_hooks_see_what_the_device_answers() -> None:
    calls: list[Response | None] = []
    fake = FakeLine()
    fake.let(1)
    with (
        TcpServer(
            Gateway(fake), LOOPBACK, on_call=lambda peer, request, response: calls.append(response)
        ) as server,
        RawClient(server.address) as peer,
    ):
        peer.ask(write(1), write(1))
    assert calls == [WriteSingleRegisterResponse(0, 1)]

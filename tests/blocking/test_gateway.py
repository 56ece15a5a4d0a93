"""`Gateway`: requests to the devices on a line, and peers that disconnect."""

# ruff: noqa: SIM117 - a server, and in it the peers that talk to it

from __future__ import annotations

import logging
import socket
from contextlib import ExitStack
from time import monotonic
from typing import Any

import pytest

from gateway_peers import OWN, fake_gateway, fake_line, settle, write
from modwire import (
    GatewayTargetFailedError,
    Response,
    ResponseTimeoutError,
    ServerOptions,
    Unit,
    WriteSingleRegisterRequest,
    WriteSingleRegisterResponse,
)
from packages import LOOPBACK, Package
from server_peers import PATIENCE, memory_unit, rtu, tcp


@pytest.mark.parametrize("resets", [True, False])
def test_the_request_of_a_peer_that_leaves_while_it_waits_is_not_passed_on(
    package: Package, resets: bool
) -> None:
    gateway, calls = fake_gateway(package)
    with (
        package.TcpServer(gateway, LOOPBACK) as server,
        package.raw(server.address) as first,
        package.raw(server.address) as last,
    ):
        first.send(write(1))
        calls.wait_asked(1)
        leaving = package.raw(server.address)
        leaving.send(write(2))
        settle(package, server)
        if resets:
            leaving.cut()
        else:
            leaving.close()
        settle(package, server)
        last.send(write(3))
        settle(package, server)
        calls.let(2)
        assert first.receive(12) == write(1)
        assert last.receive(12) == write(3)
        calls.let(1)
        last.ask(write(4), write(4))
    assert calls.asked == [(1, 1), (1, 3), (1, 4)]


def test_a_peer_that_only_ends_its_sending_is_told_that_its_request_waited(
    package: Package,
) -> None:
    """A request that was already sent to the device gets its normal response."""
    gateway, calls = fake_gateway(package)
    with (
        package.TcpServer(gateway, LOOPBACK) as server,
        package.raw(server.address) as first,
        package.raw(server.address) as second,
    ):
        first.send(write(1))
        calls.wait_asked(1)
        first.socket.shutdown(socket.SHUT_WR)
        second.send(write(2))
        second.socket.shutdown(socket.SHUT_WR)
        assert second.receive(9) == tcp("8606", 2)
        calls.let(1)
        assert first.receive(12) == write(1)
        assert first.is_closed()
    assert calls.asked == [(1, 1)]


def test_a_peer_that_sends_more_while_it_waits_is_answered_in_order(package: Package) -> None:
    gateway, calls = fake_gateway(package)
    with package.TcpServer(gateway, LOOPBACK) as server, package.raw(server.address) as peer:
        peer.send(write(1))
        calls.wait_asked(1)
        peer.send(write(2))
        settle(package, server)
        calls.let(2)
        assert peer.receive(24) == write(1) + write(2)


def test_the_end_of_the_server_withdraws_the_requests_that_wait(package: Package) -> None:
    """The device must not execute a write after the server has ended."""
    gateway, calls = fake_gateway(package)
    server = package.TcpServer(gateway, LOOPBACK).start()
    with ExitStack() as stack:
        for number in (1, 2, 3):
            peer = stack.enter_context(package.raw(server.address))
            peer.send(write(number))
            calls.wait_asked(1)
        settle(package, server)
        server.shutdown(grace=0)
        calls.let(1)
        with package.TcpServer(gateway, LOOPBACK) as second:
            with package.raw(second.address) as peer:
                calls.let(1)
                peer.ask(write(9), write(9))
    assert calls.asked == [(1, 1), (1, 9)]


def test_as_many_are_asked_at_once_as_the_line_takes(package: Package) -> None:
    """This also holds if the server has only one worker."""
    gateway, calls = fake_gateway(package, max_in_flight=4)
    with package.TcpServer(gateway, LOOPBACK, workers=1) as server, ExitStack() as stack:
        peers = [stack.enter_context(package.raw(server.address)) for _ in range(6)]
        for number, peer in enumerate(peers):
            peer.send(write(number))
        calls.wait_asked(4)
        settle(package, server)
        calls.let(6)
        for number, peer in enumerate(peers):
            assert peer.receive(12) == write(number)
    assert calls.most_open == 4


def test_an_error_of_the_client_is_answered_with_04_and_told(package: Package) -> None:
    """The next request in the queue must still be sent."""
    told: list[BaseException] = []
    options = ServerOptions(on_error=lambda peer, request, error: told.append(error))
    gateway, calls = fake_gateway(package)
    calls.error = ValueError("odd")
    calls.let(2)
    with (
        package.TcpServer(gateway, LOOPBACK, options=options) as server,
        package.raw(server.address) as first,
        package.raw(server.address) as second,
    ):
        for number, peer in enumerate((first, second), 1):
            peer.send(write(number))
        for number, peer in enumerate((first, second), 1):
            assert peer.receive(9) == tcp("8604", number)
    assert told == [calls.error] * 2


def test_hooks_see_the_answer_of_the_device(package: Package) -> None:
    seen: list[Response | None] = []
    gateway, calls = fake_gateway(package)
    calls.let(1)
    with package.TcpServer(
        gateway, LOOPBACK, on_call=lambda peer, request, response: seen.append(response)
    ) as server:
        with package.raw(server.address) as peer:
            peer.ask(write(1), write(1))
    assert seen == [WriteSingleRegisterResponse(0, 1)]


def test_a_dead_unit_is_logged_once_and_when_it_is_back(
    package: Package, caplog: pytest.LogCaptureFixture
) -> None:
    line, calls = fake_line(package, late_reply_window=0.01)
    gateway = package.Gateway(line, {1: 17}, pause=0.01)

    def is_back() -> bool:
        try:
            client.write_register(0, 1)
        except GatewayTargetFailedError:
            return False
        return True

    with (
        caplog.at_level(logging.WARNING, "modwire.server"),
        package.TcpServer(gateway, LOOPBACK) as server,
        package.TcpClient(*server.address, timeout=PATIENCE) as client,
    ):
        calls.error = ResponseTimeoutError("no answer")
        calls.let(1)
        assert not is_back()
        calls.error = None
        calls.let(1)
        package.wait_until(is_back)
        package.wait_until(lambda: len(caplog.records) > 1)  # may be logged after the response
    assert [record.getMessage() for record in caplog.records] == [
        "gateway to tcp://fake:502: unit 17 does not answer: it is not asked for 0.01 s",
        "gateway to tcp://fake:502: unit 17 answers again",
    ]


def test_a_broadcast_comes_before_the_requests_after_it(package: Package) -> None:
    """It goes to the gateway's own units and to each line, and gets no response."""
    (line, calls), (other, other_calls) = fake_line(package), fake_line(package)
    gateway = package.Gateway(line, [1])
    gateway.add_line(other, [2])
    gateway[5] = own = memory_unit()
    gateway[6] = slow = Unit(holding_registers=own.holding_registers, blocking=True)
    with package.line() as port:
        with package.SerialServer(gateway, port.port, baudrate=115200, parity="N"):
            port.send(rtu("0600000007", unit=0))
            calls.wait_asked(1)
            port.send(rtu("0600000009", unit=1))
            calls.let(1)
            other_calls.wait_asked(1)
            other_calls.let(1)
            calls.let(1)
            assert port.receive(8) == rtu("0600000009", unit=1)
    assert (calls.asked, other_calls.asked) == ([(0, 7), (1, 9)], [(0, 7)])
    assert calls.most_open == 1
    assert own.holding_registers.read(0, 1) == (7,)
    assert slow.server_message_count == 1


def test_a_full_queue_on_udp_is_busy_and_other_units_are_not(package: Package) -> None:
    line, calls = fake_line(package)
    gateway = package.Gateway(line, [1], queue=2)
    gateway[5] = Unit(holding_registers=memory_unit().holding_registers, blocking=True)
    with package.UdpServer(gateway, LOOPBACK, max_calls=1) as server:
        with package.datagrams(server) as peer:
            for number in (1, 2, 3, 4):
                peer.send(write(number))
            assert peer.recv(99) == tcp("8606", 4)
            peer.send(tcp("0300050001", 5, unit=5))
            assert peer.recv(99) == tcp("03020005", 5, unit=5)
            for number in (1, 2, 3):
                calls.let(1)
                assert peer.recv(99) == write(number)


def test_the_clients_of_several_servers_take_turns_at_one_line(package: Package) -> None:
    gateway, calls = fake_gateway(package)
    with (
        package.TcpServer(gateway, LOOPBACK) as server,
        package.UdpServer(gateway, LOOPBACK) as other,
        package.raw(server.address) as first,
        package.raw(server.address) as second,
        package.datagrams(other) as peer,
    ):
        first.send(write(1))
        calls.wait_asked(1)
        for number in (2, 3):
            peer.send(write(number))
        peer.send(tcp("0300050001", 5, unit=OWN))
        assert peer.recv(99) == tcp("03020005", 5, unit=OWN)
        second.send(write(4))
        settle(package, server)
        calls.let(4)
        assert first.receive(12) == write(1)
        assert second.receive(12) == write(4)
        assert [peer.recv(99) for _ in "ab"] == [write(2), write(3)]
    assert [value for _, value in calls.asked] == [1, 2, 4, 3]


def test_a_request_that_waited_too_long_is_answered_with_06(package: Package) -> None:
    line, calls = fake_line(package)
    gateway = package.Gateway(line, patience=0.001)
    gateway[OWN] = memory_unit()
    with (
        package.TcpServer(gateway, LOOPBACK) as server,
        package.raw(server.address) as first,
        package.raw(server.address) as second,
    ):
        first.send(write(1))
        calls.wait_asked(1)
        second.send(write(2))
        settle(package, server)
        end = monotonic() + 0.01
        package.wait_until(lambda: monotonic() > end)
        calls.let(1)
        assert second.receive(9) == tcp("8606", 2)
    assert calls.asked == [(1, 1)]


def test_units_of_a_gateway_may_be_used_without_a_server(package: Package) -> None:
    line, calls = fake_line(package)
    unit = package.Gateway(line, {1: 17})[1]
    request = WriteSingleRegisterRequest(0, 5)
    calls.let(2)
    assert unit.execute(request) == WriteSingleRegisterResponse(0, 5)
    calls.error = ValueError("odd")
    with pytest.raises(ValueError, match="odd"):
        unit.execute(request)


# Hooks.


def test_a_failing_authorize_ends_no_server(package: Package) -> None:
    """This also holds if the hook for errors fails."""

    def fail(*arguments: object) -> Any:
        raise ValueError("hook")

    options = ServerOptions(authorize=fail, on_error=fail)
    gateway, calls = fake_gateway(package)
    with package.TcpServer(gateway, LOOPBACK, options=options) as server:
        for _ in range(2):
            with package.raw(server.address) as peer:
                peer.send(write(1))
                peer.socket.shutdown(socket.SHUT_WR)
                assert peer.receive(9) == tcp("8604", 1)
    assert calls.asked == []


def test_a_hook_may_use_the_gateway_itself(package: Package) -> None:
    gateway, calls = fake_gateway(package)
    answers: list[object] = []

    def on_call(*call: object) -> None:
        answers.append(gateway[2].execute(WriteSingleRegisterRequest(0, 7)))

    with package.TcpServer(gateway, LOOPBACK, on_call=on_call) as server:
        with package.raw(server.address) as peer:
            for number in (1, 2):
                calls.let(2)
                peer.ask(write(number), write(number))
    assert len(answers) == 2
    assert calls.asked == [(1, 1), (2, 7), (1, 2), (2, 7)]


def test_a_hook_may_shut_the_server_down(package: Package) -> None:
    """The hook only starts the shutdown: its own call still gets a response."""
    gateway, calls = fake_gateway(package)
    calls.let(1)
    server = package.TcpServer(gateway, LOOPBACK, on_call=lambda *_: server.shutdown(3600)).start()
    with package.raw(server.address) as peer:
        peer.ask(write(1), write(1))
        assert peer.is_closed()
    server.shutdown()

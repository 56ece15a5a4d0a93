"""Floods at a server: its log stays short, and those who are served stay."""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack
from typing import Any

import pytest

from modwire import SequentialBlock, ServerOptions, TcpFraming, Unit, Units
from modwire.messages import Decoder
from server_peers import wait_until

from .hostile_peers import (
    BOUND,
    PACKAGES,
    a_unit,
    ask,
    connected,
    is_closed,
    read,
    serving,
    write,
)

every_package = pytest.mark.parametrize("package", PACKAGES)


def _lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        each.getMessage()
        for each in caplog.records
        if each.name == "modwire.server" and each.levelname in ("WARNING", "ERROR")
    ]


@every_package
def test_a_flood_of_forbidden_datagrams_writes_one_line(
    package: str, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        serving(package, a_unit, "udp", allow=["192.0.2.0/24"]) as address,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link,
    ):
        for _ in range(500):
            link.sendto(read(), address)
        wait_until(lambda: bool(_lines(caplog)))
    assert len(_lines(caplog)) == 1


@every_package
def test_a_flood_of_forbidden_connections_writes_one_line(
    package: str, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(package, a_unit, allow=["192.0.2.0/24"]) as address:
        for _ in range(50):
            with connected(address) as link:
                assert is_closed(link)
    assert len(_lines(caplog)) == 1


@every_package
def test_a_flood_of_lost_connections_writes_one_line(
    package: str, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(package, a_unit) as address:
        for _ in range(50):
            with connected(address) as link:
                link.sendall(b"GET / HTTP/1.1\r\n\r\n")
                assert is_closed(link)
    assert len(_lines(caplog)) == 1


@every_package
def test_writes_that_a_store_refuses_write_one_traceback(
    package: str, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(address: int, values: object) -> None:
        raise OSError("the disk is full")

    def units() -> Units:
        return Units.single(Unit(holding_registers=SequentialBlock(0, [7], on_write=refuse)))

    with serving(package, units) as address, connected(address) as link:
        for value in range(50):
            assert ask(link, write(value), 9)[7:] == b"\x86\x04"
    assert len(_lines(caplog)) == 1


@every_package
def test_a_datagram_full_of_requests_is_answered_in_part(package: str) -> None:
    """65,000 bytes of requests would keep a server busy for the time of 5,400."""
    called: list[Any] = []
    with (
        serving(
            package, a_unit, "udp", on_call=lambda peer, request, response: called.append(peer)
        ) as address,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link,
    ):
        link.settimeout(BOUND)
        link.sendto(read() * 5000, address)
        link.sendto(read(99), address)
        while link.recv(64)[1] != 99:
            pass
        assert len(called) <= 129


LISTEN_ONLY = TcpFraming(Decoder(), is_server=False).wrap(1, 5, bytes.fromhex("0800040000"))


@every_package
@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_a_peer_cannot_silence_a_unit_for_the_others(package: str, kind: str) -> None:
    type_of_link = socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM
    with (
        serving(package, a_unit, kind) as address,
        socket.socket(socket.AF_INET, type_of_link) as link,
    ):
        link.settimeout(BOUND)
        link.connect(address)
        link.sendall(LISTEN_ONLY)
        assert link.recv(64)[7:] == b"\x88\x01"
        link.sendall(read())
        assert len(link.recv(64)) == 11


@every_package
def test_a_server_may_allow_listen_only_mode(package: str) -> None:
    options = ServerOptions(listen_only=True)
    with serving(package, a_unit, options=options) as address, connected(address) as link:
        link.sendall(LISTEN_ONLY + read() + RESTART)
        link.sendall(read(9))
        assert link.recv(64)[:2] == b"\0\x09", "nothing before the restart was answered"


RESTART = TcpFraming(Decoder(), is_server=False).wrap(1, 6, bytes.fromhex("0800010000"))


@every_package
def test_without_descriptors_those_who_are_served_stay(
    package: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept = socket.socket.accept
    has_descriptors = True
    failures = 0

    def fails(listener: socket.socket) -> Any:
        nonlocal failures
        if has_descriptors:
            return accept(listener)
        failures += 1
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket.socket, "accept", fails)
    with ExitStack() as stack:
        address = stack.enter_context(serving(package, a_unit))
        served = [stack.enter_context(connected(address)) for _ in range(5)]
        for each in served:
            ask(each)
        has_descriptors = False
        waiting = [stack.enter_context(connected(address)) for _ in range(10)]
        wait_until(lambda: failures >= 2)
        for each in served:
            assert len(ask(each)) == 11, "one in use lost its place to one that asks for nothing"
        has_descriptors = True
        for each in waiting:
            assert len(ask(each)) == 11, "those who waited are served when there is room"
    assert [line for line in _lines(caplog) if "cannot accept" in line] == _lines(caplog)
    assert len(_lines(caplog)) == 1

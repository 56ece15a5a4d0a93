"""A timeout is a bound although signals arrive, whose handlers do nothing."""

from __future__ import annotations

import os
import signal
import socket
import time
import tty
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from modwire import ConnectionLostError, ResponseTimeoutError
from own_sockets import SMALL
from packages import HOST, Package

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="this system has no interval timers"
)
_EACH = 0.04  # seconds between two signals
_SOON = 0.001  # less than a tick of the system, which rounds up short waits in the kernel
_TIMEOUT, _MOST = 0.4, 10.0  # seconds; the signals would go on for 20


@contextmanager
def signals(each: float = _EACH) -> Iterator[list[int]]:
    """Let signals arrive, for a while; yield the list that the handler appends to."""
    came: list[int] = []

    def handler(number: int, frame: object) -> None:
        came.append(number)
        if len(came) > 20 / each:
            signal.setitimer(signal.ITIMER_REAL, 0)

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, each, each)
    try:
        yield came
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def silent(kind: str) -> Iterator[str]:
    """Yield the endpoint of a device that never answers."""
    with ExitStack() as stack:
        if kind == "rtu":
            ends = os.openpty()
            for each in ends:
                stack.callback(os.close, each)
            tty.setraw(ends[1])
            yield f"rtu://{os.ttyname(ends[1])}?baudrate=115200"
            return
        bound = socket.socket(type=socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
        stack.enter_context(bound).bind((HOST, 0))
        if kind == "tcp":
            bound.listen()
        yield f"{kind}://{HOST}:{bound.getsockname()[1]}"


@pytest.mark.parametrize("each", [_EACH, _SOON])
@pytest.mark.parametrize("kind", ["tcp", "udp", "rtu"])
def test_waiting_for_an_answer(package: Package, kind: str, each: float) -> None:
    with silent(kind) as endpoint:
        mark = "&" if "?" in endpoint else "?"
        with (
            package.connect(f"{endpoint}{mark}timeout={_TIMEOUT}") as client,
            signals(each) as came,
        ):
            began = time.monotonic()
            with pytest.raises(ResponseTimeoutError):
                client.read_holding_registers(0)
            assert _TIMEOUT * 0.9 <= time.monotonic() - began < _MOST
            assert len(came) > 2


def test_waiting_for_room(package: Package) -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        listener.bind((HOST, 0))
        listener.listen()
        port = listener.getsockname()[1]
        with package.TcpClient(HOST, port, timeout=_TIMEOUT, reconnect_after=None) as client:
            from own_sockets import fill

            fill(port)
            with signals() as came:
                began = time.monotonic()
                with pytest.raises((ConnectionLostError, ResponseTimeoutError)):
                    client.write_register(0, 1)
                assert time.monotonic() - began < _MOST
                assert len(came) > 2


def test_waiting_for_a_unix_socket_with_a_full_backlog(package: Package, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(path)
        listener.listen(0)
        first.connect(path)
        with signals() as came:
            began = time.monotonic()
            with pytest.raises(ConnectionLostError, match="timed out"):
                package.UnixClient(path, connect_timeout=_TIMEOUT).connect()
            assert time.monotonic() - began < _MOST
            assert len(came) > 2

"""For tests of servers: raw sockets as clients, a unit that waits, and frames."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from modwire import (
    Block,
    Decoder,
    RtuFraming,
    SequentialBlock,
    TcpFraming,
    Unit,
    Units,
)

PATIENCE = 20.0  # seconds; only a failing test waits for all of it


def memory_unit() -> Unit:
    """A unit of 100 holding registers, each with its address as value, and 2000 coils, all OFF."""
    return Unit(
        coils=SequentialBlock(0, [0] * 2000), holding_registers=SequentialBlock(0, range(100))
    )


class Gate(Block):
    """Registers with reads that wait until `opened` is set; `entered` counts waiting reads."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.entered = threading.Semaphore(0)

    def read(self, address: int, count: int) -> list[int]:
        self.entered.release()
        assert self.opened.wait(PATIENCE)
        return [0x4711] * count

    def wait_entered(self) -> None:
        assert self.entered.acquire(timeout=PATIENCE), "the unit was never asked"


def gated_units() -> tuple[Units, Gate]:
    """Unit 1 in memory, and unit 2 that blocks at a gate."""
    gate = Gate()
    return Units({1: memory_unit(), 2: Unit(holding_registers=gate, blocking=True)}), gate


def tcp(pdu: str, transaction: int = 1, unit: int = 1) -> bytes:
    """An MBAP frame."""
    return TcpFraming(Decoder(), is_server=True).wrap(unit, transaction, bytes.fromhex(pdu))


def rtu(pdu: str, unit: int = 1) -> bytes:
    """An RTU frame."""
    return RtuFraming(Decoder(), is_server=True).wrap(unit, 0, bytes.fromhex(pdu))


READ = tcp("0300050001")
READ_ANSWER = tcp("03020005")


class RawClient:
    """A plain socket that is connected to a server, with a timeout on every wait."""

    def __init__(
        self,
        address: tuple[str, int] | str,
        source: str = "",
        *,
        sockets: ModuleType = socket,
        buffer: int = 0,
    ) -> None:
        """Connect with a socket of the module `sockets`; `buffer` is its size in bytes if not 0."""
        family = sockets.AF_UNIX if isinstance(address, str) else sockets.AF_INET
        if ":" in address[0]:
            family = sockets.AF_INET6
        self.socket = sockets.socket(family, sockets.SOCK_STREAM)
        self.socket.settimeout(PATIENCE)
        if buffer:
            self.socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, buffer)
            self.socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, buffer)
        try:
            if source:
                self.socket.bind((source, 0))
            self.socket.connect(address)
        except BaseException:
            self.socket.close()
            raise

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self, size: int) -> bytes:
        """Return exactly `size` bytes, or fewer if the stream ends."""
        data = bytearray()
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                break
            data += piece
        return bytes(data)

    def ask(self, request: bytes, answer: bytes) -> None:
        """Send `request` and expect `answer`."""
        self.send(request)
        received = self.receive(len(answer))
        assert received == answer, f"{received.hex(' ')} is not {answer.hex(' ')}"

    def is_closed(self) -> bool:
        """Wait; return True if the server closes the connection, False if it sends something."""
        try:
            return bool(self.socket.recv(1) == b"")
        except ConnectionResetError:
            return True

    def cut(self) -> None:
        """End the connection with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close()

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for a state that no event announces."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "the state never came"
        time.sleep(0.001)


class Line:
    """The far end of a serial line, a pseudo-terminal; the server opens `port`."""

    def __init__(self, wait: Callable[..., Any] = select.select) -> None:
        """Open the line; `wait` waits for bytes and has the arguments of `select`."""
        self._wait = wait
        self.far, self._near = os.openpty()
        tty.setraw(self._near)
        self.port = os.ttyname(self._near)

    def send(self, data: bytes) -> None:
        os.write(self.far, data)

    def receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            ready, _, _ = self._wait([self.far], [], [], PATIENCE)
            assert ready, f"only {data.hex(' ')!r} came"
            data += os.read(self.far, size - len(data))
        return data

    def ask_until_answered(self, request: bytes, answer: bytes) -> None:
        """Repeat `request` until it gets a response: opening a port drops earlier bytes."""
        end = time.monotonic() + PATIENCE
        while not self._wait([self.far], [], [], 0.2)[0]:
            assert time.monotonic() < end, "there is no answer"
            self.send(request)
        assert self.receive(len(answer)) == answer

    def fill(self) -> None:
        """Fill the line to the far end, so that the near end can send nothing."""
        near = os.open(self.port, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            wait_until(lambda: _is_full(near))
        finally:
            os.close(near)

    def drain(self) -> None:
        """Read and discard the bytes at the far end."""
        while self._wait([self.far], [], [], 0.2)[0]:
            os.read(self.far, 1 << 16)

    def ask(self, request: bytes, answer: bytes) -> None:
        self.send(request)
        received = self.receive(len(answer))
        assert received == answer, f"{received.hex(' ')} is not {answer.hex(' ')}"

    def hang_up(self) -> None:
        """Pull the adapter out."""
        os.close(self.far)
        self.far = -1

    def close(self) -> None:
        if self.far >= 0:
            os.close(self.far)
        os.close(self._near)


def _is_full(descriptor: int) -> bool:
    """Write as much as possible; return True if nothing could be written."""
    try:
        while os.write(descriptor, bytes(256)):
            pass
    except BlockingIOError:
        return not select.select([], [descriptor], [], 0.05)[1]
    return False


@contextmanager
def line(wait: Callable[..., Any] = select.select) -> Iterator[Line]:
    made = Line(wait)
    try:
        yield made
    finally:
        made.close()

"""What the tests of the servers share: raw sockets as clients, a unit that waits, and frames."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from modwire import (
    Block,
    Decoder,
    RtuFraming,
    SequentialBlock,
    TcpFraming,
    Unit,
    Units,
)

PATIENCE = 20.0  # seconds; only a test that fails waits so long


def memory_unit() -> Unit:
    """100 holding registers that have their addresses as values, and 2000 coils, all OFF."""
    return Unit(
        coils=SequentialBlock(0, [0] * 2000), holding_registers=SequentialBlock(0, range(100))
    )


class Gate(Block):
    """Registers whose reading waits until `opened` is set; `entered` says that one waits."""

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
    """A plain socket that talks to a server, with a bound on every wait."""

    def __init__(self, address: tuple[str, int] | str, source: str = "") -> None:
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.settimeout(PATIENCE)
            self.socket.connect(address)
        else:
            where = (source, 0) if source else None
            self.socket = socket.create_connection(address, PATIENCE, where)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self, size: int) -> bytes:
        """Exactly `size` bytes, or fewer where the stream ends."""
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
        """Whether the server closes the connection; waits for it, and takes no other bytes."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait until something is so that no event tells."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it never came to be so"
        time.sleep(0.001)


class Line:
    """The far end of a serial line: a pseudo-terminal. `port` is what the server opens."""

    def __init__(self) -> None:
        self.far, self._near = os.openpty()
        tty.setraw(self._near)
        self.port = os.ttyname(self._near)

    def send(self, data: bytes) -> None:
        os.write(self.far, data)

    def receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            ready, _, _ = select.select([self.far], [], [], PATIENCE)
            assert ready, f"only {data.hex(' ')!r} came"
            data += os.read(self.far, size - len(data))
        return data

    def ask(self, request: bytes, answer: bytes) -> None:
        self.send(request)
        received = self.receive(len(answer))
        assert received == answer, f"{received.hex(' ')} is not {answer.hex(' ')}"

    def hang_up(self) -> None:
        """The adapter is pulled out."""
        os.close(self.far)
        self.far = -1

    def close(self) -> None:
        if self.far >= 0:
            os.close(self.far)
        os.close(self._near)


@contextmanager
def line() -> Iterator[Line]:
    made = Line()
    try:
        yield made
    finally:
        made.close()

"""Scripted far ends for tests of clients: a socket or a pseudo-terminal with a thread behind it.

A script is a function of one `Peer`; if it raises an error, the test fails. A peer sends only what
its script sends, so a test can simulate every fault.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import tty
from collections.abc import Callable, Iterator
from types import TracebackType

from modwire.checksums import crc16

PATIENCE = 20.0  # seconds; only a failing test waits for all of it


class Peer:
    """The far end of one link."""

    def receive(self) -> bytes:
        raise NotImplementedError

    def send(self, *pieces: bytes) -> None:
        raise NotImplementedError

    def request(self, size: int = 12) -> bytes:
        """Receive `size` bytes: a request of functions 1 to 6 has 12 on TCP, 8 on RTU."""
        data = b""
        while len(data) < size:
            piece = self.receive()
            assert piece, f"the client closed the link after {data.hex(' ')!r}"
            data += piece
        return data

    def expect_end(self) -> None:
        """Fail unless the client closes the link next."""
        data = self.receive()
        assert data == b"", f"the client sent {data.hex(' ')}"


class SocketPeer(Peer):
    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.address: object = None
        sock.settimeout(PATIENCE)

    def receive(self) -> bytes:
        data, self.address = self.socket.recvfrom(2048)
        return data

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            if self.socket.type == socket.SOCK_DGRAM:
                self.socket.sendto(piece, self.address)  # type: ignore[arg-type]
            else:
                self.socket.sendall(piece)

    def reset(self) -> None:
        """End the connection with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()


class PtyPeer(Peer):
    """The far end of a serial line; `path` is the device that the client opens."""

    def __init__(self) -> None:
        self.fd, self._near = os.openpty()
        tty.setraw(self._near)
        self.path = os.ttyname(self._near)

    def receive(self) -> bytes:
        ready, _, _ = select.select([self.fd], [], [], PATIENCE)
        assert ready, "the client sent nothing"
        return os.read(self.fd, 2048)

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            os.write(self.fd, piece)

    def wait_delivered(self) -> None:
        """Wait until the sent bytes can be read at the near end, even if no program reads."""
        ready, _, _ = select.select([self._near], [], [], PATIENCE)
        assert ready, "the line does not deliver"

    def close(self) -> None:
        for fd in (self.fd, self._near):
            with contextlib.suppress(OSError):
                os.close(fd)

    def unplug(self) -> None:
        os.close(self.fd)


Script = Callable[[SocketPeer], None]


class Background:
    """A thread during a `with` block; the end of the block raises the thread's error."""

    def __init__(self, run: Callable[[], None]) -> None:
        self._run = run
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._catch, daemon=True)

    def _catch(self) -> None:
        try:
            self._run()
        except BaseException as error:  # noqa: BLE001 - raised again in join
            self._error = error

    def join(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the thread is still waiting"
        if self._error is not None:
            raise self._error

    def __enter__(self) -> Background:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.join()


@contextlib.contextmanager
def tcp_server(*scripts: Script, host: str = "127.0.0.1", buffer: int = 0) -> Iterator[int]:
    """Yield the port of a server that runs one script per connection, one at a time.

    `buffer` is the size of its receive buffers in bytes, 0 for the system's choice.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        socket.create_server((host, 0), family=family) as listener,
        Background(lambda: _serve(listener, scripts)),
    ):
        if buffer:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        yield listener.getsockname()[1]


@contextlib.contextmanager
def tcp_service(script: Script, buffer: int = 0) -> Iterator[int]:
    """Yield the port of a server that runs the script for each connection, one at a time."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        if buffer:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        over = False

        def serve() -> None:
            while not over:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(ConnectionError):
                    script(SocketPeer(connection))

        with Background(serve):
            yield listener.getsockname()[1]
            over = True
            socket.create_connection(listener.getsockname()).close()


@contextlib.contextmanager
def unix_server(path: str, *scripts: Script) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        with Background(lambda: _serve(listener, scripts)):
            yield


def _serve(listener: socket.socket, scripts: tuple[Script, ...]) -> None:
    listener.settimeout(PATIENCE)
    for script in scripts:
        connection, _ = listener.accept()
        with connection:
            script(SocketPeer(connection))


@contextlib.contextmanager
def udp_server(script: Script, host: str = "127.0.0.1") -> Iterator[int]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))
        with Background(lambda: script(SocketPeer(sock))):
            yield sock.getsockname()[1]


@contextlib.contextmanager
def serial_line(script: Callable[[PtyPeer], None]) -> Iterator[str]:
    """Yield the path of a serial port with the script at its other end."""
    peer = PtyPeer()
    try:
        with Background(lambda: script(peer)):
            yield peer.path
    finally:
        peer.close()


@contextlib.contextmanager
def refusing_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> Iterator[int]:
    """Yield a reserved port that refuses connections or datagrams."""
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_DGRAM:
            taken.connect(taken.getsockname())  # it receives datagrams from itself only
        yield taken.getsockname()[1]


def mbap(request: bytes, pdu: bytes, *, transaction: int | None = None) -> bytes:
    """Return the ADU of the response `pdu` to the ADU `request`."""
    head = request[:2] if transaction is None else transaction.to_bytes(2, "big")
    return head + b"\0\0" + (len(pdu) + 1).to_bytes(2, "big") + request[6:7] + pdu


def rtu(unit: int, pdu: bytes) -> bytes:
    body = bytes((unit,)) + pdu
    return body + crc16(body).to_bytes(2, "little")


def registers(*values: int, function_code: int = 3) -> bytes:
    """Return the PDU of a read response with these registers."""
    data = b"".join(value.to_bytes(2, "big") for value in values)
    return bytes((function_code, len(data))) + data


def answer_reads(peer: Peer) -> None:
    """Answer every read of one register with its address, until the client closes the link."""
    while data := peer.receive():
        for at in range(0, len(data), 12):
            request = data[at : at + 12]
            peer.send(mbap(request, registers(int.from_bytes(request[8:10], "big"))))


def answer_one_read(peer: Peer) -> None:
    request = peer.request()
    peer.send(mbap(request, registers(int.from_bytes(request[8:10], "big"))))

"""`Line`, the device's end of a link, for scripts, and `serving`, which runs a script.

The line reads requests and makes right answers, so a script has only the fault. Nothing here uses
a framing of modwire: the devices are a judge of it.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import threading
import tty
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

from .device import Device, On

_POLL = 0.05  # seconds until a thread sees that the test is over


def crc16(data: bytes) -> bytes:
    """Return the CRC of an RTU frame, as it is sent."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc.to_bytes(2, "little")


@dataclass
class State:
    """The memory of a device, shared by its connections."""

    registers: dict[int, int] = field(default_factory=dict[int, int])
    connections: int = 0
    requests: int = 0
    notes: dict[str, Any] = field(default_factory=dict[str, Any])
    over: threading.Event = field(default_factory=threading.Event)


@dataclass
class Request:
    """A request that the device has received."""

    kind: str
    transaction: int
    unit: int
    pdu: bytes
    state: State
    number: int
    raw: bytes

    @property
    def function(self) -> int:
        return self.pdu[0]

    @property
    def address(self) -> int:
        return int.from_bytes(self.pdu[1:3], "big")

    @property
    def count(self) -> int:
        return int.from_bytes(self.pdu[3:5], "big")

    def right(self) -> bytes:
        """Execute the request; return the PDU of the right answer."""
        function, memory = self.function, self.state.registers
        if function in (3, 4):
            return self.registers(*(memory.get(each, each & 0xFFFF) for each in self._range()))
        if function in (1, 2):
            bits = [each % 3 == 0 for each in self._range()]
            data = bytes(
                sum(bit << at for at, bit in enumerate(bits[start : start + 8]))
                for start in range(0, len(bits), 8)
            )
            return bytes((function, len(data))) + data
        if function == 6:
            memory[self.address] = self.count
        elif function == 16:
            values = struct.unpack(f">{self.count}H", self.pdu[6:])
            memory.update(zip(self._range(), values, strict=True))
        elif function not in (5, 15):
            return self.refusal(1)
        return self.pdu[:5]

    def _range(self) -> range:
        return range(self.address, self.address + self.count)

    def registers(self, *values: int) -> bytes:
        """Return the PDU of a read answer with these values."""
        return bytes((self.function, 2 * len(values))) + struct.pack(f">{len(values)}H", *values)

    def refusal(self, code: int) -> bytes:
        """Return the PDU of the exception response `code`."""
        return bytes((self.function | 0x80, code))

    def frame(
        self,
        pdu: bytes | None = None,
        *,
        unit: int | None = None,
        transaction: int | None = None,
        length: int | None = None,
    ) -> bytes:
        """Return the frame of `pdu`, by default of the right answer; the rest as the request's."""
        pdu = self.right() if pdu is None else pdu
        body = bytes((self.unit if unit is None else unit,)) + pdu
        if self.kind == "rtu":
            return body + crc16(body)
        if self.kind == "ascii":
            checked = body + bytes((-sum(body) & 0xFF,))
            return b":" + checked.hex().upper().encode() + b"\r\n"
        transaction = self.transaction if transaction is None else transaction
        length = len(body) if length is None else length
        return struct.pack(">HHH", transaction & 0xFFFF, 0, length) + body


class Line:
    """One link of a device, on a connection, a datagram socket or a pseudo-terminal.

    - `kind`: the frames on it: "tcp", "rtu" or "ascii"; a script may change it at its start.
    - `number`: 1 for the first connection of the device, 2 for the next.
    - `state`: the memory of the device.
    """

    def __init__(self, on: On, state: State, number: int, end: socket.socket | int) -> None:
        self.on = on
        self.kind = on.partition("+")[0].replace("udp", "tcp")
        self.state = state
        self.number = number
        self.end = end
        self.peer: Any = None  # of the last datagram
        self._buffer = b""

    # Bytes.

    def receive(self, wait: float | None = None) -> bytes:
        """Return bytes; b"" at the end of the connection, or after `wait` seconds without any.

        Raises ConnectionError if the test is over.
        """
        waited = 0.0
        while not select.select([self.end], [], [], _POLL if wait is None else wait)[0]:
            waited += _POLL
            if wait is not None:
                return b""
            if self.state.over.is_set():
                raise ConnectionError("the test is over")
        if isinstance(self.end, int):
            return os.read(self.end, 4096)
        if self.end.type == socket.SOCK_DGRAM:
            data, self.peer = self.end.recvfrom(4096)
            return data
        return self.end.recv(4096)

    def send(self, *pieces: bytes, gap: float = 0.0) -> None:
        """Send the pieces, with `gap` seconds between them."""
        for number, piece in enumerate(pieces):
            if number:
                self.wait(gap)
            if isinstance(self.end, int):
                os.write(self.end, piece)
            elif self.end.type == socket.SOCK_DGRAM:
                self.end.sendto(piece, self.peer)
            else:
                self.end.sendall(piece)

    def wait(self, seconds: float) -> None:
        """Let time pass in the device. Raises ConnectionError if the test ends meanwhile."""
        if self.state.over.wait(seconds):
            raise ConnectionError("the test is over")

    def is_quiet(self, seconds: float) -> bool:
        """True if nothing arrives for this time; what arrives stays to be received.

        Raises ConnectionError if the test is over.
        """
        is_quiet = not select.select([self.end], [], [], seconds)[0]
        if self.state.over.is_set():
            raise ConnectionError("the test is over")
        return is_quiet

    @property
    def has_more(self) -> bool:
        """True if another whole request has been received already."""
        return 0 < self._request_size() <= len(self._buffer)

    def unread(self, data: bytes) -> None:
        """Put bytes back, as if they had not been received."""
        self._buffer = data + self._buffer

    def discard(self) -> None:
        """Lose what has arrived."""
        self._buffer = b""
        while not self.is_quiet(0):
            if not self.receive():
                raise ConnectionError("the client closed the connection")

    def reset(self) -> None:
        """End the connection with a reset."""
        assert isinstance(self.end, socket.socket)
        self.end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionError("reset")

    def end_sending(self) -> None:
        """Close this half of the connection; what the client sends still arrives."""
        assert isinstance(self.end, socket.socket)
        self.end.shutdown(socket.SHUT_WR)

    # Requests.

    def requests(self) -> Iterator[Request]:
        """Yield the requests until the client closes the connection."""
        while True:
            while (size := self._request_size()) and len(self._buffer) >= size:
                data, self._buffer = self._buffer[:size], self._buffer[size:]
                self.state.requests += 1
                yield self._request(data)
            data = self.receive()
            if not data:
                return
            self._buffer += data

    def next(self) -> Request:
        """Return the next request. Raises ConnectionError if there is none."""
        for request in self.requests():
            return request
        raise ConnectionError("the client closed the connection")

    def answer_all(self) -> None:
        """Answer all requests right until the client closes the connection."""
        for request in self.requests():
            self.send(request.frame())

    def answer_only_right_frames(self) -> None:
        """Answer as `answer_all`, and ignore frames of another kind, as a device does."""
        while data := self.receive():
            is_tcp = len(data) == 12 and data[2:5] == b"\0\0\0" and data[5] == 6
            is_rtu = crc16(data[:-2]) == data[-2:]
            if is_tcp if self.kind == "tcp" else is_rtu:
                self.send(self._request(data).frame())

    def _request_size(self) -> int:
        data = self._buffer
        if self.kind == "ascii":
            return data.find(b"\r\n") + 2 if b"\r\n" in data else 0
        if self.kind == "tcp":
            return 6 + int.from_bytes(data[4:6], "big") if len(data) >= 6 else 0
        if len(data) < 7:
            return 4 if len(data) >= 4 and data[1] in (7, 11, 12, 17) else 0
        if data[1] in (15, 16):
            return 9 + data[6]
        return {7: 4, 11: 4, 12: 4, 17: 4, 22: 10, 43: 7}.get(data[1], 8)

    def _request(self, data: bytes) -> Request:
        number = self.state.requests
        if self.kind == "tcp":
            transaction = int.from_bytes(data[:2], "big")
            return Request(self.kind, transaction, data[6], data[7:], self.state, number, data)
        if self.kind == "ascii":
            body = bytes.fromhex(data.strip(b":\r\n").decode())[:-1]
        else:
            body = data[:-2]
            assert crc16(body) == data[-2:], f"the request {data.hex(' ')} has a wrong CRC"
        return Request(self.kind, 0, body[0], body[1:], self.state, number, data)


class Served:
    """A device that runs; `place` is the part of its endpoint after the scheme."""

    def __init__(self, device: Device, on: On) -> None:
        self.state = State()
        self.errors: list[BaseException] = []
        self.place = ""
        self._device = device
        self._on: On = on
        self._threads: list[threading.Thread] = []
        self.is_connected = threading.Event()

    def start(self, run: Callable[[], None]) -> None:
        def catch() -> None:
            try:
                run()
            except OSError:
                pass  # the client or the script has ended the link
            except BaseException as error:  # noqa: BLE001 - raised at the end of the test
                self.errors.append(error)

        thread = threading.Thread(target=catch, daemon=True)
        self._threads.append(thread)
        thread.start()

    def play(self, end: socket.socket | int) -> None:
        self.state.connections += 1
        self.is_connected.set()
        self._device.script(Line(self._on, self.state, self.state.connections, end))

    def accept(self, listener: socket.socket) -> None:
        while not self.state.over.is_set():
            if select.select([listener], [], [], _POLL)[0]:
                link, _ = listener.accept()
                link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.start(lambda link=link: self._connection(link))  # type: ignore[misc]

    def _connection(self, link: socket.socket) -> None:
        with link:
            self.play(link)

    def end(self) -> None:
        self.state.over.set()
        for thread in self._threads:
            thread.join(10.0)
            assert not thread.is_alive(), f"the script of {self._device.name} does not end"
        for error in self.errors:
            raise error


@contextlib.contextmanager
def serving(device: Device, on: On, *, is_taken: bool = False) -> Generator[Served]:
    """Run a device; the end of the block ends it, and raises an error of its script.

    If `is_taken`, another program is connected to it meanwhile.
    """
    served = Served(device, on)
    with contextlib.ExitStack() as stack:
        if on in ("rtu", "ascii"):
            ours, theirs = os.openpty()
            stack.callback(os.close, ours)
            stack.callback(os.close, theirs)
            tty.setraw(theirs)
            served.place = os.ttyname(theirs)
            served.start(lambda: served.play(ours))
        elif on.endswith("udp"):
            datagrams = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            datagrams.bind(("127.0.0.1", 0))
            served.place = f"127.0.0.1:{datagrams.getsockname()[1]}"
            served.start(lambda: served.play(datagrams))
        else:
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            served.place = f"127.0.0.1:{listener.getsockname()[1]}"
            if device.listens:
                listener.listen()
                served.start(lambda: served.accept(listener))
                if is_taken:
                    other = socket.create_connection(listener.getsockname(), 10.0)
                    stack.enter_context(other)
                    served.is_connected.wait(10.0)
        stack.callback(served.end)
        yield served

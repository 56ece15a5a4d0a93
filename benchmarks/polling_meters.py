"""The simulated meters of `polling.py`, as a process of its own, and the numbers that came from it.

A meter is a unit at an address of loopback. Each register pair has the number of the reading, as a
uint32, so that a value that is missing at the subscriber is noticed. The program prints its port,
and at the end of SIGTERM the times of all readings of each meter, and its processor time.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import struct
import threading
import time
from typing import NamedTuple


class Meters(asyncio.Protocol):
    """A connection; `times` has those of the readings of each meter, by address and unit."""

    def __init__(self, times: dict[str, list[float]]) -> None:
        self._times = times
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._address = transport.get_extra_info("sockname")[0]
        if not transport.get_extra_info("peername")[0].startswith("127."):
            transport.abort()

    def data_received(self, data: bytes) -> None:
        self._data += data
        while len(self._data) >= 12:
            head, self._data = self._data[:12], self._data[12:]
            transaction, _, _, unit, function, address, count = struct.unpack(">HHHBBHH", head)
            times = self._times.setdefault(f"{self._address} {unit}", [])
            if address == 0:
                times.append(time.monotonic())
            number = struct.pack(">L", len(times)) * (count // 2)
            size = len(number)
            answer = struct.pack(">HHHBBB", transaction, 0, size + 3, unit, function, size)
            self._transport.write(answer + number)


async def serve_meters() -> None:
    """Serve until SIGTERM."""
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    loop.add_signal_handler(signal.SIGTERM, ended.set_result, None)
    times: dict[str, list[float]] = {}
    server = await loop.create_server(lambda: Meters(times), "0.0.0.0", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await ended
    print(json.dumps({"times": times}))


class Numbers:
    """The numbers that came to a topic: each once, in order, except `gaps` and `repeated`."""

    def __init__(self) -> None:
        self.last = 0
        self.repeated = 0
        self.gaps: list[tuple[int, int]] = []

    def add(self, number: int) -> None:
        if number <= self.last:
            self.repeated += 1
            return
        if number > self.last + 1:
            self.gaps.append((self.last + 1, number - 1))
        self.last = number

    def missing(self, first: int, last: int) -> int:
        """Return how many of the numbers `first` to `last` have not come."""
        gaps = [*self.gaps, (self.last + 1, max(self.last, last))]
        return sum(max(0, min(end, last) - max(begin, first) + 1) for begin, end in gaps)


class _Packet(NamedTuple):
    kind: int
    body: bytes


class Subscriber:
    """Receives the values of all points, with as little work as possible; `topics` has them.

    A client with a callback for each message would need half a processor for 8,000 per second.
    """

    def __init__(self, port: int) -> None:
        self.topics: dict[bytes, Numbers] = {}
        self.bad = 0
        self._data = bytearray()
        self._socket = socket.create_connection(("127.0.0.1", port), 10)
        self._send(0x10, b"\0\4MQTT\4\2\0\0\0\7numbers")
        self._send(0x82, b"\0\1\0\x09plant/+/+\0")
        assert [self._packet().kind, self._packet().kind] == [2, 9]
        self._socket.settimeout(None)
        threading.Thread(target=self._run, daemon=True).start()

    def _send(self, kind: int, body: bytes) -> None:
        self._socket.sendall(bytes((kind, len(body))) + body)

    def _packet(self) -> _Packet:
        """Return the next packet; raises EOFError at the end."""
        while True:
            data, size, at = self._data, 0, 1
            while at < len(data):
                size += (data[at] & 0x7F) << 7 * (at - 1)
                at += 1
                if not data[at - 1] & 0x80:
                    if len(data) < at + size:
                        break
                    kind, body = data[0] >> 4, bytes(data[at : at + size])
                    del data[: at + size]
                    return _Packet(kind, body)
            more = self._socket.recv(65536)
            if not more:
                raise EOFError
            data += more

    def _run(self) -> None:
        try:
            while True:
                packet = self._packet()
                if packet.kind == 3:
                    size = 2 + int.from_bytes(packet.body[:2], "big")
                    self._count(packet.body[2:size], packet.body[size:])
        except (EOFError, OSError):
            return

    def _count(self, topic: bytes, payload: bytes) -> None:
        """Count a value: a number alone, or JSON that begins with it."""
        if payload.startswith(b"{"):
            if b'"good"' not in payload:
                self.bad += 1
                return
            payload = payload[payload.index(b":") + 1 : payload.index(b",")]
        numbers = self.topics.get(topic)
        if numbers is None:
            numbers = self.topics[topic] = Numbers()
        numbers.add(int(payload))

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


if __name__ == "__main__":
    asyncio.run(serve_meters())

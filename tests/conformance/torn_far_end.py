"""The far ends of lines on which frames arrive torn: a program without modwire.

It is a process of its own, because a thread of the tested process would be held up with it. Its
argument is a JSON list of lines; each line has a thread, which is a device that answers in pieces
or a client that asks in pieces. Clients are counted: the program prints, for each line, the number
of right answers and the exchanges that failed, and ends.

A line is `role` ("device" or "client"), `fd` of a terminal or a listening socket or `address` of a
server, `baudrate`, `gap` (seconds between the pieces, None for the lumps of an adapter), `cuts`
(the places at which each frame is torn, in turn), and `count` of exchanges. A piece arrives when
the last of its characters would be through a line of that speed.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import threading
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

PATIENCE = 15.0  # seconds for one exchange; only a failing one takes all of them
LATENCY = 0.016  # seconds after which a usual USB adapter delivers what it has
MOST = 62  # characters that it delivers at once at the latest
GIVES_UP = 3  # failures of one line


def crc(data: bytes) -> bytes:
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value.to_bytes(2, "little")


def frame(body: bytes) -> bytes:
    return body + crc(body)


def registers(address: int, count: int) -> bytes:
    """The contents of registers, each of which has its address as value."""
    return b"".join([(address + i).to_bytes(2, "big") for i in range(count)])


class Line:
    """One line, open at its far end."""

    def __init__(self, setting: dict[str, Any]) -> None:
        self.setting = setting
        self.character = 11 / setting["baudrate"]
        self.right = 0
        self.failed: list[str] = []
        self._socket: socket.socket | None = None
        self._fd = setting.get("fd", -1)

    def open(self) -> None:
        if "address" in self.setting:
            self._socket = socket.create_connection(self.setting["address"], PATIENCE)
        elif self.setting["is_socket"]:
            self._socket = socket.socket(fileno=self._fd).accept()[0]
        if self._socket is not None:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._fd = self._socket.fileno()

    def receive(self, size: int, patience: float | None) -> bytes:
        """Return `size` bytes; fewer when they do not come, or at the end."""
        data = b""
        until = None if patience is None else time.monotonic() + patience
        while len(data) < size:
            left = None if until is None else max(0.0, until - time.monotonic())
            if not select.select([self._fd], [], [], left)[0]:
                break
            piece = os.read(self._fd, size - len(data))
            if not piece:
                break
            data += piece
        return data

    def pieces(self, data: bytes, turn: int) -> Sequence[tuple[bytes, float]]:
        """The pieces of a frame, each with the seconds before it arrives."""
        gap = self.setting["gap"]
        if gap is None:
            size = max(1, min(MOST, int(LATENCY / self.character)))
            places = [*range(0, len(data), size), len(data)]
        else:
            cuts = self.setting["cuts"]
            places = [0, *cuts[turn % len(cuts)], len(data)]
        found = []
        for start, end in pairwise(places):
            seconds = (end - start) * self.character
            if gap is None:
                seconds = seconds if end - start == MOST else max(seconds, LATENCY)
            elif start:
                seconds += gap
            found.append((data[start:end], seconds))
        return found

    def send(self, data: bytes, turn: int) -> None:
        until = time.monotonic()
        for piece, seconds in self.pieces(data, turn):
            until += seconds
            time.sleep(max(0.0, until - time.monotonic()))
            os.write(self._fd, piece)


def device(line: Line) -> None:
    """Answer requests to read registers."""
    turn = 0
    while len(request := line.receive(8, None)) == 8:
        if frame(request[:6]) != request:
            print(f"a damaged request: {request.hex(' ')}", file=sys.stderr)
            return
        unit, code, address, count = request[0], request[1], request[2:4], request[5]
        body = bytes((unit, code, 2 * count)) + registers(int.from_bytes(address, "big"), count)
        line.send(frame(body), turn)
        turn += 1


def client(line: Line) -> None:
    """Read and write registers of a server, and count the right answers."""
    setting = line.setting
    for turn in range(setting["count"]):
        start, count = turn % 50, setting["registers"]
        head = start.to_bytes(2, "big") + count.to_bytes(2, "big")
        values = registers(start, count)
        if setting["gap"] is None:  # only a long request comes in lumps
            request = b"\1\x10" + head + bytes((2 * count,)) + values
            answer = frame(b"\1\x10" + head)
        else:
            request = b"\1\3" + head
            answer = frame(b"\1\3" + bytes((2 * count,)) + values)
        line.send(frame(request), turn)
        received = line.receive(len(answer), PATIENCE)
        if received == answer:
            line.right += 1
            continue
        line.failed.append(f"exchange {turn}: {received.hex(' ') or 'no answer'}")
        if len(line.failed) == GIVES_UP:
            return


def run(line: Line) -> None:
    try:
        line.open()
        (device if line.setting["role"] == "device" else client)(line)
    except OSError as error:
        line.failed.append(f"the link was lost: {error}")


def main() -> None:
    lines = [Line(setting) for setting in json.loads(sys.argv[1])]
    threads = [threading.Thread(target=run, args=(line,), daemon=True) for line in lines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps([[line.right, line.failed] for line in lines]))


if __name__ == "__main__":
    main()

"""RTU frames that arrive in pieces, with pauses between them, on real terminals and connections.

USB adapters deliver in lumps, networks send lost packets again, and a program that is busy reads
late. None of that may cost a request. The tested process is also held up for 30 ms now and then.

With MODWIRE_FULL=1: a hundred exchanges for each client and server, medium, baud rate and gap,
torn at every single byte and at all bytes, with the process held up and not. It takes minutes, and
prints its counts (pytest -rP).
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tty
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from .torn_sides import HOST, SIDES, Line, Side

FULL = os.environ.get("MODWIRE_FULL", "") not in ("", "0")
LUMPS = None
GAPS = [0.001, 0.016, 0.03, 0.1, 0.25, LUMPS] if FULL else [0.001, 0.03, 0.25, LUMPS]
BAUDRATES = [1200, 9600, 115200] if FULL else [9600]
HOLDS = [True, False] if FULL else [True]
SHORT = 2  # registers of a frame that is torn at chosen bytes
LONG = {1200: 20, 9600: 60, 115200: 100}  # registers of a frame that takes an adapter's time
PROGRAM = Path(__file__).with_name("torn_far_end.py")


def cuts(size: int) -> list[list[int]]:
    """The places at which the frames of `size` bytes are torn, one frame after the other."""
    everywhere = [*range(1, size)]
    if FULL:
        return [*([place] for place in everywhere), everywhere]
    return [[1], [3], [size - 3], [size - 1], [2, 4]]


class Wires:
    """Lines for all baud rates and gaps: their near ends, and what the far program is told."""

    def __init__(self, role: str, is_serial: bool) -> None:
        self.near: list[Line] = []
        self.far: list[dict[str, Any]] = []
        self.fds: list[int] = []
        self._opened: list[Any] = []
        self._terminals: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None
        for baudrate in BAUDRATES:
            for gap in GAPS:
                self._add(role, is_serial, baudrate, gap)

    def _add(self, role: str, is_serial: bool, baudrate: int, gap: float | None) -> None:
        size = 5 + 2 * SHORT if role == "device" else 8
        registers = LONG[baudrate] if gap is LUMPS else SHORT
        count = 100 if FULL else 2 if gap == 0.25 else len(cuts(size))
        far = {"role": role, "baudrate": baudrate, "gap": gap, "cuts": cuts(size)}
        far |= {"count": count, "registers": registers}
        path, port = "", 0
        if is_serial:
            master, near = os.openpty()
            tty.setraw(near)
            path = os.ttyname(near)
            self._terminals += [master, near]
            self.fds.append(master)
            far |= {"fd": master, "is_socket": False}
        elif role == "device":
            listener = socket.create_server((HOST, 0))
            self._opened.append(listener)
            port = listener.getsockname()[1]
            self.fds.append(listener.fileno())
            far |= {"fd": listener.fileno(), "is_socket": True}
        line = Line(path, baudrate, count, registers)
        line.port = port
        self.near.append(line)
        self.far.append(far)

    def start(self) -> subprocess.Popen[bytes]:
        """Start the program at the far ends."""
        for line, far in zip(self.near, self.far, strict=True):
            if "fd" not in far:
                far["address"] = [HOST, line.port]
        self._process = subprocess.Popen(
            [sys.executable, "-S", str(PROGRAM), json.dumps(self.far)],
            pass_fds=self.fds,
            stdout=subprocess.PIPE,
        )
        return self._process

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        for each in self._opened:
            each.close()
        for fd in self._terminals:
            os.close(fd)

    def report(self, name: str) -> dict[str, str]:
        """The lines on which not every exchange was right; all counts are printed."""
        wrong = {}
        for line, far in zip(self.near, self.far, strict=True):
            gap = "lumps" if far["gap"] is LUMPS else f"gaps of {far['gap'] * 1e3:.0f} ms"
            what = f"{line.baudrate} baud, {gap}"
            print(f"{name}, {what}: {line.right} of {line.count}")
            if line.right != line.count or line.failed:
                wrong[what] = f"{line.right} of {line.count}: {'; '.join(line.failed)}"
        return wrong


MEDIA = pytest.mark.parametrize("is_serial", [True, False], ids=["serial", "tcp"])
HELD = pytest.mark.parametrize("is_held", HOLDS, ids=lambda held: "held up" if held else "free")
EACH = pytest.mark.parametrize("side", SIDES, ids=lambda side: side.name)
TIME = pytest.mark.timeout(1000 if FULL else 60)


def title(side: Side, role: str, is_serial: bool, is_held: bool) -> str:
    held = "held up" if is_held else "free"
    return f"{side.name} {role}, {'serial' if is_serial else 'rtu+tcp'}, {held}"


@TIME
@EACH
@MEDIA
@HELD
def test_a_client_reads_torn_answers(side: Side, is_serial: bool, is_held: bool) -> None:
    with closing(Wires("device", is_serial)) as wires:
        wires.start()
        side.ask(wires.near, is_held)
        assert wires.report(title(side, "client", is_serial, is_held)) == {}


@TIME
@EACH
@MEDIA
@HELD
def test_a_server_answers_torn_requests(side: Side, is_serial: bool, is_held: bool) -> None:
    with closing(Wires("client", is_serial)) as wires:
        printed = side.serve(wires.near, is_held, wires.start)
        counts: Sequence[tuple[int, list[str]]] = json.loads(printed)
        for line, (right, failed) in zip(wires.near, counts, strict=True):
            line.right, line.failed = right, failed
        assert wires.report(title(side, "server", is_serial, is_held)) == {}

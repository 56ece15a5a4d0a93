"""A good client's waiting times while others attack the server, and what the attack leaves behind.

    .venv/bin/python benchmarks/hostile.py                   all packages and attacks, some minutes
    .venv/bin/python benchmarks/hostile.py --package sync --attack hogs --seconds 3
    .venv/bin/python benchmarks/hostile.py --attack hogs --connections 200
    .venv/bin/python benchmarks/hostile.py --readme          also put the table into its README.md

For each row there is a new server with default options. The client is this process: it asks for one
register, waits for the answer and rests for some milliseconds, before the attack and during it; on
a second connection it asks once a second. attacks.py attacks, from a processor of its own if there
are two: otherwise the client would wait for the attacker, and not for the server.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple, Protocol

from attacks import ATTACKS, Attack
from rounds import pin_to_one_core, spare_processors, write_table
from servers import ADDRESS, MODWIRE, UNIT, VALUES, allow_open_files, started

from modwire import ReadHoldingRegistersRequest
from modwire.framing import Framing, RtuFraming, TcpFraming
from modwire.messages import Decoder

HERE = Path(__file__).parent
README = HERE / "README.md"
REST = 0.003  # seconds between two requests of the client
PATIENT_REST = 1.0  # the same on its second connection
# Seconds after which a request counts as unanswered: the clients' default, and on UDP as long as
# those should wait who ask again.
TIMEOUTS = {"tcp": 1.0, "rtu": 1.0, "udp": 0.1}
_SETTLING = 10.0  # seconds for which a server may take to close what an attack has left
_OTHER_FILES = 1200  # open files of a process besides the attack's: the server's 1000, and some


class Waits(NamedTuple):
    """The client's waiting times in milliseconds; an unanswered request counts with its timeout.

    `asked` and `unanswered` are requests on both connections. A connection that was lost is a
    request that was not answered.
    """

    median: float
    percentile_99: float
    longest: float
    asked: int
    unanswered: int


class Usage(NamedTuple):
    """The resources that a server uses: megabytes of memory, open files, seconds of processor."""

    memory: float
    files: int
    processor: float

    @classmethod
    def of(cls, process: int) -> Usage:
        """Return those of a process."""
        proc = Path(f"/proc/{process}")
        pages = int((proc / "statm").read_text(encoding="ascii").split()[1])
        times = (proc / "stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return cls(
            pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
            len(os.listdir(proc / "fd")),
            (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK"),
        )


class Outcome(NamedTuple):
    """One row: `memory` and `files` are those before, during and after the attack.

    `rate` is what the attack did in a second, in `unit`; `load` is the share of a processor that
    the server used meanwhile.
    """

    package: str
    attack: str
    before: Waits
    during: Waits
    rate: float
    unit: str
    load: float
    memory: tuple[float, float, float]
    files: tuple[int, int, int]


class Client:
    """A client that asks for one register at a time, on a `link` of attacks.py."""

    def __init__(self, link: str, port: int) -> None:
        kind: type[Framing] = RtuFraming if link == "rtu" else TcpFraming
        self._framing = kind(Decoder(), is_server=False)
        self._answering = kind(Decoder(), is_server=True)
        self._pdu = ReadHoldingRegistersRequest(ADDRESS, 1).encode()
        self._kind = socket.SOCK_DGRAM if link == "udp" else socket.SOCK_STREAM
        self._timeout = TIMEOUTS[link]
        self._port = port
        self._transaction = 0
        self._socket: socket.socket | None = None

    def ask(self) -> bool:
        """Return True if the answer came; otherwise close the connection."""
        self._transaction = self._transaction % 0xFFFF + 1
        request = self._framing.wrap(UNIT, self._transaction, self._pdu)
        try:
            if self._socket is None:
                self._socket = socket.socket(type=self._kind)
                self._socket.settimeout(self._timeout)
                self._socket.connect(("127.0.0.1", self._port))
                if self._kind == socket.SOCK_STREAM:
                    self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.sendall(request)
            answer = self._socket.recv(64)
        except OSError:
            answer = b""
        if not answer:
            self.close()
            return False
        pdu = b"\x03\x02" + VALUES[0].to_bytes(2, "big")
        if answer != self._answering.wrap(UNIT, self._transaction, pdu):
            raise RuntimeError(f"a wrong answer: {answer.hex(' ')}")
        return True

    def close(self) -> None:
        """Close the connection; the next request opens one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Asks(Protocol):
    """A client that asks for registers."""

    def ask(self) -> bool:
        """Return True if the answer came."""
        ...


def ask_both(busy: Asks, patient: Asks, seconds: float) -> Waits:
    """Ask for so many seconds; the waiting times are those of `busy`."""
    waits: list[float] = []
    asked = unanswered = 0
    end = time.perf_counter() + seconds
    patient_due = 0.0
    while not waits or time.perf_counter() < end:
        began = time.perf_counter()
        unanswered += not busy.ask()
        waits.append(1e3 * (time.perf_counter() - began))
        if began >= patient_due:
            unanswered += not patient.ask()
            asked += 1
            patient_due = began + PATIENT_REST
        time.sleep(REST)
    waits.sort()
    middle, late = statistics.median(waits), waits[int(len(waits) * 0.99)]
    return Waits(middle, late, waits[-1], len(waits) + asked, unanswered)


def measure(package: str, name: str, seconds: float, connections: int | None = None) -> Outcome:
    """Attack a server of `package`, and return what its client and the system saw."""
    attack = ATTACKS[name]
    count = connections or attack.count
    if not allow_open_files(count + _OTHER_FILES):
        raise SystemExit(f"{name}: too few files may be open for {count} connections")
    kind = MODWIRE[package] + ("" if attack.link == "tcp" else f"-{attack.link}")
    with tempfile.TemporaryFile() as log:
        servers = started(str(HERE / "servers.py"), kind, log=log)
        with servers as (server, port):
            outcome = _attacked(server.pid, int(port), package, attack, name, count, seconds)
        log.seek(0)
        if b"Traceback" in (errors := log.read()):
            raise RuntimeError(f"{name} made an error in the server:\n{errors[-4000:].decode()}")
    return outcome


def _attacked(
    server: int, port: int, package: str, attack: Attack, name: str, count: int, seconds: float
) -> Outcome:
    client, patient = Client(attack.link, port), Client(attack.link, port)
    before = ask_both(client, patient, seconds)
    at_first = Usage.of(server)
    command = str(HERE / "attacks.py"), name, str(port), str(count)
    with started(*command, processors=spare_processors) as (attacker, _):
        began, at_begin = time.perf_counter(), Usage.of(server)
        during = ask_both(client, patient, seconds)
        at_end, took = Usage.of(server), time.perf_counter() - began
        done, _, attacked = attacker.communicate()[0].decode().partition(" ")
    give_up = time.monotonic() + _SETTLING
    while (after := Usage.of(server)).files > at_first.files and time.monotonic() < give_up:
        client.ask()
        time.sleep(0.01)
    client.close()
    patient.close()
    return Outcome(
        package,
        attack.title,
        before,
        during,
        int(done) / float(attacked),
        attack.unit,
        (at_end.processor - at_begin.processor) / took,
        (at_first.memory, at_end.memory, after.memory),
        (at_first.files, at_end.files, after.files),
    )


TITLE = (
    "| package | attack | median, 99 %, longest: before, ms | during the attack, ms | unanswered "
    "| attack, 1/s | load | MB before, during, after | files |\n"
    "|---|---|---:|---:|---:|---:|---:|---:|---:|"
)


def line(out: Outcome) -> str:
    """Return the line of the table."""
    cells = [
        out.package,
        out.attack,
        *(
            f"{each.median:.2f}, {each.percentile_99:.1f}, {each.longest:.0f}"
            for each in (out.before, out.during)
        ),
        f"{out.during.unanswered} of {out.during.asked}" if out.during.unanswered else "0",
        f"{out.rate:,.0f} {out.unit}",
        f"{out.load:.0%}",
        ", ".join(f"{each:.0f}" for each in out.memory),
        ", ".join(map(str, out.files)),
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--package", action="append", choices=list(MODWIRE))
    parser.add_argument("--attack", action="append", choices=list(ATTACKS))
    parser.add_argument("--seconds", type=float, default=3.0, help="before and during each attack")
    parser.add_argument("--connections", type=int, help="of each attack")
    parser.add_argument("--json", action="store_true", help="end with the rows as one line of JSON")
    parser.add_argument(
        "--readme", action="store_true", help="write the table to benchmarks/README.md"
    )
    asked = parser.parse_args()
    if asked.readme and (asked.package or asked.attack or asked.connections):
        parser.error("--readme must stand alone: the page has all packages and attacks")
    pin_to_one_core()
    version = f"{platform.python_implementation()} {platform.python_version()}"
    lines = [
        f"Measured on {version}, {platform.system()}, {os.cpu_count()} processors, "
        f"{asked.seconds:g} s for each row:\n",
        TITLE,
    ]
    print("\n".join(lines), flush=True)
    rows: list[Outcome] = []
    for package in asked.package or MODWIRE:
        for name in asked.attack or ATTACKS:
            rows.append(measure(package, name, asked.seconds, asked.connections))
            lines.append(line(rows[-1]))
            print(lines[-1])
            sys.stdout.flush()
    if asked.readme:
        write_table(README, "hostile.py", "\n".join(lines))
    if asked.json:
        named = [{**each._asdict(), "before": each.before._asdict()} for each in rows]
        print(json.dumps([{**each, "during": each["during"]._asdict()} for each in named]))


if __name__ == "__main__":
    main()

"""Servers over TLS: their rates beside plain ones, and a good client's waits while others attack.

    .venv/bin/python benchmarks/tls.py                     all packages, some minutes
    .venv/bin/python benchmarks/tls.py --package trio --rounds 11 --no-attacks
    .venv/bin/python benchmarks/tls.py --readme            also put the tables into its README.md

The rates are of reads of ten registers over TLS 1.3, from sockets of Python's own `ssl`, with both
ends on one processor, in interleaved rounds as in run.py. The attacks are those of tls_attacks.py,
from the other processor if there are two; for each there is a new server with default options.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from hostile import Usage, Waits, ask_both
from rounds import measure, pin_to_one_core, quartiles, spare_processors, wall_sample, write_table
from servers import ANSWER, REQUEST, allow_open_files, running, started
from tls_servers import PACKAGES

HERE = Path(__file__).parent
README = HERE / "README.md"
OF_PLAIN, OF_ECHO = 0.5, 0.9
CONNECTIONS = (1, 50)
GARBAGE = "10,000 connects with garbage"
# By attack: its title, the number for it, and the limit of the client's waits during it, as a
# multiple of those before, if there is one.
ATTACKS = {
    "stalls": ("1,000 handshakes that stall", 1000, 2.0),
    "garbage": (GARBAGE, 10_000, None),
    "handshakes": ("flood of handshakes, 20 at once", 20, None),
}
_TIMEOUT = 5.0
_SETTLING = 30.0  # seconds in which a server closes what an attack has left
_MOST_MEMORY = 8.0  # megabytes that 10,000 connects may leave: caches of the allocator


class Rate(NamedTuple):
    """Requests a second of a package over TLS, of its plain server, and of the bare echo.

    The ratios are medians of the rounds, with their quartiles.
    """

    package: str
    connections: int
    plain: float
    echo: float
    tls: float
    of_plain: float
    of_echo: float
    spread: tuple[float, float]

    @property
    def holds(self) -> bool:
        """True if both targets are met."""
        return self.of_plain >= OF_PLAIN and self.of_echo >= OF_ECHO


class Attacked(NamedTuple):
    """One attack: the client's waits, what the attack did in a second, and what it has left.

    `memory`, in megabytes, and `files` are those before and after the attack.
    """

    package: str
    attack: str
    before: Waits
    during: Waits
    rate: float
    memory: tuple[float, float]
    files: tuple[int, int]
    limit: float | None

    @property
    def holds(self) -> bool:
        """True if the limit is met, if there is one, and nothing is left behind."""
        is_quick = self.limit is None or self.during.median <= self.limit * self.before.median
        has_left = self.files[1] > self.files[0] or (
            self.attack == GARBAGE and self.memory[1] - self.memory[0] > _MOST_MEMORY
        )
        return is_quick and not has_left and not self.during.unanswered


@contextmanager
def plant() -> Iterator[Path]:
    """Yield a folder with an authority, and certificates of a server and of a client."""
    from modwire_tools.pki import Authority

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        authority = Authority.new(folder, "Benchmarks", 30)
        authority.issue("plc", hosts=["127.0.0.1"], days=None)
        authority.issue("client", role="operator", days=None)
        yield folder


def client_context(folder: Path) -> ssl.SSLContext:
    """Return the context of the load."""
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.load_cert_chain(folder / "client.pem", folder / "client.key")
    return context


def dialled(port: int, context: ssl.SSLContext | None) -> socket.socket:
    """Return a connected socket, over TLS if there is a context."""
    link = socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link if context is None else context.wrap_socket(link, server_hostname="127.0.0.1")


class Load:
    """A request on each of several connections, again and again."""

    def __init__(self, port: int, count: int, context: ssl.SSLContext | None) -> None:
        self.links = [dialled(port, context) for _ in range(count)]
        for link in self.links:
            link.settimeout(None)

    def run(self, count: int) -> None:
        """Send so many requests, and check the answers."""
        links = self.links
        for _ in range(count // len(links)):
            for link in links:
                link.sendall(REQUEST)
            for link in links:
                if link.recv(4096) != ANSWER:
                    raise RuntimeError("a wrong answer")

    def close(self) -> None:
        """Close the connections."""
        for link in self.links:
            link.close()


def rates(package: str, folder: Path, rounds: int, requests: int) -> Iterator[Rate]:
    """Measure a package with each number of connections."""
    secure, program = client_context(folder), str(HERE / "tls_servers.py")
    plain = "modwire" if package == "sync" else f"modwire-{package}"
    with ExitStack() as stack:
        ports = {"plain": stack.enter_context(running(plain))}
        for name, kind in (("echo", f"echo-{package}"), ("tls", package)):
            _, line = stack.enter_context(started(program, kind, str(folder)))
            ports[name] = int(line)
        for count in CONNECTIONS:
            loads = {
                name: Load(port, count, None if name == "plain" else secure)
                for name, port in ports.items()
            }
            samples = {name: wall_sample(each.run, requests) for name, each in loads.items()}
            times = measure(samples, rounds)
            for each in loads.values():
                each.close()
            of = {
                name: [base / ours for base, ours in zip(times[name], times["tls"], strict=True)]
                for name in ("plain", "echo")
            }
            yield Rate(
                package,
                count,
                *(1 / statistics.median(times[name]) for name in ("plain", "echo", "tls")),
                *(statistics.median(of[name]) for name in ("plain", "echo")),
                quartiles(of["echo"]),
            )


class Client:
    """A client over TLS that asks for ten registers at a time, and connects again if it has to."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self._port = port
        self._context = context
        self._link: socket.socket | None = None

    def ask(self) -> bool:
        """Return True if the answer came; otherwise close the connection."""
        try:
            if self._link is None:
                self._link = dialled(self._port, self._context)
            self._link.sendall(REQUEST)
            answer = self._link.recv(4096)
        except OSError:
            answer = b""
        if not answer:
            self.close()
            return False
        if answer != ANSWER:
            raise RuntimeError(f"a wrong answer: {answer.hex(' ')}")
        return True

    def close(self) -> None:
        """Close the connection."""
        if self._link is not None:
            self._link.close()
            self._link = None


def attacked(
    package: str, name: str, folder: Path, seconds: float, count: int | None = None
) -> Attacked:
    """Attack a server, and return what a good client and the system saw."""
    title, usual, limit = ATTACKS[name]
    count = usual if count is None else count
    context = client_context(folder)
    program = str(HERE / "tls_servers.py"), package, str(folder)
    with tempfile.TemporaryFile() as log, started(*program, log=log) as (server, line):
        port = int(line)
        busy, patient = Client(port, context), Client(port, context)
        before = ask_both(busy, patient, seconds)
        at_first = Usage.of(server.pid)
        command = str(HERE / "tls_attacks.py"), name, str(port), str(count), str(folder)
        with started(*command, processors=spare_processors) as (attacker, _):
            during = ask_both(busy, patient, seconds)
            while name == "garbage" and attacker.poll() is None:  # all of them
                during = during._replace(unanswered=during.unanswered + (not busy.ask()))
                time.sleep(0.003)
            assert attacker.stdin is not None
            assert attacker.stdout is not None
            attacker.stdin.close()
            attacker.stdin = None
            # Not by communicate(): the line may be in the buffer already.
            done, _, took = attacker.stdout.read().decode().partition(" ")
        give_up = time.monotonic() + _SETTLING
        while (after := Usage.of(server.pid)).files > at_first.files and (
            time.monotonic() < give_up
        ):
            busy.ask()
            time.sleep(0.01)
        busy.close()
        patient.close()
        log.seek(0)
        if b"Traceback" in (errors := log.read()):
            raise RuntimeError(f"{name} made an error in the server:\n{errors[-4000:].decode()}")
    return Attacked(
        package,
        title if count == usual else name,
        before,
        during,
        int(done) / float(took),
        (at_first.memory, after.memory),
        (at_first.files, after.files),
        limit,
    )


RATES = (
    f"| package | connections | plain, 1/s | bare echo over TLS, 1/s | modwire over TLS, 1/s "
    f"| of plain, ≥ {OF_PLAIN} | of the echo, ≥ {OF_ECHO} (quartiles) |\n"
    "|---|---:|---:|---:|---:|---:|---:|"
)
WAITS = (
    "| package | attack | median, 99 %, longest: before, ms | during the attack, ms | unanswered "
    "| attack, 1/s | MB before, after | files |\n|---|---|---:|---:|---:|---:|---:|---:|"
)


def rate_line(rate: Rate) -> str:
    """Return the line of a rate."""
    low, high = rate.spread
    cells = [
        rate.package,
        f"{rate.connections}",
        *(f"{each:,.0f}" for each in (rate.plain, rate.echo, rate.tls)),
        f"{rate.of_plain:.2f}{'' if rate.of_plain >= OF_PLAIN else ' **missed**'}",
        f"{rate.of_echo:.2f} ({low:.2f}..{high:.2f})"
        + ("" if rate.of_echo >= OF_ECHO else " **missed**"),
    ]
    return f"| {' | '.join(cells)} |"


def attack_line(out: Attacked) -> str:
    """Return the line of an attack."""
    cells = [
        out.package,
        out.attack,
        *(
            f"{each.median:.2f}, {each.percentile_99:.1f}, {each.longest:.0f}"
            for each in (out.before, out.during)
        ),
        f"{out.during.unanswered} of {out.during.asked}" if out.during.unanswered else "0",
        f"{out.rate:,.0f}",
        ", ".join(f"{each:.0f}" for each in out.memory),
        ", ".join(map(str, out.files)) + ("" if out.holds else " **missed**"),
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--package", action="append", choices=PACKAGES)
    parser.add_argument("--attack", action="append", choices=list(ATTACKS))
    parser.add_argument("--no-attacks", action="store_true")
    parser.add_argument("--no-rates", action="store_true")
    parser.add_argument("--rounds", type=int, default=51)
    parser.add_argument("--requests", type=int, default=500, help="in each round")
    parser.add_argument("--seconds", type=float, default=3.0, help="before and during each attack")
    parser.add_argument("--count", type=int, help="of the connections of each attack")
    parser.add_argument("--json", action="store_true", help="end with the rows as one line of JSON")
    parser.add_argument("--readme", action="store_true", help="write benchmarks/README.md")
    asked = parser.parse_args()
    if asked.readme and (asked.package or asked.attack or asked.no_attacks or asked.no_rates):
        parser.error("--readme must stand alone: the page has all packages and attacks")
    if not allow_open_files(4000):
        raise SystemExit("too few files may be open")
    pin_to_one_core()
    lines: list[str] = []

    def add(text: str) -> None:
        lines.append(text)
        print(text, flush=True)

    version = f"{platform.python_implementation()} {platform.python_version()}"
    add(
        f"Measured on {version}, {ssl.OPENSSL_VERSION.rsplit(' ', 3)[0]}, {platform.system()}, "
        f"{os.cpu_count()} processors, {asked.rounds} rounds, {asked.seconds:g} s for an attack:\n"
    )
    rows: list[Rate | Attacked] = []
    packages = asked.package or PACKAGES
    with plant() as folder:
        if not asked.no_rates:
            add(RATES)
            for package in packages:
                for rate in rates(package, folder, asked.rounds, asked.requests):
                    rows.append(rate)
                    add(rate_line(rate))
        if not asked.no_attacks:
            add(f"\n{WAITS}")
            for package in packages:
                for name in asked.attack or ATTACKS:
                    out = attacked(package, name, folder, asked.seconds, asked.count)
                    rows.append(out)
                    add(attack_line(out))
    if asked.readme:
        write_table(README, "tls.py", "\n".join(lines))
    if asked.json:
        print(json.dumps([{**each._asdict(), "holds": each.holds} for each in rows]))
    sys.exit(0)


if __name__ == "__main__":
    main()

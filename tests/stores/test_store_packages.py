"""Units in stores with the servers of all packages, which run blocking calls in threads."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import pairwise
from operator import le
from pathlib import Path

import pytest

from modwire import ConnectionLostError, ServerDeviceFailureError
from modwire_sync import TcpClient
from store_servers import PATIENCE, StoreServer

# Starting servers takes seconds on a busy machine.
pytestmark = pytest.mark.timeout(300)

SCRIPT = Path(__file__).with_name("serve_on.py")
CLIENTS, ROUNDS = 6, 15


@pytest.fixture(params=["trio", "gevent", "patched", "asyncio", "uvloop"])
def package(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    needed = {"patched": "gevent", "uvloop": "asyncio"}.get(found, found)
    if find_spec(f"modwire_{needed}") is None:
        pytest.skip(f"modwire-{needed} is not installed")
    if found == "uvloop":
        pytest.importorskip("uvloop")
    return found


class Served:
    """A server process on a store."""

    def __init__(self, package: str, url: str, name: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-X", "dev", str(SCRIPT), package, url, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.port = 0
        self.status = -1
        self.seconds = -1.0  # duration of the shutdown
        self.log = ""

    def line(self) -> str:
        """Return the next line of its output."""
        assert self.process.stdout is not None
        return self.process.stdout.readline() or self.process.communicate()[1]

    def stop(self) -> None:
        """Shut the server down."""
        if self.process.stdin is not None:
            self.process.stdin.close()
            self.process.stdin = None


@contextmanager
def serving_on(package: str, url: str, name: str) -> Iterator[tuple[Served, TcpClient]]:
    """Yield a server process and a client; then shut it down and keep its output."""
    served = Served(package, url, name)
    try:
        line = served.line()
        assert line.strip().isdigit(), line
        served.port = int(line)
        with TcpClient("127.0.0.1", served.port, timeout=PATIENCE) as client:
            yield served, client
        served.stop()
        output, served.log = served.process.communicate(timeout=PATIENCE)
        served.status, served.seconds = served.process.returncode, float(output)
    finally:
        served.stop()
        served.process.kill()
        served.process.communicate()


def count(port: int, client: int) -> list[int]:
    """Increment an own register by function 23; return the values of all counters each time."""
    with TcpClient("127.0.0.1", port, timeout=PATIENCE) as link:
        for turn in range(1, ROUNDS + 1):
            values = link.read_write_registers(0, CLIENTS, client, [turn])
            assert values[client] == turn
            link.mask_write_register(CLIENTS, 0xFFFF & ~(1 << client), (turn & 1) << client)
            link.write_coils(8 * client, [bool(turn >> bit & 1) for bit in range(8)])
        return values


def test_clients_at_once_get_right_answers(package: str, url: str, name: str) -> None:
    with serving_on(package, url, name) as (served, client):
        with ThreadPoolExecutor(CLIENTS) as pool:
            jobs = [pool.submit(count, served.port, number) for number in range(CLIENTS)]
            seen = [job.result() for job in jobs]
        # Each saw all earlier ones, so in the order of the sums no register decreases.
        seen.sort(key=sum)
        for earlier, later in pairwise(seen):
            assert all(map(le, earlier, later))
        assert seen[-1] == [ROUNDS] * CLIENTS
        bits = (1 << CLIENTS) - 1  # ROUNDS is odd
        assert client.read_holding_registers(0, CLIENTS + 1) == [ROUNDS] * CLIENTS + [bits]
        byte = [bool(ROUNDS >> bit & 1) for bit in range(8)]
        assert client.read_coils(0, 8 * CLIENTS) == byte * CLIENTS
    assert (served.status, served.log) == (0, "")


def test_an_outage_is_answered_and_passes(package: str, server: StoreServer, name: str) -> None:
    with serving_on(package, server.url, name) as (served, client):
        client.write_registers(0, [1, 2, 3])
        with server.down():
            for request in (client.read_coils, client.read_holding_registers) * 2:
                with pytest.raises(ServerDeviceFailureError):
                    request(0)
            with pytest.raises(ServerDeviceFailureError):
                client.read_write_registers(0, 3, 0, [9, 9, 9])
        assert client.read_holding_registers(0, 3) == [1, 2, 3]
        assert client.read_write_registers(0, 3, 1, [7]) == [1, 7, 3]
    assert served.status == 0
    lines = served.log.splitlines()
    assert len(lines) == 2, served.log
    assert "is down, requests get exception 04" in lines[0]
    assert lines[1].endswith("is back")


def test_a_shutdown_does_not_wait_for_a_store_that_hangs(
    package: str, server: StoreServer, name: str
) -> None:
    """Calls in progress get the grace time of the server, not the timeout of the store."""
    with serving_on(package, server.url, name) as (served, client):
        client.write_register(0, 1)
        with server.paused(), ThreadPoolExecutor(1) as pool:
            job = pool.submit(client.read_holding_registers, 0xFFFF)
            assert served.line() == "asked\n"
            served.stop()
            with pytest.raises(ConnectionLostError):
                job.result(PATIENCE)
    assert served.status == 0
    assert served.seconds < 30

"""A thousand connections at once: every response is right, and no round leaves resources.

With MODWIRE_FULL=1, each connection sends a hundred requests in each of ten rounds.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest

from modwire import SequentialBlock, Unit, Units

from .adapters import Adapter

CROWD = Path(__file__).parents[1] / "helpers" / "crowd.py"
CONNECTIONS = 1000
FULL = os.environ.get("MODWIRE_FULL", "") not in ("", "0")
REQUESTS = 100 if FULL else 10  # on each
ROUNDS = 10 if FULL else 3
PATIENCE = 30.0  # seconds
MOST_GROWTH = 2 << 20  # bytes; a leak of a thousand connections needs more in one round

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs epoll and /proc/self")


@pytest.fixture
def _many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = CONNECTIONS + 500
    if hard < needed:
        pytest.skip(f"this system allows {hard} open files only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def memory() -> int:
    """Return the resident memory of this process in bytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def crowd(port: int | str, requests: int, before: int) -> None:
    """Play one round, and wait until the server has closed every connection."""
    ran = subprocess.run(
        [sys.executable, CROWD, str(port), str(CONNECTIONS), str(requests)],
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE,
    )
    assert (ran.stderr, ran.stdout.strip()) == ("", str(CONNECTIONS * requests))
    end = monotonic() + PATIENCE
    while descriptors() > before:
        assert monotonic() < end, f"{descriptors() - before} descriptors are left open"
        sleep(0.01)  # no event shows this from outside


@pytest.mark.timeout(180)
@pytest.mark.usefixtures("_many_files")
def test_1000_connections_are_answered_and_leave_nothing(adapter: Adapter) -> None:
    units = Units.single(Unit(holding_registers=SequentialBlock(0, range(100))))
    with adapter.serving(units, "tcp") as port:
        crowd(port, 1, descriptors() + 1)  # the first round opens descriptors that stay open
        before = descriptors()
        crowd(port, REQUESTS, before)
        used = memory()
        for _ in range(ROUNDS - 1):
            crowd(port, REQUESTS, before)
        assert memory() - used < MOST_GROWTH

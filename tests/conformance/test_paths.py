"""The path of a request through the code is short: `benchmarks/paths.py` counts its calls.

The time of a request differs from machine to machine; the number of Python functions does
not.
"""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

PATHS = Path(__file__).parents[2] / "benchmarks" / "paths.py"
CLIENT_CALLS, CLIENT_FILES = 25, 8
# asyncio's loop calls the link when bytes arrive, and only then the caller; trio's and gevent's
# callers receive the bytes themselves. The link of a serial port has a file of its own.
ASYNCIO_CALLS, ASYNCIO_FILES = 27, 9
SERVER_CALLS = 20
# Take the smallest count of so many. On a busy machine a response may be late, and the wait for it
# adds calls; or a server's requests do not all run alike, and then the benchmark counts nothing.
ATTEMPTS = 5

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="it needs pseudo-terminals"),
    pytest.mark.timeout(180),
]


def count(name: str) -> tuple[int, int] | None:
    """Calls and files of one request; None if the benchmark could not count them."""
    done = subprocess.run(
        [sys.executable, str(PATHS), name],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if done.returncode and "RuntimeError: no period" in done.stderr:
        return None
    row = re.search(rf"(?m)^\| {name} \| (\d+) \| (\d+) \|$", done.stdout)
    assert row, done.stderr
    return int(row[1]), int(row[2])


@pytest.mark.parametrize("framing", ["tcp", "rtu"])
@pytest.mark.parametrize("what", ["read", "write"])
@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("package", ["sync", "trio", "gevent", "asyncio"])
def test_a_request_runs_through_few_functions(
    package: str, side: str, what: str, framing: str
) -> None:
    if find_spec(f"modwire_{package}") is None:
        pytest.skip(f"modwire_{package} is not installed")
    is_asyncio = package == "asyncio"
    most = (ASYNCIO_CALLS, ASYNCIO_FILES) if is_asyncio else (CLIENT_CALLS, CLIENT_FILES)
    counts = []
    for _ in range(ATTEMPTS):
        found = count(f"{package}-{side}-{what}-{framing}")
        if found is not None:
            counts.append(found)
            calls, files = found
            if side == "server" and calls <= SERVER_CALLS:
                return
            if side == "client" and calls <= most[0] and files <= most[1]:
                return
    pytest.fail(f"calls and files were {counts}")

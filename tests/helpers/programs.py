"""Running programs as a user would: examples and the blocks of the documentation."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

PATIENCE = 20.0  # timeout in seconds


def run(
    *arguments: object,
    expected: int = 0,
    cwd: Path | None = None,
    strict: bool = True,
    warns: bool = False,
) -> list[str]:
    """Return the lines that a Python process printed.

    Output on its standard error fails the test, unless the program `warns` there in its log.

    With `strict`, Python also reports files that are left open at the end there.
    """
    mode = ["-X", "dev"] if strict else []
    result = subprocess.run(
        [sys.executable, *mode, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE,
        cwd=cwd,
    )
    assert (result.stderr if not warns else "", result.returncode) == ("", expected)
    assert bool(result.stderr) == warns
    return result.stdout.splitlines()


def changed(source: str, changes: dict[str, str], path: Path) -> Path:
    """Write `source` to `path` with these replacements, each of which must occur; return `path`."""
    for old, new in changes.items():
        assert old in source, f"{old!r} is not in {path.name}"
        source = source.replace(old, new)
    path.write_text(source, encoding="utf-8")
    return path


def free_port() -> int:
    """A TCP port of 127.0.0.1 for one program of this test; connections are refused until then.

    On Linux, a socket that does not listen reserves the port for the rest of this process: servers
    can still listen there, because they set SO_REUSEADDR, and the system gives the port to no
    other test.
    """
    place = socket.socket()
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    place.bind(("127.0.0.1", 0))
    port: int = place.getsockname()[1]
    if sys.platform == "linux":
        place.detach()
    else:
        place.close()
    return port


@contextmanager
def started(script: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a program during the block; its output is a pipe."""
    program = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        yield program
    finally:
        program.kill()
        program.communicate()


@contextmanager
def serving(script: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """Run a program that listens at `port` during the block; its output is a pipe."""
    with started(script) as server:
        give_up = monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert monotonic() < give_up, "the server does not listen"
                assert server.poll() is None, "the server has ended"
                sleep(0.05)  # there is no event for it outside the program
        yield server

"""The `modwire` command for tests: in this process if possible, else as a real process.

To start Python with all imports of the command takes most of a second, so only tests of pipes,
terminals and signals use processes.
"""

from __future__ import annotations

import codecs
import io
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import cache
from time import monotonic
from typing import NamedTuple
from unittest import mock

from typer.main import get_command

from modwire import BlockingCalls, ExceptionResponse, ExceptionResponseError, Unit
from modwire_tools.cli.app import app
from modwire_tools.cli.ending import run

PATIENCE = 100.0  # timeout in seconds for a process
COMMAND = [sys.executable, "-m", "modwire_tools"]

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # If a shell has started the tests in the background, children would ignore Ctrl+C too.
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Result(NamedTuple):
    """The output of a command, and its exit code."""

    out: str
    err: str
    code: int


@cache
def _command() -> Callable[..., object]:
    """Return the click command of the app; to make it takes longer than most commands."""
    return get_command(app)


def modwire(*arguments: object) -> Result:
    """Run the command in this process."""
    out, err = io.StringIO(), io.StringIO()
    code: object = None
    with (
        mock.patch.object(sys, "argv", ["modwire", *map(str, arguments)]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            run(_command())
        except SystemExit as ending:
            code = ending.code
    assert isinstance(code, int)
    return Result(out.getvalue(), err.getvalue(), code)


def good(*arguments: object) -> str:
    """Return the output of a command that succeeds without errors."""
    result = modwire(*arguments)
    assert (result.err, result.code) == ("", 0)
    return result.out


def process(*arguments: object, **environment: str) -> Result:
    """Run the command in its own process, with its output in pipes."""
    ended = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE,
        env={**os.environ, **environment},
    )
    return Result(ended.stdout, ended.stderr, ended.returncode)


class Started:
    """A running command; `read_until` waits for its output."""

    def __init__(self, child: subprocess.Popen[str], output: int) -> None:
        self.child = child
        self.text = ""
        self._output = output
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def read_until(self, pattern: str) -> re.Match[str]:
        """Wait until the output contains `pattern`."""
        give_up = monotonic() + PATIENCE
        while True:
            found = re.search(pattern, self.text)
            if found is not None:
                return found
            ready, _, _ = select.select([self._output], [], [], max(0.0, give_up - monotonic()))
            assert ready, f"{pattern!r} does not come, only {self.text!r}"
            try:
                data = os.read(self._output, 65536)
            except OSError:  # the terminal's other end is closed
                data = b""
            assert data, f"it has ended without {pattern!r}, only {self.text!r}"
            self.text += self._decoder.decode(data)

    def interrupt(self) -> int:
        """Send Ctrl+C, and return the exit code."""
        self.child.send_signal(signal.SIGINT)
        return self.wait()

    def wait(self) -> int:
        """Wait for the end, and return the exit code; `text` has the output."""
        give_up = monotonic() + PATIENCE
        while True:
            ready, _, _ = select.select([self._output], [], [], max(0.0, give_up - monotonic()))
            assert ready, f"it does not end: {self.text!r}"
            try:
                data = os.read(self._output, 65536)
            except OSError:
                break
            if not data:
                break
            self.text += self._decoder.decode(data)
        return self.child.wait(PATIENCE)


@contextmanager
def started(
    *arguments: object,
    terminal: bool = False,
    size: tuple[int, int] = (40, 100),
    **environment: str,
) -> Iterator[Started]:
    """Run a command in its own process during the block; both outputs are in one pipe.

    With `terminal`, they are on a terminal of `size` lines and columns.
    """
    # The size is that of the terminal, not of the one where the tests run.
    inherited = {key: text for key, text in os.environ.items() if key not in ("COLUMNS", "LINES")}
    if terminal:
        import fcntl
        import struct
        import termios

        ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", *size, 0, 0))
    else:
        ours, theirs = os.pipe()
    child = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdin=theirs if terminal else subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        text=True,
        env={**inherited, "TERM": "xterm", **environment},
    )
    with watched(child, theirs, ours) as running:
        yield running


@contextmanager
def watched(child: subprocess.Popen[str], theirs: int, ours: int) -> Iterator[Started]:
    """Yield a command whose output comes through these two ends; then end it."""
    os.close(theirs)
    try:
        yield Started(child, ours)
    finally:
        child.kill()
        child.wait()
        os.close(ours)


class Direct(BlockingCalls):
    """A client without a link: a unit executes its requests; `requests` records them.

    `answer`, if given, is called first, and may raise.
    """

    def __init__(self, unit: Unit, answer: Callable[[object], None] | None = None) -> None:
        self.unit = unit
        self.requests: list[object] = []
        self._answer = answer

    def call(self, request, *, unit=None, timeout=None):  # type: ignore[no-untyped-def]
        self.requests.append(request)
        if self._answer is not None:
            self._answer(request)
        response = self.unit.execute(request)
        if isinstance(response, ExceptionResponse):
            raise ExceptionResponseError.for_code(request, response.exception_code)
        return response

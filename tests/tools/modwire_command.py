"""The `modwire` command for tests: in this process where that will do, else as a real one.

To start Python with all that the command imports takes most of a second, so only what has to do
with processes is tested with them: pipes, terminals, signals.
"""

from __future__ import annotations

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

PATIENCE = 100.0  # seconds until a process that does not get there is an error
COMMAND = [sys.executable, "-m", "modwire_tools"]

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # The shell has started the tests in the background, and children would ignore Ctrl+C as well.
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Result(NamedTuple):
    """What a command has printed, and its exit code."""

    out: str
    err: str
    code: int


@cache
def _command() -> Callable[..., object]:
    """What the app makes at each start; to make it takes longer than most commands."""
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
    """What a command prints that has nothing to complain of."""
    result = modwire(*arguments)
    assert (result.err, result.code) == ("", 0)
    return result.out


def process(*arguments: object, **environment: str) -> Result:
    """Run the command in a process of its own, its output in pipes."""
    ended = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE,
        env={**os.environ, **environment},
    )
    return Result(ended.stdout, ended.stderr, ended.returncode)


class Started:
    """A command that runs; `read_until` waits for what it says."""

    def __init__(self, child: subprocess.Popen[str], output: int) -> None:
        self.child = child
        self.text = ""
        self._output = output

    def read_until(self, pattern: str) -> re.Match[str]:
        """Wait until what it has printed has `pattern`."""
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
            self.text += data.decode()

    def interrupt(self) -> int:
        """Ctrl+C; the exit code."""
        self.child.send_signal(signal.SIGINT)
        return self.wait()

    def wait(self) -> int:
        """The exit code, once it has ended; what is printed until then is in `text`."""
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
            self.text += data.decode()
        return self.child.wait(PATIENCE)


@contextmanager
def started(*arguments: object, terminal: bool = False, **environment: str) -> Iterator[Started]:
    """A command in a process of its own while the block runs; both outputs are in one pipe.

    With `terminal`, they are on one, 100 columns wide.
    """
    if terminal:
        import fcntl
        import struct
        import termios

        ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 40, 100, 0, 0))
    else:
        ours, theirs = os.pipe()
    child = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdin=theirs if terminal else subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        text=True,
        env={**os.environ, "TERM": "xterm", **environment},
    )
    os.close(theirs)
    try:
        yield Started(child, ours)
    finally:
        child.kill()
        child.wait()
        os.close(ours)


class Direct(BlockingCalls):
    """A client without a link: what it asks, a unit executes; `requests` has all of it.

    `answer`, where given, is asked first, and may raise.
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

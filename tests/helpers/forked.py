"""Run functions on both sides of a fork, in a process without other threads of pytest."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

HELPERS = Path(__file__).parent
SECONDS = 20.0


def run(script: str, *arguments: str) -> str:
    """Run a Python program that may import the helpers of tests; return what it prints."""
    path = [str(HELPERS), *[each for each in sys.path if each]]
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        timeout=2 * SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Child:
    """A forked process that calls `function` and ends."""

    def __init__(self, function: Callable[[], object], fork: Callable[[], int] = os.fork) -> None:
        self._pid = fork()
        if self._pid == 0:
            code = 1
            try:
                function()
                code = 0
            except BaseException:  # noqa: BLE001 - the end of the process
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                sys.stdout.flush()
                os._exit(code)

    def join(self) -> None:
        """Wait for the end; fail unless the function has returned."""
        end = time.monotonic() + SECONDS
        while True:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                assert os.waitstatus_to_exitcode(status) == 0, "the forked process has failed"
                return
            if time.monotonic() > end:
                os.kill(self._pid, 9)
                os.waitpid(self._pid, 0)
                raise AssertionError("the forked process hangs")
            time.sleep(0.01)

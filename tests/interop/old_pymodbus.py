"""pymodbus 2.5.3, in an environment of its own: it cannot be installed beside pymodbus 3.

The environment is made once, in the cache of pytest, for all later runs with the same interpreter.
"""

from __future__ import annotations

import json
import select
import subprocess
import sys
import venv
from pathlib import Path
from types import TracebackType
from typing import Any

VERSION = "2.5.3"
HOW = f"pip needs an index that has pymodbus=={VERSION}"
_PATIENCE = 60.0  # seconds for another interpreter to start or to answer on a busy machine
_INSTALLING = 300.0


def environment(cache: Path) -> Path | None:
    """Return the interpreter of the environment in `cache`; None if it cannot be made."""
    import fcntl  # here, because Windows has none; there is no such peer there

    tag = "".join(map(str, sys.version_info[:2]))
    folder = cache / f"pymodbus-{VERSION}-py{tag}"
    python, ready = folder / "bin" / "python", folder / ".ready"
    with (cache / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several processes of pytest-xdist want it at once
        if ready.exists() and _runs(python):
            return python
        venv.create(folder, clear=True, with_pip=True)
        command = [str(python), "-m", "pip", "install", "--quiet", f"pymodbus=={VERSION}"]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_INSTALLING, check=False
            )
        except subprocess.TimeoutExpired:
            return None
        if done.returncode:
            print(done.stderr, file=sys.stderr)
            return None
        ready.touch()
        return python


def _runs(python: Path) -> bool:
    command = [str(python), "-c", "import pymodbus"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


class OldPymodbus:
    """A program beside this file that runs with pymodbus 2.5.3, and answers a line with a line."""

    def __init__(self, python: Path, script: str, *arguments: str) -> None:
        path = Path(__file__).with_name(script)
        self._process = subprocess.Popen(
            [str(python), str(path), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def line(self) -> Any:
        """Return the next line of the program, as JSON."""
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], _PATIENCE)
        text = self._process.stdout.readline() if ready else ""
        assert text, f"{self._process.args} has not answered"
        return json.loads(text)

    def ask(self, *question: object) -> Any:
        """Send a line to the program, as JSON, and return its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self.line()

    def __enter__(self) -> OldPymodbus:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the program: the end of its input ends it, otherwise it is killed."""
        try:
            self._process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise

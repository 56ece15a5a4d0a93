"""A newer Python than that of the tests, for packages that need one, and packages for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HOW = 'export NEW_PYTHON=$(.ci/new-python "$(mktemp -d)")'
"""The command that brings one to machines that have none."""
_INTERPRETERS = [os.environ.get("NEW_PYTHON", ""), sys.executable]
_INTERPRETERS += ["python3.14", "python3.13", "python3.12", "python3"]


def run(command: Sequence[str | Path], *, limit: float, **settings: str) -> tuple[int, str]:
    """Run a command with `settings` in its environment; return its code and what it printed."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=limit,
        env={**os.environ, **settings},
    )
    return done.returncode, done.stdout


def new_python() -> str:
    """Return the command of a Python of version 3.12 or newer, or ""."""
    return next((each for each in _INTERPRETERS if _is_new(each)), "")


def _is_new(python: str) -> bool:
    command = [python, "-c", "import sys; sys.exit(sys.version_info < (3, 12))"]
    return shutil.which(python) is not None and run(command, limit=30)[0] == 0


def pip_for(python: str, verb: str, *words: str | Path) -> tuple[int, str]:
    """Run pip's `verb` for another Python; return its code and what it printed.

    pip runs outside of that Python, which may have none.
    """
    version = run([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], limit=30)[1]
    pip = [sys.executable, "-m", "pip", verb, "--quiet", "--disable-pip-version-check"]
    return run([*pip, "--python-version", version.strip(), *words], limit=240)


def install(python: str, place: Path, needed: Sequence[str]) -> tuple[int, str]:
    """Install packages for another Python into a folder; return pip's code and what it printed."""
    wheels = ["--ignore-requires-python", "--only-binary=:all:", "--target", place]
    return pip_for(python, "install", *wheels, *needed)

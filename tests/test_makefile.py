"""`make`: what the demo and the tests install, once and in either order, and how the demo ends."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from programs import PATIENCE

# Starting processes takes seconds on a busy machine.
pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).parents[1]
# Without what a `make test` around this test passes on.
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
RequirePeer = Callable[[str, bool, str], None]

# In place of Python: keeps a list of what it is called for, and makes environments with itself.
FAKE_PYTHON = """#!/bin/sh
echo "$@" >>"{log}"
case "$2" in
venv) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
pip) test ! -e "{broken}" ;;
esac
"""


class Setup:
    """`make` with a fake Python and an environment of its own."""

    def __init__(self, folder: Path) -> None:
        self.log, self.broken = folder / "log", folder / "broken"
        self.python, self.environment = folder / "python", folder / "environment"
        self.python.write_text(FAKE_PYTHON.format(log=self.log, broken=self.broken))
        self.python.chmod(0o755)

    def make(self, target: str, *, fails: bool = False) -> list[str]:
        """Run `make`; return what was installed, and "venv" if an environment was made."""
        self.log.write_text("")
        command = ["make", target, f"PYTHON={self.python}", f"VENV={self.environment}"]
        done = subprocess.run(
            command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False
        )
        assert (done.returncode != 0) == fails, done.stderr
        lines = self.log.read_text().splitlines()
        made = ["venv" for line in lines if line.startswith("-m venv")]
        return made + [line.split()[-1] for line in lines if " -r " in line]


@pytest.fixture
def installing(tmp_path: Path, require_peer: RequirePeer) -> Setup:
    require_peer("make", shutil.which("make") is not None, "apt-get install make")
    return Setup(tmp_path)


def test_the_demo_installs_little_and_the_tests_all(installing: Setup) -> None:
    assert installing.make("demo") == ["venv", "requirements-demo.txt"]
    assert installing.make("demo") == []
    assert installing.make("format") == ["requirements-dev.txt"]
    assert installing.make("format") == installing.make("demo") == []


def test_after_the_tests_the_demo_has_all(installing: Setup) -> None:
    assert installing.make("format") == ["venv", "requirements-dev.txt"]
    assert installing.make("demo") == installing.make("format") == []


def test_an_installation_that_failed_is_tried_again(installing: Setup) -> None:
    installing.broken.touch()
    assert installing.make("demo", fails=True) == ["venv"]
    installing.broken.unlink()
    assert installing.make("demo") == ["requirements-demo.txt"]


def test_what_the_demo_needs_is_a_part_of_all() -> None:
    demo, every = (
        (ROOT / f"requirements-{name}.txt").read_text(encoding="utf-8").splitlines()
        for name in ("demo", "dev")
    )
    assert "-r requirements-demo.txt" in every
    assert all(line.startswith(("-e packages/", "#")) for line in demo)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals")
def test_ctrl_c_is_no_error_of_the_demo(require_peer: RequirePeer) -> None:
    require_peer("make", shutil.which("make") is not None, "apt-get install make")
    near, far = os.openpty()
    # Of this environment, without an installation.
    command = ["make", "-o", ".venv/.demo", "demo", f"PY={sys.executable}"]
    script = "import os, sys; os.setsid(); os.open(sys.argv[1], os.O_RDWR)\n"
    script += "os.execvp('make', sys.argv[2:])"
    program = subprocess.Popen(
        [sys.executable, "-c", script, os.ttyname(far), *command],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdin=far,
        stdout=far,
        stderr=far,
    )
    os.close(far)
    shown, is_sent = b"", False
    try:
        while True:
            try:
                shown += os.read(near, 4096)
            except OSError:  # no program has the terminal open any more
                break
            if b"Ctrl+C ends it." in shown and not is_sent:
                is_sent = bool(os.write(near, b"\x03"))
        program.wait(PATIENCE)
    finally:
        program.kill()
        program.wait()
        os.close(near)
    after = shown.partition(b"Ctrl+C ends it.")[2]
    assert after.strip(b"\r\n ^C") == b"", after.decode()

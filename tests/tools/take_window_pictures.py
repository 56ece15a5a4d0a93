"""Takes the pictures of the windows for `docs/`: `python tests/tools/take_window_pictures.py`.

It needs Xvfb, ImageMagick and the three toolkits, as Debian has them.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from gui_python import PACKAGES, environment, python_for

DOCS = Path(__file__).parents[2] / "docs"
SETTLED = 6.0  # seconds: some values have changed by then


def require(name: str, ok: bool, how: str) -> None:
    """Stand in for the fixture of tests."""
    if not ok:
        sys.exit(f"{name} is missing: {how}")


def take(toolkit: str, home: Path) -> Path:
    """Take the picture of the window on a toolkit, with three devices."""
    python, display = python_for(toolkit, require)
    surroundings = environment(python, display, home)
    picture = DOCS / f"gui-{toolkit}.png"
    command = [python, "-m", "modwire_tools", "gui", "--toolkit", toolkit, "--devices", "3"]
    with subprocess.Popen([*command, "--start"], env=surroundings) as process:
        time.sleep(SETTLED)
        options = [
            "-window",
            "root",
            "-trim",
            "+repage",
            "+dither",
            "-colors",
            "128",
            f"png8:{picture}",
        ]
        subprocess.run(["import", *options], env=surroundings, check=True)
        process.terminate()
    return picture


def main() -> None:
    """Take all pictures."""
    with TemporaryDirectory() as home:
        for toolkit in PACKAGES:
            picture = take(toolkit, Path(home))
            sys.stdout.write(f"{picture.name}: {picture.stat().st_size // 1000} kB\n")


if __name__ == "__main__":
    main()

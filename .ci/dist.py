"""Build the sdist and the wheel of every package and check them: `python .ci/dist.py [FOLDER]`.

Each wheel is built from the sdist, which shows that the sdist is complete. Needs build, hatchling,
twine and check-wheel-contents in the running Python.
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run(*arguments: str | Path) -> str:
    """Run a module of this Python; return its output, or end with it if it fails."""
    command = [sys.executable, "-m", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}")
    return done.stdout


def build(package: Path, folder: Path) -> None:
    """Build the sdist of a package, and the wheel from it."""
    run("build", "--no-isolation", "--outdir", folder, package)


def main() -> None:
    """Build and check everything; the folder has no older distributions afterwards."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist"
    for old in (*folder.glob("*.whl"), *folder.glob("*.tar.gz")):
        old.unlink()
    packages = sorted(file.parent for file in ROOT.glob("packages/*/pyproject.toml"))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(build, packages, [folder] * len(packages)))
    wheels, sdists = sorted(folder.glob("*.whl")), sorted(folder.glob("*.tar.gz"))
    if not len(wheels) == len(sdists) == len(packages):
        sys.exit(f"{len(packages)} packages gave {len(wheels)} wheels and {len(sdists)} sdists")
    run("twine", "check", "--strict", *wheels, *sdists)
    run("check_wheel_contents", *wheels)
    sys.stdout.writelines(f"{each}\n" for each in (*sdists, *wheels))


if __name__ == "__main__":
    main()

"""The one version of all packages: `python .ci/version.py` prints it, with 0.3.0 it sets it.

It is `__version__` in each import package, which the build reads, and in what the packages require
of each other. Exits with 1 if it is not the same everywhere.
"""

from __future__ import annotations

import re
import sys
from argparse import ArgumentParser
from pathlib import Path

VERSION = re.compile(r"\d+\.\d+\.\d+((a|b|rc|\.dev)\d+)?")
PLACE = re.compile(r'(^__version__ = "|"(?:pytest-)?modwire[^"]*==)([^"]+)', re.MULTILINE)


def main() -> str | None:
    """Print or set the version; return a sentence if that fails."""
    parser = ArgumentParser(description="The one version of all packages.")
    parser.add_argument(
        "version", nargs="?", help="the new one, such as 0.3.0; by default print it"
    )
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[1])
    asked = parser.parse_args()
    files = [
        *asked.root.glob("packages/*/src/*/__init__.py"),
        *asked.root.glob("packages/*/pyproject.toml"),
    ]
    texts = {file: file.read_text(encoding="utf-8") for file in files}
    if asked.version is not None:
        if not VERSION.fullmatch(asked.version):
            return f"a version is like 0.3.0, 0.3.0rc1 or 0.3.0.dev0, got {asked.version!r}"
        for file, text in texts.items():
            file.write_text(PLACE.sub(rf"\g<1>{asked.version}", text), encoding="utf-8")
        return None
    found = {version for text in texts.values() for _, version in PLACE.findall(text)}
    if len(found) != 1:
        return f"the version is not the same everywhere: {', '.join(sorted(found))}"
    sys.stdout.write(f"{found.pop()}\n")
    return None


if __name__ == "__main__":
    sys.exit(main())

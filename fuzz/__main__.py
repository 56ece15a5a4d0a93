"""`python -m fuzz`: feeds hostile bytes to all targets, or to one, and stops at a finding."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

from .driving import FINDINGS, Finding, lower_priority, replay, run, save
from .targets import TARGETS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns its exit code: 0, 1 for a finding, 2 for a wrong argument."""
    parser = ArgumentParser(
        "python -m fuzz",
        description="Feed hostile bytes to everything in modwire that reads bytes.",
        epilog=fill("targets: " + ", ".join(TARGETS), 90, break_on_hyphens=False),
    )
    parser.add_argument("--seconds", type=float, default=60.0, metavar="N", help="for all together")
    parser.add_argument("--target", action="append", metavar="NAME", help="may be repeated")
    parser.add_argument("--seed", type=int, metavar="N", help="by default, another one each time")
    parser.add_argument("--save", type=Path, default=FINDINGS, metavar="DIR", help="for findings")
    given = parser.parse_args(arguments)
    names: list[str] = given.target or list(TARGETS)
    for name in names:
        if name not in TARGETS:
            parser.error(f"no target is called {name!r}: -h lists them")
    number: int = time.time_ns() & 0x7FFFFFFF if given.seed is None else given.seed
    lower_priority()
    print(f"seed {number}, {len(names)} targets")
    failed = replay(TARGETS, print)
    for name in names:
        found = run(TARGETS[name], given.seconds / len(names), number)
        print(f"{name}: {'nothing found' if found is None else 'FOUND'}", flush=True)
        if found is not None:
            failed += 1
            _tell(found, save(found, given.save))
    return 1 if failed else 0


def _tell(found: Finding, path: Path) -> None:
    print(f"  {found.error}\n  {found.data.hex()}\n  saved as {path}", flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""Runs the programs of docs/how-to/from-pymodbus-2.md and -3.md with pymodbus and with modwire."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from pages import ROOT, Block, blocks_of
from programs import free_port
from running import Run, is_shown, printed

HOW_TO = ROOT / "docs" / "how-to"
_TESTED_HERE = "tests/interop/test_moving.py runs it"


class Pair(NamedTuple):
    """A program for pymodbus, and the one for modwire that does the same."""

    before: Block
    after: Block

    @property
    def serves(self) -> bool:
        """True if both are the server for other programs of the page."""
        return "serves" in self.after.marks


def pairs_of(page: Path) -> list[Pair]:
    """Return the pairs of a page; a program for pymodbus says in its mark that it is run here."""
    blocks = blocks_of(page)
    return [
        Pair(before, after)
        for before, after in pairwise(blocks)
        if _TESTED_HERE in before.marks.get("not run", "")
    ]


class OldRun(Run):
    """Runs blocks with another interpreter, which has pymodbus."""

    def __init__(self, folder: Path, python: Path) -> None:
        super().__init__(folder)
        self._python = python

    def command(self, block: Block) -> list[str]:
        return [str(self._python), *super().command(block)[1:]]


def check_before(pair: Pair, python: Path, folder: Path) -> None:
    """Check that the program for pymodbus prints what that for modwire does, with our server."""
    with Run(folder) as ours, OldRun(folder, python) as theirs:
        ours.prepare(pair.after)
        # Servers of pymodbus 3 do not say which port the system chose.
        theirs.instead = {**ours.instead, "5030": str(free_port())}
        check(pair, printed(theirs, pair.before))


@contextmanager
def old_server(pair: Pair, python: Path, folder: Path) -> Iterator[dict[str, str]]:
    """Run the server for pymodbus; yields the texts that stand for its port."""
    with OldRun(folder, python) as run, run.serving(pair.before):
        yield run.instead


def check_after(pair: Pair, instead: dict[str, str], folder: Path) -> None:
    """Check that the program for modwire prints what is shown, with a server of pymodbus."""
    with Run(folder) as run:
        run.instead = dict(instead)
        check(pair, printed(run, pair.after))


def check(pair: Pair, output: str) -> None:
    shown = pair.after.shown or ""
    assert shown, f"{pair.after.place}: a pair shows what both print"
    assert is_shown(shown, output), f"{pair.before.place} printed:\n{output}"

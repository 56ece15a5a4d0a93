"""The pages of the documentation, and their blocks of code with the marks above them.

A mark is a comment of HTML, which no reader sees, on the lines above a block:

    <!-- not run: REASON -->   the block is only checked for form; of commands, the options
    <!-- after -->             the block goes on where the block before it ended
    <!-- file: NAME -->        the block is a file for the blocks below it
    <!-- serves: NAME -->      the block runs until it is ended, and serves others meanwhile
    <!-- makes: NAME -->       the block makes files for others of the page
    <!-- with: NAME... -->     the block runs after blocks that make files, and while those run that
                               serve; other names are in surroundings.py
    <!-- part of: FILE -->     the block is a part of a file of the repository, which is tested
    <!-- prints: TEXT -->      the block prints this among other things, which are not shown

A block of `text` below a block is what that prints; `...` in it stands for anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [
    *sorted(path for path in ROOT.glob("*.md") if path.name != "CHANGELOG.md"),
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts),
]
MARKS = {"not run", "after", "file", "serves", "makes", "with", "part of", "prints"}

_LINE = re.compile(
    r"^(?P<indent> *)"
    r"(?:<!-- (?P<mark>[a-z ]+?)(?:: (?P<value>.*?))? -->|(?P<fence>```+)(?P<info>.*))$"
)


@dataclass
class Block:
    """A block of code: its place, its marks, and the text that it prints, None if not shown."""

    page: Path
    line: int
    language: str
    code: str
    marks: dict[str, str] = field(default_factory=dict)
    shown: str | None = None

    @property
    def place(self) -> str:
        """The name of the block in the output of tests."""
        return f"{self.page.relative_to(ROOT).as_posix()}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page; those that show what another one prints are in that."""
    found: list[Block] = []
    for block in _fenced(page):
        before = found[-1] if found else None
        if block.language == "text" and not block.marks and before and before.shown is None:
            before.shown = block.code
        else:
            found.append(block)
    return found


def _fenced(page: Path) -> Iterator[Block]:
    """Yield all blocks of a page, except the directives of the site."""
    marks: dict[str, str] = {}
    lines = iter(enumerate(page.read_text(encoding="utf-8").splitlines(), 1))
    for number, line in lines:
        found = _LINE.match(line)
        if found is None:
            if line.strip():
                marks = {}
            continue
        if found["mark"]:
            if found["mark"] in MARKS:
                marks[found["mark"]] = found["value"] or ""
            continue
        indent, fence = found["indent"], found["fence"]
        code: list[str] = []
        for _, inside in lines:
            if inside.strip() == fence:
                break
            code.append(inside.removeprefix(indent))
        if not found["info"].startswith("{"):
            text = "".join(f"{each}\n" for each in code)
            yield Block(page, number, found["info"].strip(), text, marks)
        marks = {}


def sections() -> list[list[Block]]:
    """Return the blocks of all pages: each with those that go on where it ended."""
    found: list[list[Block]] = []
    for page in PAGES:
        for block in blocks_of(page):
            if "after" in block.marks:
                found[-1].append(block)
            else:
                found.append([block])
    return found

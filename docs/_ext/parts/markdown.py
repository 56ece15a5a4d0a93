"""Markdown from values: tables, and texts that are safe in their cells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a cell has no line end and no bare `|`."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def text(words: str) -> str:
    """Return plain text for a cell: nothing in it is markup but what is in backticks."""
    parts = re.split(r"(`[^`]*`)", " ".join(words.split()))
    return "".join(
        part if part.startswith("`") else re.sub(r"([*_<>\[\]])", r"\\\1", part) for part in parts
    )


def code(words: str) -> str:
    """Return a text as code."""
    return f"`{words}`"


def _cell(words: str) -> str:
    return words.replace("|", "\\|").replace("\n", " ")

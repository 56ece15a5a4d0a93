"""`lines_of`: the lines of a TOML file in which its tables and keys are, for error messages.

The parsers of TOML do not keep them. This is no parser: it reads only files that one has accepted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_PARTS = re.compile(_PART)
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_PART}(?:\s*\.\s*{_PART})*)\s*\]")
_KEY = re.compile(rf"\s*({_PART}(?:\s*\.\s*{_PART})*)\s*=(.*)", re.DOTALL)
# What changes the state of a value that goes on in the next line.
_TOKEN = re.compile(r'"""|\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#.*|[\[\]{}]')
_LONG = ('"""', "'''")

Lines = Mapping[tuple[tuple[str, ...], str], int]
"""The number of a line by the path of a table and the key in it, "" for the table itself."""


def lines_of(text: str) -> Lines:
    """Return the line of each table and key, counted from 1."""
    found: dict[tuple[tuple[str, ...], str], int] = {}
    counts: dict[tuple[str, ...], int] = {}
    path: tuple[str, ...] = ()
    value = _Value()
    for number, line in enumerate(text.splitlines(), 1):
        if value.goes_on:
            value.feed(line)
            continue
        header = _HEADER.match(line)
        if header is not None:
            names = _names(header[2])
            path = _path(names, counts, is_list=header[1] == "[[")
            found.setdefault((path, ""), number)
            found.setdefault((path[:-1], names[-1]), number)
            continue
        key = _KEY.match(line)
        if key is not None:
            *tables, name = _names(key[1])
            inner = path
            for table in tables:
                found.setdefault((inner, table), number)
                inner = (*inner, table)
            found.setdefault((inner, name), number)
            value.feed(key[2])
    return found


def line_of(lines: Lines, path: Sequence[str], key: str) -> int | None:
    """Return the line of a key, or else that of the closest table around it; None for none."""
    known = lines.get((tuple(path), key))
    if known is not None or not path:
        return known
    known = lines.get((tuple(path), ""))
    if known is not None:
        return known
    *outer, last = path
    name, _, number = last.rpartition(" ")
    return line_of(lines, outer, name if number.isdecimal() and name else last)


def _names(text: str) -> list[str]:
    return [part.strip("\"'") for part in _PARTS.findall(text)]


def _path(
    names: Sequence[str], counts: dict[tuple[str, ...], int], *, is_list: bool
) -> tuple[str, ...]:
    """Return the path of a header; `counts` has the number of tables in each list so far."""
    path: tuple[str, ...] = ()
    for name in names[:-1]:
        path = (*path, name)
        if path in counts:
            path = (*path[:-1], f"{name} {counts[path]}")
    path = (*path, names[-1])
    if not is_list:
        return path
    counts[path] = counts.get(path, 0) + 1
    return (*path[:-1], f"{names[-1]} {counts[path]}")


class _Value:
    """A value that may go on over several lines: a list, or a text with three quotes."""

    def __init__(self) -> None:
        self._quotes = ""
        self._depth = 0

    @property
    def goes_on(self) -> bool:
        """True if the value is not complete."""
        return bool(self._quotes) or self._depth > 0

    def feed(self, line: str) -> None:
        """Take the rest of a line."""
        at = 0
        while at <= len(line):
            if self._quotes:
                end = line.find(self._quotes, at)
                if end < 0:
                    return
                at, self._quotes = end + 3, ""
                continue
            token = _TOKEN.search(line, at)
            if token is None:
                return
            at = token.end()
            if token[0] in _LONG:
                self._quotes = token[0]
            elif token[0] in "[{":
                self._depth += 1
            elif token[0] in "]}":
                self._depth -= 1

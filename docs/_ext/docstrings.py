"""Turns the docstrings of the packages, which are Markdown-like, into reStructuredText for autodoc.

A name in `backticks` becomes a link if it is a public name of a package, and code otherwise. An
indented block becomes a block of code, and the list below "Raises:" a list of links.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

# Packages and rooms whose public names have an entry, the one that wins last.
MODULES = (
    "modwire_tools",
    "pytest_modwire",
    "modwire_stores",
    "modwire.sniffing",
    "modwire.tls",
    "modwire.maps",
    "modwire.planner",
    "modwire.values",
    "modwire",
)
_CODE = re.compile(r"(?<!`)`([^`\n]+(?:\n\s*[^`\n]+)?)`(?!`)")
_ERROR = re.compile(r" {4}(\w+): ")


def public_names() -> dict[str, str]:
    """Return the public names, each with the full name under which it is documented."""
    return {
        name: f"{module}.{name}"
        for module in MODULES
        for name in getattr(importlib.import_module(module), "__all__", ())
    }


def as_rst(lines: list[str], known: dict[str, str]) -> list[str]:
    """Return the lines of a docstring as reStructuredText."""

    def replaced(found: re.Match[str]) -> str:
        text = " ".join(found[1].split())
        return f":py:obj:`~{known[text]}`" if text in known else f"``{text}``"

    parts = [part if is_code else _CODE.sub(replaced, part) for is_code, part in _parts(lines)]
    return "\n".join(parts).split("\n")


def _parts(lines: list[str]) -> Iterator[tuple[bool, str]]:
    """Yield the parts of a docstring, each with True if it is code."""
    text: list[str] = []
    rest = list(lines)
    while rest:
        line = rest.pop(0)
        if line == "Raises:":
            text += ["**Raises**", "", *_errors(rest), ""]
        elif line.startswith("    ") and not "".join(text[-1:]).strip():
            block = [line, *_taken(rest)]
            yield False, "\n".join(text)
            yield True, "\n".join([".. code-block:: python", "", *block, ""])
            text = []
        else:
            text.append(line)
    yield False, "\n".join(text)


def _taken(rest: list[str]) -> list[str]:
    """Take the lines from `rest` that are indented, or empty within such ones."""
    count = 0
    for at, line in enumerate(rest):
        if line.startswith("    "):
            count = at + 1
        elif line.strip():
            break
    found, rest[:] = rest[:count], rest[count:]
    return found


def _errors(rest: list[str]) -> list[str]:
    """Take the list of errors from `rest`, and return it as a list with names in backticks."""
    found: list[str] = []
    for line in _taken(rest):
        if (error := _ERROR.match(line)) is not None:
            found.append(f"- `{error[1]}`: {line[error.end() :]}")
        else:
            found.append(f"  {line.strip()}")
    return found


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the conversion to autodoc."""
    known = public_names()

    def process(
        app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]
    ) -> None:
        if (
            what == "data"
            and lines
            and " ".join(lines).split() == (type(value).__doc__ or "").split()
        ):
            lines.clear()  # of the class of a constant, not of the constant
        lines[:] = as_rst(lines, known)

    app.connect("autodoc-process-docstring", process)
    return {"parallel_read_safe": True}

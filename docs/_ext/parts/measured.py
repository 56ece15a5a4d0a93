"""The rows of the benchmarks' page that the performance page shows."""

from __future__ import annotations

import re
from pathlib import Path

from .markdown import table

PAGE = Path(__file__).parents[3] / "benchmarks" / "README.md"


def performance() -> str:
    """Return the rates of clients and servers with one caller or connection, and their peers'."""
    rows = []
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    titles: list[str] = []
    heading = ""
    for line in lines:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("### "):
            heading = line[4:]
        elif line.startswith("| | floor"):
            titles = cells
        elif re.match(r"\| [^|]*FC3 of 10, (1|one) (connection|caller) \|", line):
            named = dict(zip(titles, cells, strict=False))
            name = cells[0] if ":" in cells[0] else f"{heading}: {cells[0]}"
            share = named["ratio (quartiles)"].partition(" ")[0]
            rows.append([name, named["modwire"], share, named.get("pymodbus", "") or "-"])
    return table(["what", "modwire", "share of bare sockets", "pymodbus's share"], rows)

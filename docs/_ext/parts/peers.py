"""The table of how servers of other libraries do on the corpus of malformed frames."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from .markdown import table

CORPUS = Path(__file__).parents[3] / "tests" / "vectors" / "malformed.json"


def peers() -> str:
    """Return a row for each library: how many cases were tried, and done in an allowed way."""
    cases = [
        case
        for case in json.loads(CORPUS.read_text(encoding="utf-8"))["cases"]
        if case["role"] == "server"
    ]
    tried: Counter[tuple[str, str]] = Counter()
    right: Counter[tuple[str, str]] = Counter()
    for case in cases:
        kind = "requests" if case["group"].startswith("pdu") else "frames"
        # Outcomes that cannot be told apart are joined by a slash.
        outcomes = {name: each.split("/") for name, each in case.get("observed", {}).items()}
        for name, outcome in outcomes.items():
            tried[name, kind] += 1
            right[name, kind] += bool(set(outcome) & set(case["acceptable"]))
    names = sorted({name for name, _ in tried}, key=str.lower)
    whole = Counter("requests" if case["group"].startswith("pdu") else "frames" for case in cases)
    rows = [
        [
            "**modwire**",
            *(f"{whole[kind]} of {whole[kind]}" for kind in ("frames", "requests")),
            "100 %",
        ],
        *(_row(name, tried, right) for name in names),
    ]
    return table(["server", "wrong frames", "wrong requests", "together"], rows)


def _row(name: str, tried: Counter[tuple[str, str]], right: Counter[tuple[str, str]]) -> list[str]:
    kinds = ("frames", "requests")
    cells = [f"{right[name, kind]} of {tried[name, kind]}" for kind in kinds]
    share = sum(right[name, kind] for kind in kinds) / sum(tried[name, kind] for kind in kinds)
    return [name, *cells, f"{share:.0%}".replace("%", " %")]

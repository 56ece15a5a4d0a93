"""`described_problems`: the reasons why devices are not served, for the command and the window."""

from __future__ import annotations

from collections.abc import Mapping

from ..system_advice import system_advice


def described_problems(problems: Mapping[int, str]) -> str:
    """Return one sentence about `View.problems()`, with advice; "" if there are none."""
    if not problems:
        return ""
    first = next(iter(problems.values()))
    count = len(problems) - 1
    others = "1 more device" if count == 1 else f"{count} more devices"
    more = f", and {others} cannot be served" if count else ""
    return "; ".join(filter(None, [first + more, system_advice(first)]))

"""Shell completion for the framings and functions of `modwire parse` and `modwire generate`."""

from __future__ import annotations

from .types import Completions


def complete_framing(incomplete: str) -> Completions:
    """Offer the framings of messages."""
    from modwire_tools.explain.frames import FRAMINGS

    return [(name, "") for name in FRAMINGS]


def complete_function(incomplete: str) -> Completions:
    """Offer functions by their names, with their codes."""
    from modwire_tools.explain.kinds import KINDS

    return [
        (kind.name, str(kind.code) if kind.sub_code is None else f"{kind.code}/{kind.sub_code}")
        for kind in KINDS
    ]

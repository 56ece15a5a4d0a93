"""`spread`: which node runs which line."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from typing import TypeVar

LineT = TypeVar("LineT", bound=Hashable)

_EVEN = 0.01  # of a node's share; a smaller difference is not worth a move


def spread(
    rates: Mapping[LineT, float],
    loads: Mapping[str, float],
    homes: Mapping[LineT, str],
    guests: Collection[LineT] = (),
) -> dict[LineT, str]:
    """Return the node of each line, so that nodes have about the same requests per second.

    `rates` has the requests per second of each line, `loads` the nodes, each with the requests of
    lines that are bound to it. `homes` is where lines run now: they are moved only if that makes
    the nodes more even, those in `guests` before others.
    """
    sums = dict(loads)
    placed: dict[LineT, str] = {}
    for line in rates:
        home = homes.get(line, "")
        if home in sums:
            placed[line] = home
            sums[home] += rates[line]
    for line in sorted(rates.keys() - placed.keys(), key=lambda each: (-rates[each], repr(each))):
        placed[line] = min(sums, key=sums.__getitem__)
        sums[placed[line]] += rates[line]
    enough = _EVEN * sum(sums.values()) / len(sums)
    while True:
        most, least = max(sums, key=sums.__getitem__), min(sums, key=sums.__getitem__)
        gap = sums[most] - sums[least]
        # A line with a rate above the gap would only exchange the two nodes.
        movable = [
            line
            for line, node in placed.items()
            if node == most and line in homes and rates[line] < gap * 0.999
        ]
        if gap <= enough or not movable:
            return placed
        moved = min(
            movable, key=lambda each: (each not in guests, abs(rates[each] - gap / 2), repr(each))
        )
        placed[moved] = least
        sums[most] -= rates[moved]
        sums[least] += rates[moved]

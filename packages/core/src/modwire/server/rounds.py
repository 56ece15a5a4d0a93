"""`Rounds`: the order in which the ready connections of a server get their turns.

A turn is bounded, so that a client that sends without pause delays the others only by its turn.
And those that ask little come first: the others wait their round.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

TURN = 2048
"""Bytes received in one turn, at most: 170 short requests on TCP. Receiving costs the time of 8."""

LEAST_TURN = 96
MOST_ANSWERED = 8192
"""Bytes of answers after which a turn has been long: the next one receives fewer requests."""

MODEST = 264
"""Bytes of a turn that delays nobody much: one ADU, or 16 short requests."""

_GREEDY_TURNS = 3
"""Turns between two looks at who is ready: half a millisecond."""

KeyT = TypeVar("KeyT")
EventT = TypeVar("EventT")


class Rounds(Generic[KeyT, EventT]):
    """The greedy connections that are ready, in the order of their turns.

    An adapter whose loop finds a connection ready calls its handler at once, unless the last turn
    of that connection was greedy, or its first one will be. Then it calls `enter(key, event)`, and
    after all others it handles what `take()` returns. While `is_waiting`, it looks for ready
    connections without waiting for them. An adapter that gets many events at once adds a connection
    to `greedy` after such a turn, and calls `order` with the events.
    """

    def __init__(self) -> None:
        self._waiting: dict[KeyT, EventT] = {}
        self.greedy: set[KeyT] = set()

    @property
    def is_waiting(self) -> bool:
        """True if a connection waits for its turn."""
        return bool(self._waiting)

    def enter(self, key: KeyT, event: EventT) -> None:
        """Put a connection behind the others, or note what it is ready for if it waits already."""
        self._waiting[key] = event

    def order(self, events: Iterable[tuple[KeyT, EventT]]) -> list[tuple[KeyT, EventT]]:
        """Return the events to handle now: those of greedy connections last, and only some."""
        now: list[tuple[KeyT, EventT]] = []
        for key, event in events:
            if key in self.greedy:
                self._waiting[key] = event
            else:
                now.append((key, event))
        turns = self.take()
        self.greedy.difference_update(key for key, _ in turns)
        return now + turns

    def leave(self, key: KeyT) -> None:
        """Forget a connection that was closed, or that is not read from for now."""
        self._waiting.pop(key, None)
        self.greedy.discard(key)

    def take(self) -> list[tuple[KeyT, EventT]]:
        """Return the connections whose turn it is, at most three."""
        waiting = self._waiting
        keys = [key for key, _ in zip(waiting, range(_GREEDY_TURNS), strict=False)]
        return [(key, waiting.pop(key)) for key in keys]

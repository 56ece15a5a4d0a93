"""`RequestQueue`: the requests of a client that wait to be sent, and the time at which each may be.

`ClientProtocol` has one. Times are in seconds, monotonic.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import TypeAlias

    from .exchange import Exchange
    from .late_replies import LateReplies
    from .options import ClientOptions

    AnyExchange: TypeAlias = Exchange[Any]

_NEVER = float("-inf")


class RequestQueue:
    """Requests in the order they came; one may be sent before another that has to wait.

    A request waits for the overdue replies of its unit, `late`, and for the pauses that `options`
    ask for: after opening the link, between requests on it, between requests to one unit, and
    after the device was busy. The silence of a line is the business of `LineUse`.

    - `waiting`: the exchanges.
    - `is_paced`: True if `options` ask for a pause.
    """

    __slots__ = ("_late", "_options", "_units", "_until", "is_paced", "waiting")

    def __init__(self, options: ClientOptions, late: LateReplies) -> None:
        self.waiting: deque[AnyExchange] = deque()
        self.is_paced = bool(
            options.connect_delay or options.pause or options.unit_pause or options.busy_retries
        )
        self._options = options
        self._late = late
        self._until = _NEVER
        self._units: dict[int, float] = {}  # by unit: the time until which it is left alone

    def opened(self, now: float) -> None:
        """Begin with a link that was opened at `now`."""
        self._until = now + self._options.connect_delay
        self._units.clear()

    def used(self, exchange: AnyExchange, now: float) -> None:
        """Begin the pauses after a request that was sent, or that ended, at `now`."""
        options = self._options
        self._until = max(self._until, now + options.pause)
        if options.unit_pause:
            self._units[exchange.unit] = now + options.unit_pause

    def first_free(self, now: float) -> AnyExchange | None:
        """Return the first exchange that may be sent at `now`, or None."""
        for exchange in self.waiting:
            if self._free_at(exchange) <= now:
                return exchange
        return None

    def next_at(self) -> float:
        """Time at which the next exchange may be sent; there must be one."""
        return min([self._free_at(exchange) for exchange in self.waiting])

    def _free_at(self, exchange: AnyExchange) -> float:
        free_at = _NEVER if exchange.sent else self._late.free_at(exchange.unit)
        if not self.is_paced:
            return free_at
        pause = max(self._until, self._units.get(exchange.unit, _NEVER))
        return max(free_at, pause, exchange.not_before)

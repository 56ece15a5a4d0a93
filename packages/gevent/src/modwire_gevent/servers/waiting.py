"""`Waiting`: lets a greenlet of a server wait for bytes, for room, for a deadline or for `ring`.

A gevent socket starts a watcher for each call; here it is started once for many requests.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from gevent import get_hub, getcurrent

from modwire.server.rounds import Rounds

if TYPE_CHECKING:
    from collections.abc import Callable

    from gevent.hub import Hub

    from ..links import Watcher

_READ, _WRITE = 1, 2  # events of the loop's io watchers
_LONGEST_WAIT = 3600.0  # seconds; event loops refuse very long times
_NEVER = float("inf")


class Waiting:
    """Waits for the descriptor `fd`, which does not block; always in the same greenlet.

    Call `unwatch` before you close the descriptor: a greenlet that waits returns, as after `ring`.
    It must check that the descriptor is still open before it waits again.
    """

    __slots__ = (
        "_fd",
        "_hub",
        "_is_waiting",
        "_is_watched",
        "_readable",
        "_rings_at",
        "_switch",
        "_switch_to_hub",
        "_timer",
        "rounds",
    )

    def __init__(self, hub: Hub, fd: int) -> None:
        self._hub = hub
        self._fd = fd
        self._readable = hub.loop.io(fd, _READ)
        self._is_watched = False
        self._is_waiting = False
        self._switch: Callable[[bool], object] | None = None  # to the greenlet, once it has waited
        self._switch_to_hub = hub.switch
        self._timer: Watcher | None = None
        self._rings_at = _NEVER
        self.rounds: GreedyRounds | None = None  # if its next turn comes after all others

    def wait_readable(self) -> bool:
        """Wait; True for bytes, a connection or the end of the stream, False after a ring.

        Other greenlets run even if bytes are there, so that a flood does not block them.
        """
        if not self._is_watched:
            self.look_out()
        self._is_waiting = True
        try:
            is_ready: bool = self._switch_to_hub()
            return is_ready
        finally:
            self._is_waiting = False

    def look_out(self) -> None:
        """Watch for bytes or the end; `on_early` is called if they come while nobody waits."""
        if not self._is_watched:
            self._readable.start(self._on_readable)
            self._is_watched = True
            self._switch = getcurrent().switch

    def on_early(self) -> None:
        """Handle bytes or the end that arrive during earlier requests; called in the hub."""

    def wait_writable(self) -> bool:
        """Wait; True if there is room to send bytes, False after a ring."""
        if self._is_watched:
            self._readable.stop()
            self._is_watched = False
        writable = self._hub.loop.io(self._fd, _WRITE)
        self._switch = getcurrent().switch
        writable.start(self._wake, True)
        self._is_waiting = True
        try:
            is_ready: bool = self._switch_to_hub()
            return is_ready
        finally:
            self._is_waiting = False
            writable.close()

    def ring(self) -> None:
        """Make a greenlet that waits return soon."""
        if self._is_waiting:
            self._hub.loop.run_callback(self._wake, False)

    def schedule(self, deadline: float | None) -> None:
        """Ring at `deadline` (seconds, monotonic), if a greenlet waits then.

        It may ring too early: the timer is not reset when the deadline moves to a later time,
        because that costs more than an occasional spurious wake-up.
        """
        if deadline is None or deadline >= self._rings_at:
            return
        if self._timer is not None:
            self._timer.close()
        now = monotonic()
        self._rings_at = min(deadline, now + _LONGEST_WAIT)
        timer = self._hub.loop.timer(max(self._rings_at - now, 0.0), ref=False)
        self._timer = timer
        timer.start(self._on_time, update=True)

    def unwatch(self) -> None:
        """Stop watching; may be called again."""
        self._readable.close()
        if self.rounds is not None:
            self.rounds.leave(self)
        if self._timer is not None:
            self._timer.close()
            self._timer = None
        self.ring()

    # Called in the hub.

    def _wake(self, is_ready: bool) -> None:
        if self._is_waiting and self._switch is not None:
            self._switch(is_ready)

    def _on_readable(self) -> None:
        if self._is_waiting and self._switch is not None:
            if self.rounds is None:
                self._switch(True)
            else:
                self._readable.stop()
                self._is_watched = False
                self.rounds.enter(self)
        else:  # earlier requests are still executed: stop watching, or the loop would spin
            self._readable.stop()
            self._is_watched = False
            self.on_early()

    def _on_time(self) -> None:
        self._rings_at = _NEVER
        self._wake(False)

    def take_turn(self) -> None:
        """Read now, after the others; called in the hub."""
        self._wake(True)


class GreedyRounds:
    """The connections that are ready, but come after all others; see `Rounds`.

    A timer takes some of them in each round of the loop, in which it also finds other descriptors.
    """

    def __init__(self) -> None:
        self._rounds = Rounds[Waiting, None]()
        self._timer: Watcher | None = None

    def enter(self, waiting: Waiting) -> None:
        """Put a connection behind the others."""
        self._rounds.enter(waiting, None)
        if self._timer is None:
            self._timer = get_hub().loop.timer(0.0)
            self._timer.start(self._take)

    def leave(self, waiting: Waiting) -> None:
        """Forget a connection that is closed."""
        self._rounds.leave(waiting)

    def _take(self) -> None:
        turns = self._rounds.take()
        timer, self._timer = self._timer, None
        if timer is not None:
            if self._rounds.is_waiting:
                self._timer = timer
                timer.start(self._take)
            else:
                timer.close()
        for waiting, _ in turns:
            waiting.take_turn()

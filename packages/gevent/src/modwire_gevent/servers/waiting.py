"""`Waiting`: where a greenlet of a server waits for bytes, for room, for a time or for a ring.

What gevent's sockets do anew for each call, such as starting a watcher, is done here once for
many requests.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from gevent import getcurrent

if TYPE_CHECKING:
    from collections.abc import Callable

    from gevent.hub import Hub

    from ..links import Watcher

_READ, _WRITE = 1, 2  # events of the loop's io watchers
_LONGEST_WAIT = 3600.0  # seconds, for event loops know no very great ones
_NEVER = float("inf")


class Waiting:
    """Waits for the descriptor `fd`, which does not block, always in the same greenlet.

    `unwatch` is to be called before the descriptor is closed. Who waits then returns, as after
    `ring`, so it has to look whether it goes on; nobody may begin to wait afterwards.
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

    def wait_readable(self) -> bool:
        """True when there are bytes, a connection or an end; False after a ring.

        Waits in any case, so that a peer with much to say leaves the others their turn.
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
        """Let `on_early` be called if there is something to be read before it is waited for."""
        if not self._is_watched:
            self._readable.start(self._on_readable)
            self._is_watched = True
            self._switch = getcurrent().switch

    def on_early(self) -> None:
        """There are bytes, or an end, while what was read before is worked on; in the hub."""

    def wait_writable(self) -> bool:
        """True when there is room for bytes; False after a ring."""
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
        """Let who waits return soon."""
        if self._is_waiting:
            self._hub.loop.run_callback(self._wake, False)

    def schedule(self, deadline: float | None) -> None:
        """Ring at `deadline` (of `time.monotonic`), if somebody waits then.

        It may ring too early, for the timer is not set anew where the time moves on: that costs
        more than a wait that was in vain once in a while.
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
        """Watch nothing any longer; may be called again."""
        self._readable.close()
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
            self._switch(True)
        else:  # what was read is still worked on: let it, and do not spin
            self._readable.stop()
            self._is_watched = False
            self.on_early()

    def _on_time(self) -> None:
        self._rings_at = _NEVER
        self._wake(False)

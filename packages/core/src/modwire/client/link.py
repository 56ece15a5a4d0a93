"""A client's link: its methods, the time for opening it, when to reconnect, and what to repeat.

`Turns` uses it for the clients of all packages, `Silences` uses `Backoff` for the units behind a
gateway. Times are in seconds, monotonic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ..messages.base import AnyRequest

LOOKUP_TIMEOUT = 3.0
"""Seconds for looking up the name of a UDP peer: for TCP it is a part of `connect_timeout`."""
BUSY_PAUSE = 0.02
"""Seconds after which to try again a Unix socket that has no room for another connection."""

_NEVER = float("-inf")
_IDLE = 0.5  # seconds without traffic after which a server may have closed the connection


class Link(Protocol):
    """Methods of an open link that `Turns` uses. OSError from any of them means a lost link."""

    is_datagram: bool
    """True if each frame has its own datagram."""
    is_connection: bool
    """True if the link is a connection that can be opened anew, and may be dead without a sign."""
    is_sending: bool
    """True while bytes wait for room in the system's buffer; nothing else is sent until then."""

    def send(self, data: bytes, now: float) -> float:
        """Send `data`, or begin to. Return the seconds that this takes on the line, or 0.0."""
        raise NotImplementedError

    def withdraw(self, adu: bytes) -> bool:
        """Remove `adu` from the bytes that wait; return False if a part of it was sent."""
        raise NotImplementedError

    def receive_now(self) -> bytes | None:
        """Return the bytes that have arrived, None if none have, b"" at the end of the stream."""
        raise NotImplementedError


def share(until: float, now: float, attempts: int) -> float:
    """Seconds for the next of so many `attempts` to connect, which end at `until` together.

    A name may have several addresses; one that does not answer must leave time for the others.
    """
    return max(until - now, 0.001) / attempts


class Backoff:
    """Time to wait before the next attempt to open a link, or the next request to a silent unit.

    There is no wait after the first failure, because a restarted device is often back at once.
    Then it is `first` seconds, doubled with each failure, up to `most` seconds. `forgiven` is the
    number of failures without a wait.
    """

    __slots__ = ("_delay", "_failures", "_first", "_forgiven", "_most", "_until")

    def __init__(self, first: float = 0.1, most: float = 5.0, *, forgiven: int = 1) -> None:
        if not 0 < first <= most < float("inf"):
            raise ValueError(
                f"first must be more than 0 and at most most, in seconds, got {first} and {most}"
            )
        self._first = first
        self._most = most
        self._forgiven = forgiven
        self._failures = 0
        self._delay = 0.0
        self._until = _NEVER

    def failed(self, now: float) -> None:
        """Increase the back-off: an attempt failed at `now`."""
        delay = 0.0
        doublings = self._failures - self._forgiven
        if doublings >= 0:
            # 2.0 ** 64 times anything is more than `most`, and does not overflow
            delay = min(self._most, self._first * 2.0 ** min(doublings, 64))
        self._failures += 1
        self._delay = delay
        self._until = now + delay

    @property
    def has_repeated(self) -> bool:
        """True after more failures in a row than are forgiven."""
        return self._failures > self._forgiven

    def succeeded(self) -> None:
        """Reset the back-off: the next failure counts as the first one."""
        self._failures = 0
        self._until = _NEVER

    def wait(self, now: float) -> float:
        """Seconds to wait at `now` before the next attempt; 0.0 for none."""
        left = self._until - now
        # A clock that starts again lower, as trio's does in each run, must not prolong the pause.
        return left if 0.0 < left < 2.0 * self._delay else 0.0


class LinkHistory:
    """Times of the last use of one link, and decisions based on them; a new link has a new one.

    `sent` and `heard` are the times at which bytes were last sent and received. `looks_always`
    is for links without transaction ids, where bytes that came since the last call must be read
    before the next request is sent, or they would be taken for its answer.
    """

    __slots__ = ("_backoff", "heard", "is_closed", "quiet", "sent", "usual", "was_interrupted")

    def __init__(self, backoff: Backoff, *, looks_always: bool) -> None:
        self._backoff = backoff
        self.quiet = self.usual = _NEVER if looks_always else _IDLE
        """Seconds without received bytes after which the link is read before a request is sent.

        After a pause the server may have closed the connection, which only reading shows. As
        nothing has been sent yet, even a write can then be sent on a new link.
        """
        self.sent = _NEVER
        self.heard = _NEVER
        self.is_closed = False
        self.was_interrupted = False

    def look(self, *, is_needed: bool) -> None:
        """Read the link before the next request, whenever that is, or only after a pause."""
        self.quiet = _NEVER if is_needed else self.usual

    def lost(self, now: float) -> None:
        """Record the loss of the link at `now`.

        It counts as a failed attempt if no byte came, or if no request was sent.
        """
        if _NEVER in (self.heard, self.sent):
            self._backoff.failed(now)
        else:
            self._backoff.succeeded()

    def may_repeat(self, request: AnyRequest) -> bool:
        """True if `request`, open when the link was lost, may be sent again on a new link.

        It may if it writes nothing, and either this side dropped the link, or the link had worked
        but no byte came after the last request: most likely the server had already closed it.
        """
        if request.is_write or self.is_closed:
            return False
        return self.was_interrupted or self.sent > self.heard > _NEVER

"""When a client may open its link again, and what the link's past tells about it.

For the adapters, which open the links; like everything here it reads no clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..messages.base import AnyRequest

_NEVER = float("-inf")
_IDLE = 0.5  # seconds of quiet after which a server may have closed the connection


class Backoff:
    """How long to wait before a link is opened again, or a unit is asked again.

    After the first failure not at all, for a device that was restarted is often back at once;
    then `first` seconds, doubled with each failure, up to `most` seconds. `forgiven` is how many
    failures are followed by no pause.
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
        """The link could not be opened at `now`, or was lost before it was of any use."""
        delay = 0.0
        doublings = self._failures - self._forgiven
        if doublings >= 0:
            # 2.0 ** 64 times anything is more than `most`, and no overflow
            delay = min(self._most, self._first * 2.0 ** min(doublings, 64))
        self._failures += 1
        self._delay = delay
        self._until = now + delay

    def succeeded(self) -> None:
        """The link was of use: the next failure is the first one again."""
        self._failures = 0
        self._until = _NEVER

    def wait(self, now: float) -> float:
        """The seconds to wait at `now` before the link may be opened; 0.0 for none."""
        left = self._until - now
        # A clock that was set back, as trio's is in each run, must not make the pause longer.
        return left if 0.0 < left < 2.0 * self._delay else 0.0


class LinkHistory:
    """When one link was last used, and what follows from it; a reopened link has a new one.

    The adapter sets `sent` and `heard` to the time whenever it has sent or received bytes, and
    calls `lost` when the link goes away. `looks_always` is for links whose frames have no
    transaction ids: there, what came since the last call must be taken before the next request
    is sent, or it would pass for the answer.
    """

    __slots__ = ("_backoff", "_quiet", "heard", "is_closed", "sent", "was_interrupted")

    def __init__(self, backoff: Backoff, *, looks_always: bool) -> None:
        self._backoff = backoff
        self._quiet = _NEVER if looks_always else _IDLE
        self.sent = _NEVER
        self.heard = _NEVER
        self.is_closed = False
        self.was_interrupted = False

    def lost(self, now: float) -> None:
        """The link went away at `now`; if it never brought a byte, that is a failure to open it."""
        if self.heard == _NEVER:
            self._backoff.failed(now)
        else:
            self._backoff.succeeded()

    def needs_look(self, now: float) -> bool:
        """Whether to take what has arrived before something is sent at `now`.

        After a pause the server may have closed the connection, which is seen only by reading;
        nothing was sent then, so even a write can go out on a new one.
        """
        return now - self.heard > self._quiet

    def closed(self) -> None:
        """The link was closed on purpose: nothing that was open on it is repeated."""
        self.is_closed = True

    def interrupted(self) -> None:
        """This side left something half-way; the link was good until then."""
        self.was_interrupted = True

    def may_repeat(self, request: AnyRequest) -> bool:
        """Whether `request`, which was open when the link was lost, may be sent on a new one.

        It may, once, if it changes nothing, and if the link was given up by this side, or had
        worked and brought nothing any more after the last sending: most likely the server had
        closed it already.
        """
        if request.is_write or self.is_closed:
            return False
        return self.was_interrupted or self.sent > self.heard > _NEVER

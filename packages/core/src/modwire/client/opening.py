"""`Opening`: the attempts to open a client's link; `Turns` has one.

It decides when to try, and keeps the reason of the last loss or failure for the errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ConnectionLostError
from ..options import check_timeout, check_unit
from .link import Backoff

if TYPE_CHECKING:
    from .link_log import LinkLog
    from .options import ClientOptions


CANNOT_OPEN = (OSError, ValueError, OverflowError)  # the last two for invalid host names
CLOSED = "the client was closed"


class Attempt:
    """An attempt to open the link, for all callers that are `waiting` for it.

    `work` is the adapter's task or greenlet that makes it: if a caller is cancelled, the others go
    on waiting. `error` is the reason of its failure.
    """

    work: Any

    def __init__(self) -> None:
        self.waiting = 0
        self.error: Exception | None = None


class Opening:
    """The time at which a link may be opened, and how often that has failed.

    - `attempt`: the attempt that callers share, in an adapter that has them; None for none.
    - `reason`: the reason why there is no link, or was none.
    - `failures`: number of failed attempts; callers that wait share an attempt.
    - `closings`: number of times that the client was closed; a link must not be used that was
      being opened meanwhile.
    """

    def __init__(self, name: str, options: ClientOptions, log: LinkLog) -> None:
        self.attempt: Attempt | None = None
        self.reason: object = None
        self.failures = 0
        self.closings = 0
        self.backoff = Backoff()
        self._name = name
        self._options = options
        self._log = log

    def pause(self, now: float, unit: int | None = None, timeout: float | None = None) -> float:
        """Seconds to wait before the link may be opened for a call to `unit` with `timeout`.

        None stands for those of the options. Raises ValueError for arguments of the call that are
        out of range, and `ConnectionLostError` if the back-off is longer than `timeout`.
        """
        if unit is not None:
            check_unit(unit)
        if timeout is not None:
            check_timeout(timeout)
        pause = self.backoff.wait(now)
        if pause > (self._options.response_timeout if timeout is None else timeout):
            raise self.no_link(f"{self.reason}; the next try is in {pause:.1f} s")
        return pause

    def failed(self, error: Exception, now: float) -> ConnectionLostError:
        """Record a failed attempt to open the link, and return the error for the call."""
        self.reason = error
        self.failures += 1
        self.backoff.failed(now)
        self._log.note(f"cannot be opened: {error}", is_warning=True, now=now)
        return self.no_link(error)

    def leave(self, attempt: Attempt) -> bool:
        """Count one caller less; return True if none is left: then its work must be cancelled."""
        attempt.waiting -= 1
        if attempt.waiting or self.attempt is not attempt:
            return False
        self.attempt = None
        return True

    def ended(self, attempt: Attempt, error: Exception | None, now: float) -> bool:
        """Record the end of an attempt; return False if its link must be closed: nobody waits."""
        attempt.error = attempt.error or error
        if self.attempt is not attempt:
            return False
        self.attempt = None
        if isinstance(error, CANNOT_OPEN):
            self.failed(error.with_traceback(None), now)
        return True

    def check(self, attempt: Attempt) -> None:
        """Raise the error of an attempt, if it has failed."""
        if isinstance(attempt.error, CANNOT_OPEN):
            raise self.no_link(attempt.error) from attempt.error
        if attempt.error is not None:
            raise attempt.error

    def close(self) -> Attempt | None:
        """Record that the client was closed; return the attempt whose work must be cancelled."""
        self.closings += 1
        attempt, self.attempt = self.attempt, None
        if attempt is not None:
            attempt.error = OSError(CLOSED)
        return attempt

    def no_link(self, reason: object = None) -> ConnectionLostError:
        """Return the error for a call whose link cannot be opened; None stands for `reason`."""
        error = ConnectionLostError(f"cannot be opened: {reason or self.reason}")
        error.peer = self._name
        return error

"""`Opening`: the attempts to open a client's link; `Turns` has one.

It decides when to try, and keeps the reason of the last loss or failure for the errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ConnectionLostError
from ..options import check_timeout, check_unit
from .link import Backoff

if TYPE_CHECKING:
    from .link_log import LinkLog
    from .options import ClientOptions


class Opening:
    """The time at which a link may be opened, and how often that has failed.

    - `reason`: the reason why there is no link, or was none.
    - `failures`: number of failed attempts; callers that wait share an attempt.
    - `closings`: number of times that the client was closed; a link must not be used that was
      being opened meanwhile.
    """

    def __init__(self, name: str, options: ClientOptions, log: LinkLog) -> None:
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

    def no_link(self, reason: object = None) -> ConnectionLostError:
        """Return the error for a call whose link cannot be opened; None stands for `reason`."""
        error = ConnectionLostError(f"cannot be opened: {reason or self.reason}")
        error.peer = self._name
        return error

"""`LinkLog`: what a client logs about its link; `Turns` has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..logger import Logger

_PERIOD = 10.0
_MOST_KINDS = 64
_KIND = 40  # characters of a line that tell its kind; bytes of the peer may come behind them


class LinkLog:
    """The log of a link: `modwire.client` for its state, `modwire.wire` for its bytes.

    Nothing is logged before `start`. `is_traced` is True if the bytes are logged as well. A device
    that ends every connection must not fill the log: the same warning is written once in 10 s.
    """

    def __init__(self, name: str) -> None:
        self.is_traced = False
        self.wire: Logger | None = None
        self._name = name
        self._log: Logger | None = None
        self._written: dict[str, tuple[float, int]] = {}  # when, and how many were left out since

    def start(self, get_logger: Callable[[str], Logger]) -> None:
        """Log from now on; `get_logger` is that of `logging`, which is slow to import."""
        if self._log is None:
            self._log = get_logger("modwire.client")
            self.wire = get_logger("modwire.wire")

    def note(self, what: str, *, is_warning: bool, now: float = float("inf")) -> None:
        """Log a change of the link's state at `now`, in seconds."""
        if self._log is None:
            return
        if not is_warning:
            self._log.info("%s: %s", self._name, what)
            return
        at, left_out = self._written.get(what[:_KIND], (float("-inf"), 0))
        if abs(now - at) < _PERIOD:  # the clock of trio starts anew in each run
            self._written[what[:_KIND]] = (at, left_out + 1)
            return
        if len(self._written) >= _MOST_KINDS:
            self._written.clear()
        self._written[what[:_KIND]] = (now, 0)
        more = f" ({left_out} more like this since the last line)" if left_out else ""
        self._log.warning("%s: %s%s", self._name, what, more)

    def trace(self, what: str, data: bytes) -> None:
        """Log bytes that were sent or received."""
        if self.wire is not None:
            self.wire.debug("%s: %s %s", self._name, what, data.hex(" "))

"""`QuietLogger`: a server's logger, which a flood of bad requests cannot fill.

Without it, each datagram of a forbidden peer writes a line, and each write that a store refuses a
traceback.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .peers import HostPort

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..logger import Logger

PERIOD = 10.0
"""Seconds in which a warning of one kind about one peer is written once."""

_MOST_OF_A_KIND = 16  # lines in a period: forged datagrams come from many peers
_MOST = 1024  # lines remembered; the kinds are few, but errors of units may have any type
_OTHERS = "others"
_MORE = " (%d more like this since the last line)"


class _Line:
    """A line that was written at `at`, and the number of those suppressed since."""

    __slots__ = ("at", "suppressed")

    def __init__(self, at: float) -> None:
        self.at = at
        self.suppressed = 0


class QuietLogger:
    """Passes each kind of warning and error on once in a period, for each peer, with a count.

    The kind is the text with its strings, or with the type of the error and the unit; the peer is
    the address among the arguments, without its port. Debug and info lines pass unchanged. `now()`
    is the clock, in seconds.
    """

    def __init__(self, logger: Logger, now: Callable[[], float]) -> None:
        self._logger = logger
        self._now = now
        self._lines: dict[tuple[object, ...], _Line] = {}
        self._kinds: dict[str, int] = {}  # lines remembered of each kind
        self._swept = float("-inf")
        self.isEnabledFor = logger.isEnabledFor
        self.debug = logger.debug
        self.info = logger.info

    def warning(self, msg: str, *args: object) -> None:
        """Log a warning, unless the same was logged in this period."""
        suppressed = self._suppressed(msg, args, None)
        if suppressed is not None:
            if suppressed:
                msg, args = msg + _MORE, (*args, suppressed)
            self._logger.warning(msg, *args)

    def error(self, msg: str, *args: object, exc_info: BaseException | None = None) -> None:
        """Log an error and its traceback, unless the same was logged in this period."""
        suppressed = self._suppressed(msg, args, exc_info)
        if suppressed is not None:
            if suppressed:
                msg, args = msg + _MORE, (*args, suppressed)
            self._logger.error(msg, *args, exc_info=exc_info)

    def _suppressed(
        self, msg: str, args: tuple[object, ...], error: BaseException | None
    ) -> int | None:
        """Return the number of lines like this suppressed before it; None to suppress it."""
        now = self._now()
        if now - self._swept >= PERIOD:
            self._sweep(now)
        peer = next((host for each in args if (host := _host(each)) is not None), None)
        kind: tuple[object, ...]
        if error is None:
            kind = tuple(each for each in args if type(each) is str)
        else:
            kind = (type(error), *(each for each in args if type(each) is int))
        key: tuple[object, ...] = (msg, kind, peer)
        line = self._lines.get(key)
        if line is None and (
            self._kinds.get(msg, 0) >= _MOST_OF_A_KIND or len(self._lines) >= _MOST
        ):
            key = (msg, _OTHERS) if len(self._lines) < _MOST else (_OTHERS,)
            line = self._lines.get(key)
        if line is None:
            self._lines[key] = _Line(now)
            self._kinds[msg] = self._kinds.get(msg, 0) + 1
            return 0
        if now - line.at < PERIOD:
            line.suppressed += 1
            return None
        suppressed, line.suppressed, line.at = line.suppressed, 0, now
        return suppressed

    def _sweep(self, now: float) -> None:
        """Forget the lines of earlier periods; those with a count stay for another period."""
        self._swept = now
        kept = {
            key: line
            for key, line in list(self._lines.items())
            if now - line.at < (2 * PERIOD if line.suppressed else PERIOD)
        }
        self._lines = kept
        self._kinds = {}
        for key in kept:
            self._kinds[str(key[0])] = self._kinds.get(str(key[0]), 0) + 1


def _host(argument: object) -> str | None:
    """Return the host of a peer, or of the connection of a peer; None for other arguments."""
    protocol = getattr(argument, "protocol", None)
    peer = argument if protocol is None else getattr(protocol, "peer", None)
    if isinstance(peer, HostPort):
        return peer.host
    return None if protocol is None else str(peer)

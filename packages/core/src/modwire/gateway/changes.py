"""`Changes`: the texts for the log of a line, which a unit that comes and goes cannot fill."""

from __future__ import annotations

from ..server.quiet_logger import PERIOD

_MOST = 1024  # texts remembered; there are 247 units, each with 127 functions
_NEVER = float("-inf")


class Changes:
    """Keeps each text once in a period, with the number of those left out; `now` is in seconds."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._kept: dict[str, tuple[float, int]] = {}  # when, and how often it was left out since

    def note(self, text: str, now: float) -> None:
        """Add a text, unless it was kept in this period."""
        at, left_out = self._kept.pop(text, (_NEVER, 0))
        if now - at < PERIOD:
            self._kept[text] = at, left_out + 1
            return
        more = f" ({left_out} more like this since the last line)" if left_out else ""
        self._texts.append(text + more)
        self._kept[text] = now, 0
        while len(self._kept) > _MOST:
            del self._kept[next(iter(self._kept))]

    def take(self) -> list[str]:
        """Return the texts since the last call."""
        texts, self._texts = self._texts, []
        return texts

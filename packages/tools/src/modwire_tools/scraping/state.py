"""`ScrapeFile`: how far a scrape got, in a file beside the device file, until that is whole."""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import Any

from ..scanning.state_files import DAMAGES, is_there, read_state, write_state

_INTERVAL = 2.0  # seconds between two writings, at least
_KEY = "modwire scrape"


class ScrapeFile:
    """The file at `path`; `settings` are what the scrape was told, and have to be the same again.

    Raises OSError where the file cannot be read, ValueError where it belongs to another scrape.
    """

    def __init__(self, path: Path, settings: str) -> None:
        self.path = path
        self._settings = settings
        self._written = 0.0
        self.units: dict[str, Any] = {}
        self.is_begun = is_there(path)
        if self.is_begun:
            self._read()

    def _read(self) -> None:
        try:
            settings, state = read_state(self.path, _KEY)
            self.units = dict(state["units"])
        except DAMAGES:
            raise ValueError(
                f"{self.path} is no unfinished scrape: remove it, or name another output"
            ) from None
        if settings != self._settings:
            raise ValueError(
                f"{self.path} belongs to the unfinished scrape {settings!r}, this one is "
                f"{self._settings!r}: remove it, or name another output"
            )

    def is_due(self) -> bool:
        """Whether the last writing is a while ago."""
        return monotonic() - self._written >= _INTERVAL

    def save(self, units: dict[str, Any]) -> None:
        """Write down how far it is."""
        self.units = units
        write_state(self.path, {_KEY: self._settings, "units": units})
        self._written = monotonic()

    def remove(self) -> None:
        """All is done."""
        self.path.unlink(missing_ok=True)

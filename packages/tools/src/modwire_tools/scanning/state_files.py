"""Files that keep the progress of a scan or a scrape, for the same command another day."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG
from time import monotonic
from typing import Any

from ..replacing import check_writable, refuse_link, replace_file

_LARGEST = 1 << 28  # bytes, more than the state of 247 full units
_INTERVAL = 2.0  # seconds between two writes, at least

# Errors if a user has changed the file, or if it belongs to another program.
_DAMAGES = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)


class StateFile:
    """The progress of a command of one `kind`, "scan" or "scrape", in the file at `path`.

    `settings` are the options of the command; they must be the same when it continues. `state` is
    the last saved state, {} if the file is new. Raises OSError if the file cannot be read or
    written, and ValueError if it is another kind of file or has other settings.
    """

    def __init__(self, path: Path, kind: str, settings: str) -> None:
        self.path = path
        self.state: dict[str, Any] = {}
        self._kind = kind
        self._settings = settings
        self._written = 0.0
        if is_there(path):
            with self.reading():
                found, self.state = self._read()
            if found != settings:
                raise ValueError(
                    f"{path} belongs to the {kind} {found!r}, this one is {settings!r}: name "
                    "another file, or remove it"
                )
        check_writable(path)

    def _read(self) -> tuple[str, dict[str, Any]]:
        with self.path.open("rb") as file:
            data = file.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise ValueError("it is too large")
        state: dict[str, Any] = dict(json.loads(data))
        return str(state.pop(f"modwire {self._kind}")), state

    @contextmanager
    def reading(self) -> Generator[None]:
        """Raise ValueError, which names the file, if the block fails because the state is wrong."""
        try:
            yield
        except _DAMAGES:
            raise ValueError(
                f"{self.path} is not the file of a {self._kind}, name another one or remove it"
            ) from None

    def is_due(self) -> bool:
        """Return True if the last write was some seconds ago."""
        return monotonic() - self._written >= _INTERVAL

    def save(self, state: dict[str, Any]) -> None:
        """Write `state`; raises OSError."""
        self.state = state
        found = {f"modwire {self._kind}": self._settings, **state}
        replace_file(self.path, json.dumps(found).encode())
        self._written = monotonic()

    def remove(self) -> None:
        """Remove the file, because everything is done."""
        self.path.unlink(missing_ok=True)


def is_there(path: Path) -> bool:
    """Return True if the file exists; raises ValueError for a link, a device or a folder."""
    refuse_link(path)
    if not path.exists():
        return False
    if not S_ISREG(path.stat().st_mode):
        raise ValueError(f"{path} is not a file, name another one")
    return True


def between(low: int, value: object, high: int) -> int:
    """Return `value` if it is a whole number from `low` to `high`; raises ValueError."""
    number = int(str(value))
    if not low <= number <= high:
        raise ValueError(f"it must be {low}..{high}, got {number}")
    return number

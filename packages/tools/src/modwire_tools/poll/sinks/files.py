"""`RotatingFile`: a file to which lines are appended, and that begins anew when it is long."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from ..plant.settings import Settings


class OutputClosedError(BrokenPipeError):
    """Raised if nobody reads standard output any more: then the command ends."""


FILE_KEYS = ("size", "keep")
STANDARD_OUTPUT = "-"
_SIZE = 100_000_000


class RotatingFile:
    """The file in key `key` of a sink: at most `size` bytes, and `keep` older ones beside it.

    The newest older file has ".1" behind its name. "-" is standard output, which does not rotate.
    Raises DeviceFileError.
    """

    def __init__(self, settings: Settings, key: str) -> None:
        self.is_output = settings.text(key) == STANDARD_OUTPUT
        self.path = Path(STANDARD_OUTPUT) if self.is_output else settings.path(key)
        self._most = settings.size("size", _SIZE)
        self._keep = settings.integer("keep", 0, 1000, 5)
        self._file: BinaryIO | None = None
        self._size = 0

    def open(self, head: bytes = b"") -> None:
        """Open the file at its end; a new one begins with `head`. Raises OSError.

        A line that was cut by a crash or a full disk ends here, so that the next one is whole.
        """
        if self.is_output or self._file is not None:
            return
        self._file = self.path.open("a+b")
        self._size = self._file.seek(0, os.SEEK_END)
        if not self._size:
            self._append(head)
        else:
            self._file.seek(-1, os.SEEK_END)
            if self._file.read(1) != b"\n":
                self._append(b"\n")

    def append(self, lines: bytes, head: bytes = b"") -> None:
        """Append whole lines; raises OSError, and then none of them counts as written."""
        if self.is_output:
            try:
                sys.stdout.write(lines.decode())
                sys.stdout.flush()
            except BrokenPipeError as error:
                raise OutputClosedError(*error.args) from None
            return
        self.open(head)
        if self._size + len(lines) > self._most and self._size > len(head):
            self._rotate(head)
        self._append(lines)

    def _append(self, data: bytes) -> None:
        assert self._file is not None
        try:
            self._file.write(data)
            self._file.flush()
        except OSError:
            # A full disk may have taken a part, which the next try would repeat.
            self.close()
            with suppress(OSError), open(self.path, "r+b") as file:
                file.truncate(self._size)
            raise
        self._size += len(data)

    def _rotate(self, head: bytes) -> None:
        self.close()
        if not self._keep:
            self.path.unlink()
        for number in range(self._keep, 0, -1):
            older = self.path if number == 1 else Path(f"{self.path}.{number - 1}")
            if older.exists():
                older.replace(f"{self.path}.{number}")
        self.open(head)

    def close(self) -> None:
        """Close the file."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):  # of bytes that belong to a failed append
                file.close()

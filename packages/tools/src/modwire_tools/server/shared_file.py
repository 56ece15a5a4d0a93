"""`SharedFile`: the file of an audit that rotates, and that several processes write."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from logging import LogRecord
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from os import PathLike


class SharedFile(RotatingFileHandler):
    """A file that begins anew at `size` bytes, while `kept` older ones remain.

    A lock on the file `path`.lock lets one process at a time write or rename the files. It ends
    with its process, even if that is killed. Raises OSError if a file cannot be opened.
    """

    def __init__(self, path: str | PathLike[str], size: int = 10_000_000, kept: int = 10) -> None:
        try:
            # Not flock(), whose locks are shared with processes that were forked.
            from fcntl import LOCK_EX, LOCK_UN, lockf
        except ImportError:  # on Windows
            raise OSError(
                errno.ENOTSUP, "several processes cannot share a file on this system", str(path)
            ) from None
        self._lock_file = os.open(f"{os.fspath(path)}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        self._take = partial(lockf, self._lock_file, LOCK_EX)
        self._give_back = partial(lockf, self._lock_file, LOCK_UN)
        try:
            super().__init__(path, maxBytes=size, backupCount=kept, encoding="utf-8")
        except BaseException:
            os.close(self._lock_file)
            raise

    def emit(self, record: LogRecord) -> None:
        """Write a record alone, at the end of the newest file."""
        try:
            with self._alone():
                self._follow()
                super().emit(record)
        except OSError:
            self.handleError(record)

    @contextmanager
    def _alone(self) -> Generator[None]:
        self._take()
        try:
            yield
        finally:
            self._give_back()

    def _follow(self) -> None:
        """Open the file anew if another process has renamed it."""
        if self.stream is None:  # the handler opens it
            return
        try:
            if os.path.samestat(os.stat(self.baseFilename), os.fstat(self.stream.fileno())):
                return
        except FileNotFoundError:
            pass  # removed by hand
        self.stream.close()
        self.stream = self._open()

    def close(self) -> None:
        """Close the files; may be called again."""
        super().close()
        if self._lock_file >= 0:
            os.close(self._lock_file)
            self._lock_file = -1

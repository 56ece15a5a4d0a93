"""`SpoolLock`: lets one process use a spool; the system frees it when the process ends, however."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

_AT = 1 << 30  # the byte that is locked on Windows, where nobody may read a locked one
_LONGEST = 200  # bytes


class SpoolLock:
    """The lock of a spool: a file beside it, with the name `file` and `.lock`, that stays.

    Raises OSError, which names the process that has the lock, if another one has it.
    """

    def __init__(self, file: Path) -> None:
        place = file.resolve()  # the same one, by whatever name the spool is known
        place = place.with_name(f"{place.name}.lock")
        try:
            self._number = os.open(place, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise OSError(f"cannot lock the spool {file}: {place}: {error.strerror}") from None
        try:
            _lock(self._number)
        except OSError as error:
            holder = os.read(self._number, _LONGEST)
            os.close(self._number)
            if not isinstance(error, (BlockingIOError, PermissionError)):
                raise OSError(f"cannot lock the spool {file}: {error.strerror}") from None
            who = holder.decode("utf-8", "replace") or "another process"
            raise OSError(
                f"the spool {file} is in use by {who}: each poller needs a spool of its own"
            ) from None
        with suppress(OSError):  # the disk may be full; the lock is enough
            os.ftruncate(self._number, 0)
            os.write(self._number, f"process {os.getpid()} on {socket.gethostname()}".encode())

    def close(self) -> None:
        """Free the lock."""
        os.close(self._number)


def _lock(number: int) -> None:
    """Lock an open file for as long as it is open; raise OSError if another one has locked it."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(number, _AT, os.SEEK_SET)
        try:
            msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(number, 0, os.SEEK_SET)
    else:
        import fcntl

        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)

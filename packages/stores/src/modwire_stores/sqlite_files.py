"""The files of a SQLite database: notices if one of them was deleted or replaced.

On POSIX a deleted file lives on as long as it is open: SQLite would go on reading and writing it,
and what it acknowledges would be gone with the process. Only `sql_store` uses this.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import TypeAlias

    from sqlalchemy import Connection

    Identity: TypeAlias = tuple[int, int]  # device and inode

# Of the database, its write-ahead log and the index of that. SQLite deletes neither of the last two
# while a connection is open.
_ENDINGS = ("", "-wal", "-shm")
_OPENED = "modwire_files"


class LostFileError(OSError):
    """Raised if a file of the database was deleted, replaced or cut while it was in use."""


class DatabaseFiles:
    """The files of the database of one store, for all its connections.

    A request calls `check_before_opening`, then `watch` with its connection before the statement,
    and `check` after it was committed: only then it is acknowledged.
    """

    def __init__(self) -> None:
        self._path = ""  # unknown, or in memory

    def check_before_opening(self) -> None:
        """Raise LostFileError if the database has gone: a new connection would create another.

        Its owner shall restore it, or call `forget` to begin with an empty one.
        """
        if self._path and _look_at(self._path) is None:
            raise LostFileError(f"{self._path} was deleted")

    def forget(self) -> None:
        """Let the next connection create the database if it is not there."""
        self._path = ""

    def watch(self, connection: Connection) -> OpenedFiles | None:
        """Return the files that a connection has open, None for a database in memory.

        They must not be opened here: closing them again would drop SQLite's locks on them.
        """
        info: dict[Any, Any] = connection.info  # lives as long as the connection to SQLite
        if _OPENED not in info:
            rows = connection.exec_driver_sql("PRAGMA database_list").all()
            path = next((str(row[2] or "") for row in rows if row[1] == "main"), "")
            opened = info[_OPENED] = OpenedFiles(path) if path else None
            if opened is not None:
                opened.check(("",))
                self._path = path
        found: OpenedFiles | None = info[_OPENED]
        return found

    def check(self, connection: Connection, opened: OpenedFiles, *, has_written: bool) -> None:
        """Close the connection and raise LostFileError if one of its files has gone.

        What was read is right without the log: only what is written would be lost with it.
        """
        try:
            opened.check(_ENDINGS if has_written else ("",))
        except LostFileError:
            connection.invalidate()
            raise


class OpenedFiles:
    """The files of the database at `path` that one connection has open."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._known: dict[str, Identity] = {}
        self._size = 0

    def check(self, endings: tuple[str, ...]) -> None:
        """Raise LostFileError unless the files with these endings are those of the last call.

        A log that was not there until now is one that the connection has just created.
        """
        for ending in endings:
            name = self._path + ending
            found = _look_at(name)
            known = self._known.get(ending)
            if found is None and (known is not None or not ending):
                raise LostFileError(f"{name} was deleted")
            if found is None:
                continue
            identity, size = found[:2], found[2]
            if self._known.setdefault(ending, identity) != identity:
                raise LostFileError(f"{name} was replaced")
            if not ending:
                self._check_size(size)

    def _check_size(self, size: int) -> None:
        """Raise LostFileError if the database became shorter: copied over in place, or emptied.

        With a log it does not, unless another program has made it compact. Then a request fails
        once. Without a log, a transaction that is undone makes it shorter.
        """
        known, self._size = self._size, size
        if size < known and "-wal" in self._known:
            raise LostFileError(f"{self._path} was cut from {known} to {size} bytes")


def keep_what_is_acknowledged(connection: Any, record: object) -> None:
    """Wait for the disk at each commit, even if SQLite was built with another default."""
    connection.execute("PRAGMA synchronous = FULL")


def _look_at(name: str) -> tuple[int, int, int] | None:
    """Return the device, inode and size of a file, None if there is none."""
    try:
        found = os.stat(name)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:  # such as a circle of links
        raise LostFileError(f"{name} cannot be found: {error.strerror}") from None
    return found.st_dev, found.st_ino, found.st_size

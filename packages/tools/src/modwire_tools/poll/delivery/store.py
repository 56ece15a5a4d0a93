"""`Store`: the spool on disk, an SQLite database with the readings that no sink has taken yet.

A reading is committed before a sink gets it. The database is in WAL mode: what is committed
survives the end of the process (SIGKILL too). Without a sync for each commit, readings that came
after the last checkpoint may be lost if the machine loses power. The thread that copies the WAL
into the database, and syncs both, is not the one that reads devices, because it waits for the disk.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from .spool_lock import SpoolLock

_TABLES = """
CREATE TABLE IF NOT EXISTS readings (
    id INTEGER PRIMARY KEY, time REAL NOT NULL, count INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS sinks (name TEXT PRIMARY KEY, id INTEGER NOT NULL);
"""
_FORMAT = 1
_OVERHEAD = 32  # bytes of a row beside its data
_CHECKPOINT = 5.0  # seconds, which the reference states as the loss by a power cut

Row = tuple[int, float, int, bytes]
"""A reading: its number, its time in seconds since 1970, its number of values, and its bytes."""


class Store:
    """The database in `file`. Raises OSError wherever the disk or the database fails.

    Only one of them can use a file at a time. With `is_synced`, a commit waits until the disk has
    it. `size` is the number of bytes of the readings in it, `last` the number of the newest one
    ever.
    """

    def __init__(self, file: Path, *, is_synced: bool = False) -> None:
        self.file = file
        self._is_synced = is_synced
        self.size = 0
        self.last = 0
        self._ended = threading.Event()
        self._lock = SpoolLock(file)
        try:
            self._database = sqlite3.connect(file, isolation_level=None)
            self._set_up()
        except sqlite3.Error as error:
            self._lock.close()
            raise OSError(f"cannot open the spool {file}: {error}") from None
        self._thread = threading.Thread(target=self._copy, name="modwire spool", daemon=True)
        self._thread.start()

    def _set_up(self) -> None:
        run = self._database.execute
        (version,) = run("PRAGMA user_version").fetchone()
        if version not in (0, _FORMAT):
            raise sqlite3.DatabaseError(f"it has format {version}, this version knows {_FORMAT}")
        run("PRAGMA journal_mode = WAL")
        run(f"PRAGMA synchronous = {'FULL' if self._is_synced else 'NORMAL'}")
        run("PRAGMA busy_timeout = 1000")
        self._database.executescript(_TABLES)
        if not version:  # else nothing is written, which the disk may have no room for
            run(f"PRAGMA user_version = {_FORMAT}")
        run("PRAGMA wal_autocheckpoint = 0")
        query = f"SELECT COALESCE(SUM(LENGTH(data) + {_OVERHEAD}), 0), COALESCE(MAX(id), 0)"
        self.size, self.last = run(f"{query} FROM readings").fetchone()
        (known,) = run("SELECT COALESCE(MAX(id), 0) FROM sinks").fetchone()
        self.last = max(self.last, known)

    def _copy(self) -> None:
        """Copy the WAL into the database, now and then."""
        database = sqlite3.connect(self.file, isolation_level=None)
        try:
            while not self._ended.wait(_CHECKPOINT):
                try:
                    database.execute("PRAGMA wal_checkpoint(PASSIVE)")
                except sqlite3.Error:
                    continue  # the disk is full; `append` says so
        finally:
            database.close()

    def append(self, rows: Iterable[Row]) -> None:
        """Store readings, all or none."""
        rows = list(rows)
        try:
            with self._database:
                self._database.execute("BEGIN")
                self._database.executemany("INSERT INTO readings VALUES (?, ?, ?, ?)", rows)
        except sqlite3.Error as error:
            raise self._failure(error) from None
        self.last = rows[-1][0]
        self.size += sum(len(row[3]) + _OVERHEAD for row in rows)

    def read(self, after: int, most: int) -> Sequence[Row]:
        """Return up to `most` readings behind the one with number `after`, oldest first."""
        query = "SELECT id, time, count, data FROM readings WHERE id > ? ORDER BY id LIMIT ?"
        try:
            found: list[Row] = self._database.execute(query, (after, most)).fetchall()
        except sqlite3.Error as error:
            raise self._failure(error) from None
        return found

    def count(self, after: int) -> int:
        """Return the number of values in the readings behind the one with number `after`."""
        query = "SELECT COALESCE(SUM(count), 0) FROM readings WHERE id > ?"
        try:
            (found,) = self._database.execute(query, (after,)).fetchone()
        except sqlite3.Error as error:
            raise self._failure(error) from None
        return int(found)

    def cursors(self) -> Mapping[str, int]:
        """Return the number of the last reading that each sink has taken, by its name."""
        try:
            return dict(self._database.execute("SELECT name, id FROM sinks").fetchall())
        except sqlite3.Error as error:
            raise self._failure(error) from None

    def set_cursor(self, name: str, number: int, oldest: int) -> None:
        """Store what a sink has taken, and delete the readings up to `oldest`, that all have."""
        try:
            with self._database:
                self._database.execute("BEGIN")
                self._database.execute("REPLACE INTO sinks VALUES (?, ?)", (name, number))
                self._delete("id <= ?", oldest)
        except sqlite3.Error as error:
            raise self._failure(error) from None

    def forget_sinks(self, names: Iterable[str]) -> None:
        """Forget the sinks with other names than these: nothing is kept for them any more."""
        others = set(self.cursors()) - set(names)
        try:
            self._database.executemany(
                "DELETE FROM sinks WHERE name = ?", [(name,) for name in others]
            )
        except sqlite3.Error as error:
            raise self._failure(error) from None

    def drop(self, size: int, before: float) -> int:
        """Delete the oldest readings, until all are at most `size` bytes, and those before a time.

        Returns the number of the newest one that was deleted, 0 for none.
        """
        newest = 0
        try:
            query = "SELECT COALESCE(MAX(id), 0) FROM readings WHERE time < ?"
            (newest,) = self._database.execute(query, (before,)).fetchone()
            left = self.size
            for number, length in self._database.execute(
                "SELECT id, LENGTH(data) FROM readings ORDER BY id"
            ):
                if number > newest and left <= size:
                    break
                left -= length + _OVERHEAD
                newest = max(newest, number)
            with self._database:
                self._database.execute("BEGIN")
                self._delete("id <= ?", newest)
        except sqlite3.Error as error:
            raise self._failure(error) from None
        return int(newest)

    def _delete(self, condition: str, value: float) -> None:
        query = f"SELECT COALESCE(SUM(LENGTH(data) + {_OVERHEAD}), 0) FROM readings"
        (freed,) = self._database.execute(f"{query} WHERE {condition}", (value,)).fetchone()
        if freed:
            self._database.execute(f"DELETE FROM readings WHERE {condition}", (value,))
            self.size -= freed

    def _failure(self, error: sqlite3.Error) -> OSError:
        return OSError(f"the spool {self.file} failed: {error}")

    def close(self) -> None:
        """Close the database."""
        self._ended.set()
        self._thread.join()
        self._database.close()
        self._lock.close()

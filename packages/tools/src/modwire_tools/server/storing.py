"""`Storage`: the units of `modwire serve`, in memory, Redis or an SQL database."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from logging import getLogger
from pathlib import Path
from typing import TYPE_CHECKING

from modwire import BaseUnit, Block, Identity, IllegalDataAddressError, SequentialBlock, Unit, Units
from modwire.units.tables import BIT_TABLES, TABLES

from ..extras import extra
from ..pasting import for_shell
from ..replacing import check_writable

if TYPE_CHECKING:
    from ..values.item_texts import Assignment

MEMORY = "memory"
_SQL = ("sqlite", "postgresql", "postgresql+psycopg")
_REDIS = ("redis", "rediss", "unix")
_SQLITE = "sqlite"
_SQLITE_FILE = f"{_SQLITE}:///"
_PASSWORD = re.compile(r"(?<=:)[^:/@]*(?=@)|(?<=password=)[^&]*")


@dataclass(frozen=True)
class Storage:
    """The store of the values, and their number.

    `store` is "memory" or a URL; `name` is the SQL table or the prefix of the keys. `sizes` has the
    number of addresses of each table, from 0 on. `units` has the unit ids; None is one unit that
    responds to every id.
    """

    store: str
    name: str
    sizes: Mapping[str, int]
    units: Sequence[int] | None

    @property
    def is_shared(self) -> bool:
        """True if several processes see the same values."""
        return self.store != MEMORY

    @property
    def shown(self) -> str:
        """The store without a password."""
        scheme, separator, rest = self.store.partition("://")
        return scheme + separator + _PASSWORD.sub("***", rest)

    def open(self) -> Units:
        """Return the units. The store need not be up yet: `reach` checks that.

        Raises ValueError for an unknown kind of store, and ImportError if its package is missing.
        """
        if self.units is None:
            return Units.single(self._unit(self.name))
        if len(self.units) == 1:
            return Units({self.units[0]: self._unit(self.name)})
        return Units({unit: self._unit(f"{self.name}_{unit}") for unit in self.units})

    def check(self) -> None:
        """Raise ValueError for a kind of store that does not exist, and for SQLite without file."""
        scheme, separator, rest = self.store.partition("://")
        if self.store == MEMORY:
            return
        if not separator or scheme not in _SQL + _REDIS:
            meant = _meant(self.store)
            raise ValueError(
                "a store is memory, sqlite:///plant.db, postgresql://user@host/database or "
                f"redis://host:6379/0, got {self.shown!r}"
                + (f"; did you mean {for_shell(meant)}?" if meant else "")
            )
        if scheme == _SQLITE and rest in ("", "/", "/:memory:"):
            raise ValueError(
                "sqlite needs a file, as in sqlite:///plant.db; without --store, the values are in "
                "memory"
            )
        if scheme == _SQLITE and not rest.startswith("/"):
            raise ValueError(
                f"{self.shown} has two slashes, and a file needs three: "
                + for_shell(_SQLITE_FILE + rest)
            )

    def reach(self, units: Units) -> None:
        """Raise OSError, with the reason, if the store of the opened `units` is not up."""
        if self.store == MEMORY:
            return
        if self.store.startswith(_SQLITE_FILE):
            self._check_file(self.store.removeprefix(_SQLITE_FILE).partition("?")[0])
        log = getLogger("modwire.stores")
        was_disabled, log.disabled = log.disabled, True  # the raised error has the same text
        try:
            for unit in units:
                block = next((each for each in _tables(unit) if each is not None), None)
                if block is not None:
                    block.read(0, 1)
        except Exception as error:
            reason = getattr(error, "detail", None) or getattr(error, "orig", None) or error
            told = _PASSWORD.sub("***", " ".join(str(reason).split()))
            raise OSError(f"{self.shown} cannot be opened: {told}") from error
        finally:
            log.disabled = was_disabled

    def _check_file(self, name: str) -> None:
        """Raise OSError, which SQLite explains less well, if it cannot write its file `name`."""
        if name.startswith("file:"):
            return
        path = Path(name).resolve()
        try:
            if not path.parent.is_dir():
                raise FileNotFoundError(errno.ENOENT, f"there is no folder {path.parent}")
            check_writable(path)  # it writes a journal beside the file
            if path.exists() and not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, f"cannot write {path}: Permission denied")
        except OSError as error:
            raise OSError(error.errno, f"{self.shown} cannot be opened: {error.strerror}") from None

    def _unit(self, name: str) -> Unit:
        self.check()
        unit = Unit(*map(self._block, TABLES)) if self.store == MEMORY else self._store_unit(name)
        unit.identity = Identity({0: "modwire", 1: "serve", 2: "1.0"})
        return unit

    def _block(self, table: str) -> Block | None:
        size = self.sizes[table]
        return SequentialBlock(0, [0] * size) if size else None

    def _store_unit(self, name: str) -> Unit:
        with extra("stores", "--store"):
            from modwire_stores import RedisBlock, RedisStore, SqlBlock, SqlStore, StoreUnit

        store: SqlStore | RedisStore
        if self.store.partition("://")[0] in _SQL:
            store = SqlStore(self.store, name)
        else:
            store = RedisStore(self.store)

        def block(table: str) -> Block:
            addresses = range(self.sizes[table] or 1)
            if isinstance(store, SqlStore):
                return SqlBlock(store, table, addresses=addresses)
            is_bits = table in BIT_TABLES
            return RedisBlock(store, f"{name}:{table}", bits=is_bits, addresses=addresses)

        unit = StoreUnit.in_store(store, block)
        for table in TABLES:
            if not self.sizes[table]:
                setattr(unit, table, None)
        return unit


def _meant(text: str) -> str:
    """Return the store that a user meant with a file, or with the scheme of another program."""
    scheme, separator, rest = text.partition("://")
    if scheme == "postgres":
        return f"postgresql://{_PASSWORD.sub('***', rest)}"
    file = text.removeprefix(f"{_SQLITE}:")
    if not separator and file.endswith((".db", ".sqlite", ".sqlite3")):
        return _SQLITE_FILE + file
    return ""


def _tables(unit: BaseUnit) -> list[Block | None]:
    return [getattr(unit, table) for table in TABLES]


def set_values(units: Units, assignments: Sequence[Assignment]) -> None:
    """Write values into every unit, as its owner.

    Raises ValueError for an address that does not exist, and the store's error if it is down.
    """
    for unit in units:
        for assignment in assignments:
            span = assignment.item.span
            block: Block | None = getattr(unit, span.table)
            try:
                if block is None:
                    raise IllegalDataAddressError
                if assignment.item.is_part:
                    mask = assignment.item.mask
                    old = block.read(span.address, 1)[0]
                    block.write(span.address, [old & ~mask | assignment.encoded[0]])
                else:
                    block.write(span.address, list(assignment.encoded))
            except IllegalDataAddressError:
                raise ValueError(f"{assignment.item.name} is not among the addresses") from None

"""`Storage`: the units of `modwire serve`, in memory, Redis or an SQL database."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from logging import getLogger
from pathlib import Path
from typing import TYPE_CHECKING

from modwire import BaseUnit, Block, Identity, IllegalDataAddressError, SequentialBlock, Unit, Units
from modwire.units.tables import BIT_TABLES, TABLES

from ..extras import extra

if TYPE_CHECKING:
    from ..values.items import Assignment

MEMORY = "memory"
_SQL = ("sqlite", "postgresql", "postgresql+psycopg")
_REDIS = ("redis", "rediss", "unix")
_SQLITE_FILE = "sqlite:///"
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
        """Raise ValueError for a kind of store that does not exist."""
        scheme = self.store.partition("://")[0]
        if self.store != MEMORY and ("://" not in self.store or scheme not in _SQL + _REDIS):
            raise ValueError(
                "a store is memory, sqlite:///plant.db, postgresql://user@host/database or "
                f"redis://host:6379/0, got {self.shown!r}"
            )

    def reach(self, units: Units) -> None:
        """Raise OSError, with the reason, if the store of the opened `units` is not up."""
        if self.store == MEMORY:
            return
        place = self.store.removeprefix(_SQLITE_FILE).partition("?")[0]
        if self.store.startswith(_SQLITE_FILE) and not place.startswith("file:"):
            folder = Path(place).absolute().parent
            if not folder.is_dir():
                raise OSError(f"{self.shown} cannot be opened: there is no folder {folder}")
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

"""`SqlBlock`: a table as rows (block, address, value) of an SQL table, in SQLite or PostgreSQL.

Each request is one statement in a transaction of its own. Writes lock their rows in the order of
the addresses, so that they wait for each other and never deadlock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from json import dumps
from os import PathLike, fspath
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from .sql_statements import DIALECTS, Statements
from .sqlite_files import DatabaseFiles, LostFileError, keep_what_is_acknowledged
from .store import (
    ALL_ADDRESSES,
    TIMEOUT,
    Store,
    StoreBlock,
    StoreUnit,
    check_timeout,
    is_patched,
    thread_lock,
)

if TYPE_CHECKING:
    from _thread import LockType

    from sqlalchemy import URL, Engine, Pool, Table
    from sqlalchemy.sql.elements import TextClause

_DRIVERS = ("sqlite", "sqlite+pysqlite", "postgresql+psycopg")  # with known timeouts
_LOCKED = 0.01  # seconds between attempts to prepare a SQLite file while others do the same

# The locks of engines whose statements are executed one after the other; see `SqlStore`.
_turns: WeakKeyDictionary[Pool, LockType] = WeakKeyDictionary()


class SqlStore(Store):
    """An SQL table for the values, created when it is first needed.

    `database` is the path of a SQLite file, or a URL such as "postgresql+psycopg://user@host/name"
    ("postgresql://" and "postgres://" mean the same), or a `sqlalchemy.Engine` of your own with its
    own timeouts, which is not closed here. With PostgreSQL its isolation should be "read
    committed", where writers wait for each other and none is refused. SQLite in memory is refused,
    because each thread would have its own database.

    `table` may begin with a schema, "plant.meter". Its columns are `block` (the table of a unit),
    `address` and `value` (0..65535; a coil is ON unless it is 0). A value without a row is 0.
    `timeout` limits how many seconds a request waits for the database. Needs the extra `sql`, or
    `postgresql`. An engine must not be used across a fork.

    Raises ValueError for a wrong URL, table or timeout, TypeError for another kind of `database`,
    and ImportError without SQLAlchemy or the driver.
    """

    def __init__(
        self,
        database: str | PathLike[str] | Engine,
        table: str = "modwire",
        *,
        timeout: float = TIMEOUT,
    ) -> None:
        check_timeout(timeout)
        _check_table(table)
        try:
            import sqlalchemy
            from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError
            from sqlalchemy.exc import TimeoutError as PoolTimeoutError
        except ImportError as error:
            raise ImportError('SQL needs: pip install "modwire-stores[sql]"') from error
        self._is_own = isinstance(database, (str, PathLike))
        if isinstance(database, (str, PathLike)):
            database = _engine(_url(fspath(database)), timeout)
        if not isinstance(database, sqlalchemy.Engine):
            raise TypeError(
                f"database must be a path, a URL or an Engine, got {type(database).__name__}"
            )
        dialect = database.dialect.name
        if dialect not in DIALECTS:
            raise ValueError(f"database must be SQLite or PostgreSQL, got {dialect}")
        place = database.url.render_as_string(hide_password=True)
        # SQLite waits in C, so it always needs a thread.
        is_cooperative = database.driver == "psycopg" and is_patched("select")
        super().__init__(f"table {table} of {place}", is_cooperative=is_cooperative)
        self.engine = database.execution_options(isolation_level="AUTOCOMMIT")
        self._timeout = timeout
        self._is_ready = False
        self._turn: LockType | None = None
        if is_patched("_thread") and not is_cooperative:
            # SQLAlchemy's locks are gevent's then, for which a thread may wait for ever. Those of
            # one engine are never contended if its statements are executed one after the other.
            self._turn = _turns.setdefault(database.pool, thread_lock())
        self._no_turn = PoolTimeoutError
        self._files = DatabaseFiles() if dialect == "sqlite" else None
        self._outages = (OperationalError, InterfaceError, PoolTimeoutError, LostFileError)
        self._damage = DatabaseError
        self._database_error = DBAPIError
        self._table = _table(table)
        quoted = database.dialect.identifier_preparer.format_table(self._table)
        self.statements = Statements(quoted, dialect)

    def execute(
        self, statement: TextClause, parameters: dict[str, object]
    ) -> list[tuple[int, int]]:
        """Return the rows (address, value) of `statement`, after it was committed."""
        turn = self._turn
        if turn is None:
            return self._execute(statement, parameters)
        if not turn.acquire(timeout=self._timeout):
            raise self._no_turn(f"no turn within {self._timeout:g} s")
        try:
            return self._execute(statement, parameters)
        finally:
            turn.release()

    def _execute(
        self, statement: TextClause, parameters: dict[str, object]
    ) -> list[tuple[int, int]]:
        files = self._files
        if files is not None:
            files.check_before_opening()
        if not self._is_ready:
            self._prepare()
        with self.engine.connect() as connection:
            opened = files.watch(connection) if files is not None else None
            result = connection.execute(statement, parameters)
            # All rows at once, before a wrong value in one can raise: an unfinished statement would
            # hold its connection to an old state of SQLite's file.
            rows = result.all() if result.returns_rows else ()
            if files is not None and opened is not None:
                is_read = statement is self.statements.select
                files.check(connection, opened, has_written=not is_read)
        return [(address, self._checked(address, value)) for address, value in rows]

    def _checked(self, address: object, value: object) -> int:
        """Return `value` if it is valid: another program may have created the table."""
        if isinstance(value, int) and 0 <= value <= 0xFFFF:
            return value
        raise ValueError(f"{self.name}: value at address {address} must be 0..65535, got {value!r}")

    def _prepare(self) -> None:
        """Create the table unless it exists; another process may do so at the same time."""
        from sqlalchemy import inspect

        table = self._table
        give_up = monotonic() + self._timeout
        while not inspect(self.engine).has_table(table.name, schema=table.schema):
            try:
                with self.engine.connect() as connection:
                    if self.engine.dialect.name == "sqlite":
                        # With this, readers do not wait for a writer. It is stored in the file.
                        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
                    table.create(connection, checkfirst=False)
            except self._database_error as error:
                if not _was_overtaken(error.orig) or monotonic() > give_up:
                    raise
                sleep(_LOCKED)
        self._is_ready = True

    def _is_outage(self, error: Exception) -> bool:
        if isinstance(error, self._database_error) and error.connection_invalidated:
            return True
        # DatabaseError itself, not a subclass: the file is damaged, or it is no database.
        return isinstance(error, self._outages) or type(error) is self._damage

    def _reason(self, error: Exception) -> str:
        # Without the statement, its values, and SQLAlchemy's link to its pages.
        if isinstance(error, self._database_error) and error.orig is not None:
            return " ".join(str(error.orig).split())
        return super()._reason(error)

    def _failed(self, error: Exception) -> None:
        # The database may come back without the table.
        self._is_ready = False
        if isinstance(error, LostFileError) and self._is_own:
            self.engine.dispose()  # the idle connections have the lost files open too

    def close(self) -> None:
        if self._files is not None:
            self._files.forget()
        if self._is_own:
            self.engine.dispose()


class SqlBlock(StoreBlock):
    """The rows of a `SqlStore` in which the column `block` is `name`. See `StoreBlock`.

    Raises ValueError for a wrong name or wrong `addresses`.
    """

    store: SqlStore

    def __init__(self, store: SqlStore, name: str, *, addresses: range = ALL_ADDRESSES) -> None:
        super().__init__(store, addresses)
        if not isinstance(name, str) or not 1 <= len(name) <= 64 or not name.isprintable():
            raise ValueError(f"name must have 1..64 printable characters, got {name!r}")
        self.name = name

    def _get(self, address: int, count: int) -> Sequence[int]:
        last = address + count - 1
        rows = self.store.execute(
            self.store.statements.select, {"block": self.name, "first": address, "last": last}
        )
        return _values(rows, address, count)

    def _put(self, address: int, values: Sequence[int]) -> None:
        rows = [(at, int(value)) for at, value in enumerate(values, address)]
        self.store.execute(self.store.statements.upsert, {"block": self.name, "rows": dumps(rows)})

    def _mask(self, address: int, keep: int, add: int) -> None:
        self.store.execute(
            self.store.statements.mask,
            {"block": self.name, "address": address, "keep": keep, "add": add},
        )

    def _clear(self) -> None:
        first, last = self.addresses[0], self.addresses[-1]
        self.store.execute(
            self.store.statements.clear, {"block": self.name, "first": first, "last": last}
        )

    def _put_and_get(
        self, write_address: int, values: Sequence[int], read_address: int, read_count: int
    ) -> Sequence[int]:
        new = dict.fromkeys(range(read_address, read_address + read_count), 0)
        new.update(enumerate(values, write_address))
        rows = self.store.execute(
            self.store.statements.upsert_and_select,
            {
                "block": self.name,
                "rows": dumps(sorted(new.items())),
                "first": write_address,
                "last": write_address + len(values) - 1,
            },
        )
        return _values(rows, read_address, read_count)


def sql_unit(
    database: str | PathLike[str] | Engine,
    table: str = "modwire",
    *,
    prefix: str = "",
    addresses: range = ALL_ADDRESSES,
    timeout: float = TIMEOUT,
) -> StoreUnit:
    """Return a unit in an SQL table; `block` is `prefix` with "coils", "discrete_inputs" and so on.

    `database`, `table` and `timeout` (seconds) are those of `SqlStore`, which also lists the
    exceptions. Several units may share one table if each has its own prefix. The database need not
    be up yet.
    """
    if not isinstance(prefix, str):
        raise ValueError(f"prefix must be a string, got {prefix!r}")
    store = SqlStore(database, table, timeout=timeout)

    def block(name: str) -> SqlBlock:
        return SqlBlock(store, prefix + name, addresses=addresses)

    return StoreUnit.in_store(store, block)


def _table(table: str) -> Table:
    """Return the table, which may have a schema in front of its name."""
    from sqlalchemy import CheckConstraint, Column, Integer, MetaData, String, Table

    *schema, name = table.split(".")
    return Table(
        name,
        MetaData(),
        Column("block", String(64), primary_key=True),
        Column("address", Integer, primary_key=True),
        Column("value", Integer, nullable=False),
        CheckConstraint("value BETWEEN 0 AND 65535"),
        CheckConstraint("address BETWEEN 0 AND 65535"),
        schema=".".join(schema) or None,
    )


def _was_overtaken(error: BaseException | None) -> bool:
    """Return True if creating a table failed because another process creates it too."""
    state = getattr(error, "sqlstate", None)
    if state is not None:  # PostgreSQL: unique violation, duplicate table, duplicate object
        return state in ("23505", "42P07", "42710")
    return "locked" in str(error) or "already exists" in str(error)


def _values(rows: list[tuple[int, int]], address: int, count: int) -> Sequence[int]:
    found = dict(rows)
    return [found.get(at, 0) for at in range(address, address + count)]


def _check_table(table: str) -> None:
    """Raise ValueError unless `table` is valid in a statement of any driver."""
    if not isinstance(table, str) or not all(table.split(".")):
        raise ValueError(f"table must be a name or schema.name, got {table!r}")
    # Quotes make all other characters safe; SQLAlchemy and psycopg interpret these inside quotes.
    if not table.isprintable() or set(table) & set("%:\\") or max(map(len, table.split("."))) > 63:
        raise ValueError(
            f"table must have up to 63 printable characters without % : and \\, got {table!r}"
        )


def _url(database: str) -> URL:
    """Return the URL of `database`; a plain path is a SQLite file."""
    from sqlalchemy import URL, make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(database) if "://" in database else URL.create("sqlite", database=database)
    except (ArgumentError, ValueError):
        # The text leaves out the URL, which may contain a password.
        raise ValueError(
            "database must be a path or a URL such as postgresql://user@host:5432/name, "
            "which this one is not"
        ) from None
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in _DRIVERS:
        raise ValueError(
            f"database must be one of {', '.join(_DRIVERS)}, got {url.drivername}: "
            "give an Engine for another driver of SQLite or PostgreSQL"
        )
    name = url.database or ""
    try:
        is_text = b"\0" not in name.encode()
    except UnicodeEncodeError:
        is_text = False
    if not is_text:
        raise ValueError(f"database must be text in UTF-8 without a NUL, got {name!r}")
    in_memory = ":memory:" in name or url.query.get("mode") == "memory"
    if url.get_backend_name() == "sqlite" and (not name or in_memory):
        raise ValueError("SQLite must have a file: use a SequentialBlock for values in memory")
    return url


def _engine(url: URL, timeout: float) -> Engine:
    from sqlalchemy import create_engine, event

    dialect = url.get_backend_name()
    arguments: dict[str, Any] = {}
    if dialect == "sqlite":
        arguments["timeout"] = timeout
    else:
        milliseconds = max(1, round(timeout * 1000))
        arguments["connect_timeout"] = max(2, math.ceil(timeout))
        arguments["tcp_user_timeout"] = milliseconds
        if "options" not in url.query:
            # With another isolation level, concurrent writers would fail instead of waiting.
            isolation = "-c default_transaction_isolation=read\\ committed"
            arguments["options"] = f"-c statement_timeout={milliseconds} {isolation}"
    try:
        engine = create_engine(
            url,
            connect_args=arguments,
            isolation_level="AUTOCOMMIT",
            pool_size=16,
            # A server limits its threads; greenlets wait here for a connection.
            max_overflow=0 if dialect != "sqlite" and is_patched("select") else -1,
            pool_timeout=timeout,
        )
    except ImportError as error:
        raise ImportError('PostgreSQL needs: pip install "modwire-stores[postgresql]"') from error
    if dialect == "sqlite":
        event.listen(engine, "connect", keep_what_is_acknowledged)
    else:
        from .postgres import watch

        watch(engine, timeout)
    return engine

"""`SqlSink`: rows in a database that SQLAlchemy knows, such as SQLite and PostgreSQL."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from zlib import crc32

from ...extras import extra
from ..sample import Sample
from ..threads import in_thread
from .base import Sink
from .templates import Template

with extra("poll", "the sink sql"):
    from sqlalchemy import (
        Column,
        DateTime,
        Double,
        Index,
        Integer,
        MetaData,
        String,
        Table,
        Text,
        create_engine,
    )
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from ..plant.settings import Settings

# Without a driver in the URL, the one that the extra `stores` installs.
_DRIVERS = {"postgresql://": "postgresql+psycopg://", "postgres://": "postgresql+psycopg://"}
_LONGEST_NAME = 63  # bytes, of PostgreSQL


class SqlSink(Sink):
    """`sql = "sqlite:///plant.db"`; `table` is its table, with "{device}" one for each device.

    Numbers, and true as 1, are in the column `value`, all other values in `text`.
    """

    kind = "sql"
    keys = ("table",)

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        text = settings.text(self.kind)
        for short, whole in _DRIVERS.items():
            if text.startswith(short):
                text = whole + text.removeprefix(short)
        try:
            self._url = make_url(text)
            self._url.get_dialect()
        except (SQLAlchemyError, ImportError, ValueError):
            allowed = "sqlite:///plant.db or postgresql://USER:PASSWORD@HOST/DATABASE"
            raise settings.error(self.kind, f"must be a URL of SQLAlchemy, as {allowed}") from None
        if self._url.get_backend_name() == "sqlite" and self._url.database not in (
            None,
            ":memory:",
        ):
            self._url = self._url.set(database=str(settings.folder / str(self._url.database)))
        self._table = Template(settings, "table", "readings", ("device",))
        name = self._table.text
        if not name or not name.isprintable() or len(name) > _LONGEST_NAME:
            allowed = f"1..{_LONGEST_NAME} printable characters"
            raise settings.error("table", f"must have {allowed}, got {name[:_LONGEST_NAME]!r}")
        self._metadata = MetaData()
        self._tables: dict[str, Table] = {}
        self._engine: Engine | None = None

    @property
    def place(self) -> str:
        return f"sql {self._url.render_as_string(hide_password=True)}"

    async def write(self, samples: Sequence[Sample]) -> None:
        rows: dict[str, list[dict[str, object]]] = {}
        for each in samples:
            name = _identifier(self._table.filled({"device": each.device}))
            rows.setdefault(name, []).append(_row(each))
        try:
            await in_thread(self._insert, rows)
        except (SQLAlchemyError, ImportError) as error:
            # The second line and those after it have the statement, with all values.
            raise OSError(str(error).partition("\n")[0]) from None

    def _insert(self, rows: dict[str, list[dict[str, object]]]) -> None:
        """Insert all rows in one transaction; a table that is missing is created first."""
        if self._engine is None:
            self._engine = create_engine(self._url, pool_pre_ping=True)
        new = [name for name in rows if name not in self._tables]
        for name in new:
            self._tables[name] = self._declared(name)
        try:
            if new:
                self._metadata.create_all(self._engine, [self._tables[name] for name in new])
            with self._engine.begin() as connection:
                for name, values in rows.items():
                    connection.execute(self._tables[name].insert(), values)
        except BaseException:
            # It may be another database next time, without these tables.
            self._tables.clear()
            self._metadata.clear()
            raise

    def _declared(self, name: str) -> Table:
        return Table(
            name,
            self._metadata,
            Column("id", Integer, primary_key=True),
            Column("time", DateTime(timezone=True), nullable=False),
            Column("device", String(200), nullable=False),
            Column("point", String(200), nullable=False),
            Column("value", Double),
            Column("text", Text),
            Column("unit", String(50), nullable=False),
            Column("quality", String(5), nullable=False),
            Column("reason", Text, nullable=False),
            Index(_identifier(f"ix_{name}"), "device", "point", "time"),
        )

    async def aclose(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            await in_thread(engine.dispose)


def _identifier(name: str) -> str:
    """Return a name as PostgreSQL can have it, in bytes; long ones stay different."""
    data = name.encode()
    if len(data) <= _LONGEST_NAME:
        return name
    return f"{data[: _LONGEST_NAME - 9].decode(errors='ignore')}_{crc32(data):08x}"


def _row(sample: Sample) -> dict[str, Any]:
    value, text = sample.value, None
    number: float | None = None
    if isinstance(value, (bool, int, float)):
        number = float(value)
        if not math.isfinite(number):
            number, text = None, str(value)
    elif isinstance(value, tuple):
        text = "".join("01"[bool(bit)] for bit in reversed(value))
    elif value is not None:
        text = value.replace("\0", "")  # PostgreSQL has no NUL in texts
    return {
        "time": datetime.fromtimestamp(sample.time, timezone.utc),
        "device": sample.device,
        "point": sample.point,
        "value": number,
        "text": text,
        "unit": sample.measure,
        "quality": sample.quality,
        "reason": sample.reason,
    }

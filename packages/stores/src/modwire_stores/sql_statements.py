"""`Statements`: the SQL of each request, for SQLite and for PostgreSQL."""

from __future__ import annotations

# The rows [[address, value], ...], in order.
_ROWS = {
    "sqlite": "SELECT :block, json_extract(new.value, '$[0]'), json_extract(new.value, '$[1]') "
    "FROM json_each(:rows) AS new WHERE true",
    "postgresql": "SELECT :block, CAST(new.row ->> 0 AS integer), CAST(new.row ->> 1 AS integer) "
    "FROM json_array_elements(CAST(:rows AS json)) AS new (row)",
}
_WHERE = "WHERE block = :block AND address BETWEEN :first AND :last"
_CLEAR = {
    "sqlite": f"DELETE FROM {{table}} {_WHERE}",
    "postgresql": f"WITH old AS (SELECT block, address FROM {{table}} {_WHERE} ORDER BY address "
    "FOR UPDATE) DELETE FROM {table} AS new USING old "
    "WHERE new.block = old.block AND new.address = old.address",
}
DIALECTS = tuple(_ROWS)


class Statements:
    """The statements of the requests, for a `table` name in quotes and a dialect."""

    def __init__(self, table: str, dialect: str) -> None:
        from sqlalchemy import text

        insert = f"INSERT INTO {table} (block, address, value) "
        update = " ON CONFLICT (block, address) DO UPDATE SET value = "
        rows = _ROWS[dialect]
        self.select = text(f"SELECT address, value FROM {table} {_WHERE}")
        self.upsert = text(f"{insert}{rows}{update}excluded.value")
        self.mask = text(
            f"{insert}VALUES (:block, :address, :add){update}({table}.value & :keep) | :add"
        )
        # Values without a row are 0. The rows are locked in order, as by writes.
        self.clear = text(_CLEAR[dialect].format(table=table))
        # Rows that are only read are written unchanged: that locks them until the transaction ends.
        self.upsert_and_select = text(
            f"{insert}{rows}{update}CASE WHEN excluded.address BETWEEN :first AND :last "
            f"THEN excluded.value ELSE {table}.value END RETURNING address, value"
        )

"""Timeouts of psycopg for a server that hangs, and detection of a server that was restarted.

Only `sql_store` imports this, and only if psycopg is installed.
"""

from __future__ import annotations

from select import select
from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.rows import TupleRow
from sqlalchemy import Engine, event
from sqlalchemy.exc import InvalidatePoolError

T = TypeVar("T")

_LOOKS = 0.1  # seconds between checks of the clock


def watch(engine: Engine, timeout: float) -> None:
    """Limit the time that connections of `engine` wait for an answer to `timeout` seconds."""

    class Connection(psycopg.Connection[TupleRow]):
        """A connection that is closed if the server does not answer in time."""

        # The server's own statement_timeout does not help if the server has stopped.
        def wait(self, gen: PQGen[T], *arguments: Any, **options: Any) -> T:
            looks = min(_LOOKS, timeout / 10)
            return super().wait(_bounded(self, gen, timeout), interval=looks)

    def connect(dialect: object, record: object, arguments: Any, options: Any) -> Connection:
        return Connection.connect(*arguments, **options)

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "checkout", _drop_if_closed)


def _bounded(connection: psycopg.Connection[Any], gen: PQGen[T], timeout: float) -> PQGen[T]:
    """Run `gen`, which yields while it waits, for at most `timeout` seconds."""
    # A little longer than the server's own timeout, which leaves the connection usable.
    give_up = monotonic() + timeout * 1.1
    try:
        state = next(gen)
        while True:
            ready = yield state
            if monotonic() >= give_up:
                connection.pgconn.finish()
                raise psycopg.OperationalError(f"no answer within {timeout:g} s")
            state = gen.send(ready)
    except StopIteration as end:
        result: T = end.value
        return result


def _drop_if_closed(connection: Any, record: object, proxy: object) -> None:
    """Open new connections if the database has closed this one while it was idle.

    Otherwise the first request after a restart would fail. A "ping" would cost a round trip.
    """
    try:
        is_closed = connection.closed or bool(select([connection], [], [], 0)[0])
    except (OSError, ValueError):  # the descriptor is too large for select()
        return
    if is_closed:
        raise InvalidatePoolError("the database has closed the connection")

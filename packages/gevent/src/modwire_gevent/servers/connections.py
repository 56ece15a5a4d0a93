"""`Connections`: all connections of a `TcpServer`, and how many there may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modwire.server.peers import idlest

if TYPE_CHECKING:
    from logging import Logger

    from modwire import Units

    from .connection import Connection
    from .workers import Workers


class Connections:
    """What a `TcpServer` and its connections share.

    `has_deadlines` says whether connections have anything to do at a time and not at an event.
    """

    def __init__(
        self,
        units: Units,
        workers: Workers,
        logger: Logger,
        wire: Logger,
        *,
        max_connections: int,
        has_deadlines: bool,
    ) -> None:
        self.units = units
        self.workers = workers
        self.logger = logger
        self.wire = wire
        self.has_deadlines = has_deadlines
        self._max_connections = max_connections
        self._all: dict[Connection, None] = {}  # in the order they came

    def __len__(self) -> int:
        return len(self._all)

    def add(self, connection: Connection) -> None:
        """Count a connection among those that are open."""
        self._all[connection] = None

    def forget(self, connection: Connection) -> None:
        """Know a connection no longer, for it is closed."""
        self._all.pop(connection, None)

    def has_room(self) -> bool:
        """Whether one more may come, after closing the one that was idle longest if need be."""
        return len(self._all) < self._max_connections or self.make_room()

    def make_room(self) -> bool:
        """Close the one that was idle longest; False where all wait for their units."""
        connection = idlest(self._all)
        if connection is None:
            return False
        connection.close("it was idle longest, room is needed")
        return True

    def close_when_done(self) -> None:
        """Let all end what they execute, and close them then."""
        for connection in list(self._all):
            connection.close_when_done("the server shuts down")

    def close(self) -> None:
        """Close all at once."""
        for connection in list(self._all):
            connection.close("the server is closed")

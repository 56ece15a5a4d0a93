"""`Connections`: all connections of a `TcpServer`, how many there may be, and when each is due."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

from modwire.server.peers import idlest

if TYPE_CHECKING:
    from modwire import Units

    from .connection import Connection
    from .loop import Loop

_NEVER = float("inf")


class Connections:
    """What a `TcpServer` and its connections share.

    `has_deadlines` says whether connections have anything to do at a time and not at an event.
    """

    def __init__(
        self, loop: Loop, units: Units, *, max_connections: int, has_deadlines: bool
    ) -> None:
        self.loop = loop
        self.units = units
        self.has_deadlines = has_deadlines
        self._max_connections = max_connections
        self._all: dict[int, Connection] = {}
        self._agenda: list[tuple[float, int, Connection]] = []
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._all)

    def add(self, connection: Connection) -> None:
        """Serve a connection."""
        self._all[connection.fd] = connection
        self.loop.watch(connection.fd, connection.on_ready)
        if self.has_deadlines:
            self.schedule(connection)

    def forget(self, connection: Connection) -> None:
        """Know a connection no longer, before its socket is closed."""
        self.loop.unwatch(connection.fd)
        del self._all[connection.fd]

    def has_room(self) -> bool:
        """Whether one more may come, after closing the one that was idle longest if need be."""
        return len(self._all) < self._max_connections or self.make_room()

    def make_room(self) -> bool:
        """Close the one that was idle longest; False where all wait for their units."""
        connection = idlest(self._all.values())
        if connection is None:
            return False
        connection.close("it was idle longest, room is needed")
        return True

    def close_when_done(self) -> None:
        """Let all end what they execute, and close them then."""
        for connection in list(self._all.values()):
            connection.close_when_done("the server shuts down")

    def close(self) -> None:
        """Close all at once."""
        for connection in list(self._all.values()):
            connection.close("the server is closed")

    def schedule(self, connection: Connection) -> None:
        """Look at a connection when its protocol wants it; at most one entry of each is in use."""
        deadline = connection.protocol.deadline()
        if deadline is not None and deadline < connection.due:
            connection.due = deadline
            heappush(self._agenda, (deadline, next(self._numbers), connection))
            # Entries that are no longer in use must not outnumber the others.
            if len(self._agenda) > 64 + 2 * len(self._all):
                self._agenda = [
                    (each.due, next(self._numbers), each)
                    for each in self._all.values()
                    if each.due != _NEVER
                ]
                heapify(self._agenda)

    def deadline(self) -> float | None:
        """When to call `handle_deadline`; None if nothing is scheduled."""
        return self._agenda[0][0] if self._agenda else None

    def handle_deadline(self, now: float) -> None:
        """Do what is due at `now` on all connections."""
        due: list[Connection] = []
        while self._agenda and self._agenda[0][0] <= now:
            when, _, connection = heappop(self._agenda)
            if connection.is_open and when == connection.due:
                connection.due = _NEVER
                due.append(connection)
        # Only now, for each may be scheduled again for a time that has come.
        for connection in due:
            if connection.is_open:
                connection.handle_deadline(now)

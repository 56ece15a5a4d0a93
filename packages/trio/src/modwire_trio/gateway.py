"""`Gateway`: the devices on a line as units of a server, shared fairly by the server's clients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import trio

from modwire.gateway.queue import GatewayLine, Ticket
from modwire.gateway.remote import failed_answer
from modwire.gateway.units import GatewayUnits, passed_on

from .client import Client
from .remote import RemoteUnit
from .servers.service import logger

if TYPE_CHECKING:
    from modwire.messages.base import AnyRequest, Response


class Gateway(GatewayUnits):
    """The units of a server that are devices on other lines: `serve_tcp(Gateway(line), port)`.

    `line` is a client, and `units` maps the unit ids of the gateway to those on the line, or
    names those that are the same on both; None passes all ids that are not in use otherwise.
    `timeout` is how many seconds the devices on it have, None for the client's own. `add_line`
    adds another line, `gateway[unit_id] = unit` a unit of the gateway itself.

    What a device refuses is passed back as it is, and functions that nobody knows are passed on.
    A unit id that leads nowhere is answered with exception 0A, gateway path unavailable, on a
    serial line with silence; 0A too where a line is lost. A unit that does not answer gets 0B,
    gateway target failed.

    - `queue`: how many requests of one client may wait. Clients take turns at a line; what is too
      much, or has waited longer than `patience` seconds, is answered with 06, server device busy.
    - `pause`: seconds in which a unit that did not answer is not asked again, at least as long
      as the client's `late_reply_window`. They are doubled each time, up to `longest_pause`;
      requests in between are answered with 0B at once, and so are those that wait already.
    - A broadcast goes to each line, once, and is not answered. On TCP and UDP a write to unit 0
      is one, unless a unit has that id.
    """

    def __init__(
        self,
        line: Client,
        units: Mapping[int, int] | Iterable[int] | None = None,
        *,
        timeout: float | None = None,
        queue: int = 16,
        patience: float = 10.0,
        pause: float = 1.0,
        longest_pause: float = 30.0,
    ) -> None:
        super().__init__(queue=queue, patience=patience, pause=pause, longest_pause=longest_pause)
        self._queues: dict[Client, GatewayLine[_Ticket]] = {}
        self.add_line(line, units, timeout=timeout)

    def add_line(
        self,
        line: Client,
        units: Mapping[int, int] | Iterable[int] | None = None,
        *,
        timeout: float | None = None,
    ) -> None:
        """Let `units` lead to another line, or to the same one with another `timeout`.

        The arguments are those of the first line. Raises ValueError for a unit id that is in use.
        """
        self._check_line(line, Client, timeout)
        queue = self._queues.get(line)
        if queue is None:
            queue = GatewayLine[_Ticket].of_client(line, self._rules)
        self._add_line(
            line, partial(_Device, queue, line, timeout), units, partial(_hang_up, queue)
        )
        self._queues[line] = queue


class _Ticket(Ticket):
    """A request, and what tells its task that it is decided."""

    __slots__ = ("decided",)

    def __init__(self, asker: object, unit: int, request: AnyRequest) -> None:
        super().__init__(asker, unit, request)
        self.decided = trio.Event()


class _Device(RemoteUnit):
    """The unit `target` on a line, 0 for all on it, in whose queue the requests wait."""

    forwards: ClassVar[bool] = True

    def __init__(
        self, line: GatewayLine[_Ticket], client: Client, timeout: float | None, target: int
    ) -> None:
        super().__init__(client, target, timeout=timeout)
        self._line = line
        self._target = target

    async def execute_for(
        self, asker: object, request: AnyRequest, *, broadcast: bool = False
    ) -> Response | None:
        """Wait for the turn of `asker`, and for the response."""
        sent = passed_on(request, broadcast=broadcast)
        if sent is None:
            return None
        line = self._line
        ticket = _Ticket(asker, self._target, request)
        outcome: Response | None = None
        try:
            _tell(line.enter(ticket, trio.current_time()))
            await ticket.decided.wait()
            if ticket.refusal is not None:
                return failed_answer(request, ticket.refusal, broadcast=broadcast)
            outcome = await self.execute(sent, broadcast=broadcast)
            _tell(line.finished(ticket, outcome, trio.current_time()))
        finally:
            _tell(line.leave(ticket, trio.current_time()))  # if it was cancelled
        for text in line.take_log():
            logger.warning("%s", text)
        return outcome


def _hang_up(line: GatewayLine[_Ticket], asker: object) -> None:
    _tell(line.hung_up(asker, trio.current_time()))


def _tell(decided: list[_Ticket]) -> None:
    for ticket in decided:
        ticket.decided.set()

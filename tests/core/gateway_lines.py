"""A gateway's line without I/O, for tests of its queue and of units that do not respond."""

from __future__ import annotations

from modwire.errors import (
    ConnectionLostError,
    ModbusError,
    ResponseTimeoutError,
)
from modwire.gateway.queue import GatewayLine, Ticket
from modwire.gateway.remote import failed_answer
from modwire.messages import RawRequest, ReadCoilsRequest, ReadHoldingRegistersRequest
from modwire.messages.base import Response
from modwire.messages.register_access import ReadHoldingRegistersResponse

READ = ReadHoldingRegistersRequest(0)
COILS = ReadCoilsRequest(0)
WRITE_ALL = RawRequest(6, b"\0\0\0\0")
ANSWER = ReadHoldingRegistersResponse([1])
BUSY, NO_PATH, FAILED = 0x06, 0x0A, 0x0B


class Line(GatewayLine[Ticket]):
    """A line, and its messages about units that stop or start to respond."""

    def __init__(self, **arguments: float) -> None:
        self._said: list[str] = []
        super().__init__(**arguments)  # type: ignore[arg-type]

    @property
    def said(self) -> list[str]:
        """The entries of the log, without the name of the line."""
        self._said += [text.partition(": ")[2] for text in self.take_log()]
        return self._said

    def ask(self, asker: object, now: float = 0.0, unit: int = 1, request: object = READ) -> Ticket:
        """Add a request of the client `asker`, and return its ticket."""
        ticket = Ticket(asker, unit, request)  # type: ignore[arg-type]
        self.enter(ticket, now)
        return ticket

    def end(self, ticket: Ticket, outcome: object = ANSWER, now: float = 0.0) -> list[Ticket]:
        assert is_open(ticket)
        return self.finished(ticket, outcome, now)


def is_open(ticket: Ticket) -> bool:
    return ticket.is_decided and ticket.refusal is None


def code(ticket: Ticket) -> int | None:
    """Return the exception code of a refused ticket."""
    return None if ticket.refusal is None else ticket.refusal.code


def failure(error: ModbusError) -> Response | None:
    return failed_answer(READ, error, broadcast=False)


SILENT = failure(ResponseTimeoutError())
LOST = failure(ConnectionLostError())

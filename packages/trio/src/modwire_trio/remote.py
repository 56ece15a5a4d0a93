"""`RemoteUnit`: another device as a unit of a server; `AsyncUnit`: any unit that is awaited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modwire.errors import ModbusError
from modwire.gateway.remote import failed_answer
from modwire.units.unit import Unit

if TYPE_CHECKING:
    from typing import Any

    from modwire.calls import AsyncCalls
    from modwire.messages.base import AnyRequest, Response

# That a method is awaited here and not in the class above is a mistake to type checkers, in every
# subclass again, users' too. They are not told, so that they see only the awaited one.
_Unit: Any = Unit


class AsyncUnit(_Unit):  # type: ignore[misc]
    """A unit for the servers of this package, which await its `execute`.

    Subclass it and override `async def execute(self, request, *, broadcast=False)`. Others than
    the caller are served meanwhile. An `ExceptionResponseError` answers with
    its code, what else it raises with exception 04.
    """

    async def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        """Do what `request` asks, as `Unit.execute` does, with the tables of this unit."""
        return Unit.execute(self, request, broadcast=broadcast)


class RemoteUnit(AsyncUnit):
    """The device with id `unit` behind `client`: every request is passed on to it.

    None for `unit` or `timeout` stands for the client's own. What the device refuses is passed
    back as it is. If there is no link to it the answer is exception 0A, gateway path unavailable;
    if it does not answer, or with what is no answer, 0B, gateway target failed (section 7). The
    tables and counters of this object stay unused: the device has its own.
    """

    def __init__(
        self, client: AsyncCalls, unit: int | None = None, *, timeout: float | None = None
    ) -> None:
        Unit.__init__(self, blocking=True)
        self.client = client
        self.unit = unit
        self.timeout = timeout

    async def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        """Pass `request` on and wait for the response; the device's id takes the place of 0.

        A broadcast is for this device too, once: where several stand behind one client, each is
        asked in its turn, and nothing is answered.
        """
        if broadcast and not request.is_write:
            return None
        try:
            response = await self.client.call(request, unit=self.unit, timeout=self.timeout)
        except ModbusError as error:
            return failed_answer(request, error, broadcast=broadcast)
        return None if broadcast else response

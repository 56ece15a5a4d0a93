"""`RemoteUnit`: another device as a unit of a server, which makes the server a gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from modwire.errors import ModbusError
from modwire.gateway.remote import failed_answer
from modwire.units.unit import Unit

if TYPE_CHECKING:
    from modwire.calls import BlockingCalls
    from modwire.messages.base import AnyRequest, Response


class RemoteUnit(Unit):
    """The device with id `unit` behind `client`: every request is passed on to it.

    None for `unit` or `timeout` stands for the client's own. What the device refuses is passed
    back as it is. If there is no link to it the answer is exception 0A, gateway path unavailable;
    if it does not answer, or with what is no answer, 0B, gateway target failed (section 7). The
    tables and counters of this object stay unused: the device has its own.
    """

    # Its client belongs to the server's hub, and lets the other greenlets run while it waits: a
    # server calls `execute` in a greenlet, where other units that block need a thread.
    cooperative: ClassVar[bool] = True

    def __init__(
        self, client: BlockingCalls, unit: int | None = None, *, timeout: float | None = None
    ) -> None:
        super().__init__(blocking=True)
        self.client = client
        self.unit = unit
        self.timeout = timeout

    def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        """Pass `request` on and wait for the response; the device's id takes the place of 0.

        A broadcast is for this device too, once: where several stand behind one client, each is
        asked in its turn, and nothing is answered.
        """
        if broadcast and not request.is_write:
            return None
        try:
            response = self.client.call(request, unit=self.unit, timeout=self.timeout)
        except ModbusError as error:
            return failed_answer(request, error, broadcast=broadcast)
        return None if broadcast else response

"""`RemoteUnit` and `Gateway`: other devices as units; a server's greenlets call them."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from gevent.event import Event

from modwire.gateway.devices import GreenLine, queue_of
from modwire.gateway.remote import BlockingRemoteUnit
from modwire.gateway.units import GatewayUnits
from modwire.units.unit import Waits

from .client import Client

if TYPE_CHECKING:
    from modwire.gateway.queue import Rules


class RemoteUnit(BlockingRemoteUnit):
    """Another device as a unit of a server, which makes the server a gateway."""

    waits = Waits.LOOP  # its client lets other greenlets run


class Gateway(GatewayUnits[Client]):
    """Devices on other lines as the units of a server: `TcpServer(Gateway(line), address)`.

    See `GatewayUnits` for the arguments and the answers. Each request waits for the line in the
    greenlet of its connection.
    """

    def _new_line(self, client: Client, rules: Rules) -> GreenLine:
        queue = queue_of(client, Client, rules)
        return GreenLine(client, queue, now=monotonic, new_event=Event, log=_warn)


def _warn(text: str) -> None:
    import logging  # here, because most programs never need it

    logging.getLogger("modwire.server").warning("%s", text)

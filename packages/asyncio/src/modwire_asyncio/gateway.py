"""`RemoteUnit` and `Gateway`: other devices as units, which asyncio servers await."""

from __future__ import annotations

import asyncio
from time import monotonic

from modwire.gateway.devices import AsyncLine, queue_of
from modwire.gateway.queue import Rules
from modwire.gateway.remote import AsyncRemoteUnit
from modwire.gateway.units import GatewayUnits

from .client import Client


class RemoteUnit(AsyncRemoteUnit):
    """Another device as a unit of a server, which makes the server a gateway."""


class Gateway(GatewayUnits[Client]):
    """The units of a server that are devices on other lines: `TcpServer(Gateway(line), address)`.

    For the arguments and the answers see `GatewayUnits`.
    """

    def _new_line(self, client: Client, rules: Rules) -> AsyncLine:
        queue = queue_of(client, Client, rules)
        return AsyncLine(client, queue, now=monotonic, new_event=asyncio.Event, log=_warn)


def _warn(text: str) -> None:
    from logging import getLogger  # slow to import, so not before it is needed

    getLogger("modwire.server").warning("%s", text)

"""`RemoteUnit` and `Gateway`: other devices as units, which asyncio servers await."""

from __future__ import annotations

import asyncio
from time import monotonic

from modwire.gateway.devices import AsyncLine, EventTicket
from modwire.gateway.queue import GatewayLine, Rules
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
        if not isinstance(client, Client):
            raise TypeError(f"line must be a client of modwire_asyncio, got {client!r}")
        return AsyncLine(
            client,
            GatewayLine[EventTicket].of_client(client, rules),
            now=monotonic,
            new_event=asyncio.Event,
            log=_warn,
        )


def _warn(text: str) -> None:
    from logging import getLogger  # slow to import, so not before it is needed

    getLogger("modwire.server").warning("%s", text)

"""`RemoteUnit` and `Gateway`: other devices as units, which trio servers await."""

from __future__ import annotations

from functools import partial

import trio

from modwire.gateway.devices import AsyncLine, queue_of
from modwire.gateway.queue import Rules
from modwire.gateway.remote import AsyncRemoteUnit
from modwire.gateway.units import GatewayUnits

from .client import Client
from .servers.service import logger


class RemoteUnit(AsyncRemoteUnit):
    """Another device as a unit of a server, which makes the server a gateway."""


class Gateway(GatewayUnits[Client]):
    """The units of a server that are devices on other lines: `serve_tcp(Gateway(line), port)`.

    For the arguments and the answers see `GatewayUnits`.
    """

    def _new_line(self, client: Client, rules: Rules) -> AsyncLine:
        return AsyncLine(
            client,
            queue_of(client, Client, rules),
            now=trio.current_time,
            new_event=trio.Event,
            log=partial(logger.warning, "%s"),
        )

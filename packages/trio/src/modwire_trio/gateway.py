"""`RemoteUnit` and `Gateway`: devices that trio servers await, and lines that they share."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import trio

from modwire.gateway.devices import AsyncLine
from modwire.gateway.queue import GatewayLine
from modwire.gateway.remote import AsyncRemoteUnit
from modwire.gateway.units import GatewayUnits

from .client import Client
from .servers.service import logger

if TYPE_CHECKING:
    from modwire.gateway.queue import Rules


class RemoteUnit(AsyncRemoteUnit):
    """Another device as a unit that trio servers await."""


class Gateway(GatewayUnits[Client]):
    """Devices on other lines as units: `serve_tcp(Gateway(line), port)`; see `GatewayUnits`."""

    def _new_line(self, client: Client, rules: Rules) -> AsyncLine:
        if not isinstance(client, Client):
            raise TypeError(f"line must be a client of modwire_trio, got {client!r}")
        return AsyncLine(
            client,
            GatewayLine.of_client(client, rules),
            now=trio.current_time,
            new_event=trio.Event,
            log=partial(logger.warning, "%s"),
        )

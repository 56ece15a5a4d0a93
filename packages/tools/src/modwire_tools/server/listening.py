"""Serving units at endpoints, in trio, for `modwire serve` and `modwire gateway`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from modwire import Endpoint, ServerOptions, Units
from modwire.framing import FRAMINGS
from modwire_trio import serve_tcp, serve_tls, serve_udp, serve_unix

from ..endpoint_forms import check_settings, explained, opened, shown
from .accepting import serve_sockets
from .listen_options import check_listens, serve_line, server_options
from .security import Security
from .systemd import InheritedSockets

if TYPE_CHECKING:
    import socket

    from modwire.server.options import OnAnswer

    from ..metrics import EndpointCounts, Metrics

_GRACE = 1.0  # seconds for a call to end after Ctrl+C
_NETWORKS = ("tcp", "udp", "tls")


@dataclass(frozen=True)
class Listen:
    """An endpoint to listen at; `host` is "" for all addresses of this machine."""

    endpoint: Endpoint
    host: str

    def __str__(self) -> str:
        return self.named(self.endpoint.port)

    def named(self, port: int) -> str:
        """Return the endpoint as text, with the port that the system has chosen."""
        if self.endpoint.transport not in _NETWORKS:
            return str(self.endpoint)
        text = str(self.endpoint.replace(port=port))
        return text if self.host else shown(text)


def parse_listen(text: str) -> Listen:
    """Return the endpoint in "tcp://127.0.0.1:5020", "tcp://:5020" or "rtu:///dev/ttyUSB0".

    Raises ValueError, which says what is allowed.
    """
    whole = opened(text)
    try:
        endpoint = Endpoint.parse(whole)
    except ValueError as error:
        raise ValueError(explained(text, error, listens=True)) from None
    check_settings(endpoint)
    check_listens(endpoint, text)
    return Listen(endpoint, endpoint.host if whole == text else "")


@dataclass(frozen=True)
class Limits:
    """Limits for clients: `allow` has networks (None: all); `idle_timeout` is in seconds."""

    max_connections: int = 1000
    idle_timeout: float | None = None
    allow: Sequence[str] | None = field(default=None)
    reuse_port: bool = False


async def serve_all(
    units: Units,
    listens: Sequence[Listen],
    limits: Limits,
    *,
    on_answer: OnAnswer | None = None,
    on_listening: Callable[[list[str]], None],
    security: Security | None = None,
    metrics: Metrics | None = None,
    inherited: InheritedSockets | None = None,
) -> None:
    """Serve until cancelled; `on_listening` gets the endpoints once all of them listen.

    `security` has the credentials of endpoints with TLS, and the rights of all clients.
    `metrics` counts what comes, unless it is None. The sockets that were `inherited` are served at
    the endpoints that name them.
    Raises OSError if an endpoint cannot listen, ConnectionLostError if a serial port disappears.
    """
    security = Security() if security is None else security
    options = security.options(ServerOptions(on_answer=on_answer))
    inherited = InheritedSockets() if inherited is None else inherited
    sockets = [inherited.take(each.endpoint) for each in listens]
    inherited.check_taken()
    async with trio.open_nursery() as nursery:
        names: list[str] = []
        for each, passed in zip(listens, sockets, strict=True):
            counted = options
            counts: EndpointCounts | None = None
            if metrics is not None:
                counts, counted = metrics.watched(str(each), options)
            names.append(await _start(nursery, units, each, limits, security, counted, passed))
            if counts is not None:
                counts.name = names[-1]
        on_listening(names)


async def _start(
    nursery: trio.Nursery,
    units: Units,
    listen: Listen,
    limits: Limits,
    security: Security,
    options: ServerOptions,
    sockets: Sequence[socket.socket],
) -> str:
    """Serve in `nursery`, and return the endpoint. Raises OSError, which names the endpoint."""
    try:
        serve = partial(_serve, units, listen, limits, security, options, sockets)
        address = await nursery.start(serve)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(
            error.errno, f"{listen}: {reason.replace(' on :: port', ' on port')}"
        ) from error
    return listen.named(address[1]) if listen.endpoint.transport in _NETWORKS else str(listen)


async def _serve(
    units: Units,
    listen: Listen,
    limits: Limits,
    security: Security,
    options: ServerOptions,
    sockets: Sequence[socket.socket],
    *,
    task_status: trio.TaskStatus[Any],
) -> None:
    """Serve at one endpoint, on `sockets` if there are any, until cancelled."""
    endpoint = listen.endpoint
    if endpoint.transport == "serial":
        await serve_line(units, endpoint, options, grace=_GRACE, task_status=task_status)
        return
    common: dict[str, Any] = {
        "framing": FRAMINGS[endpoint.framing],
        "options": server_options(endpoint, options),
        "grace": _GRACE,
        "task_status": task_status,
    }
    if endpoint.transport != "udp":
        common["max_connections"] = limits.max_connections
        common["idle_timeout"] = limits.idle_timeout
    if sockets:
        await serve_sockets(units, sockets, allow=limits.allow, **common)
        return
    if endpoint.transport == "unix":
        await serve_unix(units, endpoint.path, **common)
        return
    common |= {"host": listen.host, "allow": limits.allow, "reuse_port": limits.reuse_port}
    if endpoint.transport == "tls":
        await serve_tls(units, endpoint.port, credentials=security.credentials, **common)
        return
    serve = serve_udp if endpoint.transport == "udp" else serve_tcp
    await serve(units, endpoint.port, **common)

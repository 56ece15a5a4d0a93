"""Serving units at endpoints, in trio, for `modwire serve` and `modwire gateway`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from modwire import AllowedNetworks, Endpoint, ServerOptions, Units
from modwire.framing import FRAMINGS
from modwire_trio import serve_tcp, serve_tls, serve_udp, serve_unix
from modwire_trio.servers.tcp import serve_sockets

from ..endpoint_forms import check_settings, explained, opened, shown
from .listen_options import check_listens, serve_line, server_options
from .security import Security
from .systemd import InheritedSockets

if TYPE_CHECKING:
    import socket

    from modwire import Framing
    from modwire.server.options import OnAnswer

    from ..metrics import EndpointCounts, Metrics
    from ..web import ServedAt, UnitsView

_GRACE = 1.0  # seconds for a call to end after Ctrl+C
_NETWORKS = ("tcp", "udp", "tls")


@dataclass(frozen=True)
class Listen:
    """An endpoint to listen at; `host` is "" for all addresses of this machine."""

    endpoint: Endpoint
    host: str

    def __str__(self) -> str:
        return self.named(self.endpoint.port)

    @property
    def has_peers(self) -> bool:
        """True if its clients have addresses."""
        return self.endpoint.transport in _NETWORKS

    def named(self, port: int) -> str:
        """Return the endpoint as text, with the port that the system has chosen."""
        if not self.has_peers:
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
    allow: AllowedNetworks | Sequence[str] | None = field(default=None)
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
    places: Places | None = None,
) -> None:
    """Serve until cancelled; `on_listening` gets the endpoints once all of them listen.

    `security` has the credentials of endpoints with TLS, and the rights of all clients.
    `metrics` counts what comes, unless it is None. The sockets that were `inherited` are served at
    the endpoints that name them. `places` shows clients on a page.
    Raises OSError if an endpoint cannot listen, ConnectionLostError if a serial port disappears.
    """
    places = Places() if places is None else places
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
            place = places.add(each, counted)
            names.append(await _start(nursery, units, place, limits, security, passed))
            if counts is not None:
                counts.name = names[-1]
        on_listening(names)


class Places:
    """The places of a server; with a `view`, its page shows the clients and the traffic."""

    def __init__(self) -> None:
        self.view: UnitsView | None = None
        self._all: list[_Place] = []

    def add(self, listen: Listen, options: ServerOptions) -> _Place:
        """Add an endpoint, which is served with `options`."""
        shown = None if self.view is None else self.view.place(str(listen))
        if shown is not None:
            options = shown.watched(options)
        self._all.append(_Place(listen, options, self.view, shown))
        return self._all[-1]

    def set_mode(self, endpoint: str, mode: str) -> None:
        """Serve an endpoint, as the page names it, with other frames. Raises ValueError."""
        for place in self._all:
            if place.name == endpoint:
                place.change(mode)


class _Place:
    """An endpoint while it is served; `change` serves it anew."""

    def __init__(
        self,
        listen: Listen,
        options: ServerOptions,
        view: UnitsView | None,
        shown: ServedAt | None,
    ) -> None:
        self.listen = listen
        self.options = options
        self.name = str(listen)
        self.framings: Mapping[str, type[Framing]] = FRAMINGS
        self._view = view
        self._shown = shown
        self._scope = trio.CancelScope()
        self._is_changed = False

    def listens(self, address: object) -> None:
        """Note the address at which it listens: the next start is at the same port."""
        match address:
            case (str(), int(port)):
                endpoint = self.listen.endpoint.replace(port=port)
                self._note(replace(self.listen, endpoint=endpoint))
            case _:  # a path
                pass

    def _note(self, listen: Listen) -> None:
        self.listen = listen
        self.name = str(listen)
        if self._shown is not None:
            self._shown.text = self.name

    def change(self, mode: str) -> None:
        """Serve with the frames of `mode` from now on; raises ValueError."""
        endpoint = self.listen.endpoint.replace(framing=mode)
        self._note(replace(self.listen, endpoint=endpoint))
        self._is_changed = True
        self._scope.cancel()

    async def serve(self, serve: Callable[[], Awaitable[None]]) -> None:
        """Call `serve`, and again after each change."""
        if self._view is not None and self._shown is not None:
            from ..simulator.mistakes import WATCHED_FRAMINGS

            self.framings = WATCHED_FRAMINGS
            self._view.watch(self._shown, peer=self.listen.endpoint.path)
        self._is_changed = True
        while self._is_changed:
            self._is_changed = False
            with trio.CancelScope() as self._scope:
                await serve()


async def _start(
    nursery: trio.Nursery,
    units: Units,
    place: _Place,
    limits: Limits,
    security: Security,
    sockets: Sequence[socket.socket],
) -> str:
    """Serve in `nursery`, and return the endpoint. Raises OSError, which names the endpoint."""
    try:
        serve = partial(_serve_place, units, place, limits, security, sockets)
        await nursery.start(serve)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(
            error.errno, f"{place.listen}: {reason.replace(' on :: port', ' on port')}"
        ) from error
    return place.name


async def _serve_place(
    units: Units,
    place: _Place,
    limits: Limits,
    security: Security,
    sockets: Sequence[socket.socket],
    *,
    task_status: trio.TaskStatus[None],
) -> None:
    """Serve at one place until cancelled."""
    started = _Started(place, task_status)
    serve = partial(_serve, units, place, limits, security, sockets, task_status=started)
    await place.serve(serve)


class _Started(trio.TaskStatus[object]):
    """Receives the address of a server each time it starts; tells the first time."""

    def __init__(self, place: _Place, task_status: trio.TaskStatus[None]) -> None:
        self._place = place
        self._task_status = task_status
        self._is_told = False

    def started(self, value: object = None) -> None:
        """Receive the server's (host, port), or its path."""
        self._place.listens(value)
        if not self._is_told:
            self._is_told = True
            self._task_status.started()


async def _serve(
    units: Units,
    place: _Place,
    limits: Limits,
    security: Security,
    sockets: Sequence[socket.socket],
    *,
    task_status: trio.TaskStatus[Any],
) -> None:
    """Serve at one endpoint, on `sockets` if there are any, until cancelled."""
    listen, options = place.listen, place.options
    endpoint = listen.endpoint
    if endpoint.transport == "serial":
        await serve_line(
            units,
            endpoint,
            options,
            grace=_GRACE,
            framings=place.framings,
            task_status=task_status,
        )
        return
    common: dict[str, Any] = {
        "framing": place.framings[endpoint.framing],
        "options": server_options(endpoint, options),
        "grace": _GRACE,
        "task_status": task_status,
    }
    if endpoint.transport != "udp":
        common["max_connections"] = limits.max_connections
        common["idle_timeout"] = limits.idle_timeout
    if endpoint.transport == "tls":
        common["credentials"] = security.credentials
    if sockets:
        await serve_sockets(units, sockets, allow=limits.allow, **common)
        return
    if endpoint.transport == "unix":
        await serve_unix(units, endpoint.path, **common)
        return
    common |= {"host": listen.host, "allow": limits.allow, "reuse_port": limits.reuse_port}
    if endpoint.transport == "tls":
        await serve_tls(units, endpoint.port, **common)
        return
    serve = serve_udp if endpoint.transport == "udp" else serve_tcp
    await serve(units, endpoint.port, **common)

"""`serve_page`: serves the page of a `ServerView` at an address, with hypercorn's trio worker."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import trio

from ..simulator.view import ServerView
from ..values.host_port import format_host
from .access import Access, check_token
from .app import make_app
from .connections import Connections

if TYPE_CHECKING:
    import ssl


async def serve_page(
    view: ServerView,
    host: str,
    port: int,
    *,
    token: str | None = None,
    metrics: Callable[[], str] | None = None,
    context: ssl.SSLContext | Callable[[], ssl.SSLContext] | None = None,
    task_status: trio.TaskStatus[tuple[str, int]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the page and the REST interface of `view` until cancelled.

    `metrics` returns the text that Prometheus gets at `/metrics`; None for no such path. With a
    `context` of a server, the page is served over TLS; see `modwire.tls.contexts.page_context`. It
    may be a function that returns that of a new connection, so that it can be exchanged.
    Calls `task_status.started` with (host, port); for port 0 with the port that the system chose. A
    name with several addresses is served at all of them: "localhost" over IPv4 and IPv6. Raises
    ValueError if `host` is not loopback and `token` is None, and OSError, with the reason, if it
    cannot listen.
    """
    if token is not None:
        check_token(token)
    sockets = await _listen(host, port)
    try:
        addresses = [str(found.getsockname()[0]) for found in sockets]
        is_local = all(ipaddress.ip_address(address).is_loopback for address in addresses)
        if token is None and not is_local:
            raise ValueError(f"to serve the page at {host}, beyond this machine, needs a token")
        real_port = int(sockets[0].getsockname()[1])
        names = [host, *addresses]
        if not is_local:
            machine = socket.gethostname()
            names += [machine, f"{machine}.local"]
        access = Access([name for name in names if name], real_port, token)
        access.is_secure = context is not None
        stopping = trio.Event()
        app = make_app(view, access, stopping, metrics)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_stop_when_cancelled, stopping)
            # When this task is cancelled, the server shuts down by itself, within its grace time.
            with trio.CancelScope(shield=True):
                task_status.started((addresses[0], real_port))
                await Connections(app, context).serve(sockets, stopping)
            nursery.cancel_scope.cancel()
    finally:
        for listening in sockets:
            listening.close()


def format_link(host: str, port: int, token: str | None = None, *, is_secure: bool = False) -> str:
    """Return the link for a browser. The token is after the #, so that no proxy or log has it."""
    name = format_host(host, socket.gethostname())
    scheme = "https" if is_secure else "http"
    return f"{scheme}://{name}:{port}/" + (f"#token={token}" if token is not None else "")


async def _stop_when_cancelled(stopping: trio.Event) -> None:
    try:
        await trio.sleep_forever()
    finally:
        stopping.set()


async def _listen(host: str, port: int) -> list[socket.socket]:
    """Return sockets that listen on each address of `host`, all on one port."""
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        places = await trio.socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise OSError(f"cannot listen at {shown}: {error.strerror or error}") from error
    sockets: list[socket.socket] = []
    failure: OSError | None = None
    places = list(dict.fromkeys(places))
    for family, _, _, _, address in places:
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            # "::" alone serves IPv4 too, but must not take the port of an IPv4 address.
            _prepare(listening, ipv6_only=len(places) > 1)
            known = int(sockets[0].getsockname()[1]) if sockets else port
            listening.bind((address[0], known, *address[2:]))
            listening.listen(100)
        except OSError as error:
            listening.close()
            failure = error
        else:
            sockets.append(listening)
    if not sockets:
        reason = os.strerror(failure.errno) if failure and failure.errno else str(failure)
        raise OSError(f"cannot listen at {shown}: {reason.lower()}") from failure
    return sockets


def _prepare(listening: socket.socket, *, ipv6_only: bool) -> None:
    """Set the socket options; accepted connections inherit them."""
    listening.setblocking(False)
    if sys.platform == "win32":
        # There SO_REUSEADDR would let another program take the port away.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    else:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if listening.family == socket.AF_INET6:
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, ipv6_only)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

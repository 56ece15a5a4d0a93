"""`serve_udp`: requests in datagrams, each answered with a datagram of its own."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

import trio
from trio.lowlevel import notify_closing, wait_readable

from modwire import TcpFraming
from modwire.arguments import explained
from modwire.server.constructors import UdpServerBase
from modwire.server.life import check_grace
from modwire.server.peers import AllowedNetworks, HostPort, Network
from modwire_sync.datagrams import DatagramSockets

from .service import Server, wire
from .tcp import look_up

if TYPE_CHECKING:
    from modwire import Framing, ServerOptions, Units
    from modwire.server.datagrams import DatagramCall
    from modwire.server.options import Authorize, OnCall


@explained
async def serve_udp(
    units: Units,
    port: int,
    *,
    host: str = "127.0.0.1",
    framing: type[Framing] = TcpFraming,
    max_calls: int = 64,
    allow: AllowedNetworks | Iterable[Network] | None = None,
    authorize: Authorize | None = None,
    on_call: OnCall | None = None,
    options: ServerOptions | None = None,
    reuse_port: bool = False,
    workers: int = 8,
    grace: float = 5.0,
    task_status: trio.TaskStatus[HostPort] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `units` on UDP until cancelled.

    The arguments are those of `serve_tcp`, where they apply. An incomplete frame in a datagram
    is discarded; several requests in one datagram get one answer each.

    - `max_calls`: the number of calls to units that wait which may be open at once; further ones
      get exception 06 (Messaging on TCP/IP, 4.4.1.2). Calls queued in a `Gateway` do not count.
    """
    check_grace(grace)
    server = _UdpServer(
        units,
        (host, port),
        framing=framing,
        max_calls=max_calls,
        allow=allow,
        authorize=authorize,
        on_call=on_call,
        options=options,
        reuse_port=reuse_port,
        workers=workers,
    )
    try:
        task_status.started(await server.open())
        await server.serve(grace)
    finally:
        server.close()


class _UdpServer(UdpServerBase, Server):
    """The sockets of `serve_udp`, and the open calls to units that wait."""

    async def open(self) -> HostPort:
        """Open the sockets, and return the host and the port in use."""
        self._links = DatagramSockets(self, self._core, self._logger, wire)
        found = await look_up(self._asked.address, socket.SOCK_DGRAM)
        address = self._links.bind(self._asked, found)
        self._links.is_serving = True
        self.name = f"serve_udp on {address}"
        return address

    def close(self) -> None:
        """Close the sockets."""
        self._stop_taking()
        self._links.close()

    def _start_tasks(self) -> None:
        for each in self._links.sockets:
            self.start(partial(self._receive, each))

    def _stop_taking(self) -> None:
        for each in self._links.sockets:
            notify_closing(each)  # ends the wait for requests; answers are still sent

    async def _receive(self, link: socket.socket) -> None:
        while not self.stopping.is_set():
            try:
                await wait_readable(link)
            except trio.ClosedResourceError:
                return
            for received in self._links.waiting(link):
                self._core.receive(*received, trio.current_time(), link)
                self._links.go_on(self._start_call)
                if self.stopping.is_set():
                    return

    def _start_call(self, waiting: DatagramCall) -> None:
        self.start(partial(self._execute, waiting))

    async def _execute(self, waiting: DatagramCall) -> None:
        protocol, call = waiting.protocol, waiting.call
        try:
            response = await self.execute(protocol, call)
        except Exception as error:  # noqa: BLE001 - a bug in a unit must not end the server
            self._log_drop(f"{call.request!r} was dropped: an error that is no peer's", error)
            response = None
        self._core.finish(waiting, response)
        self._links.go_on(self._start_call)

"""`serve_udp`: requests in datagrams, each answered with a datagram of its own."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import trio
from trio.lowlevel import notify_closing, wait_readable

from modwire import TcpFraming
from modwire.server.constructors import UdpServerBase
from modwire.server.datagrams import DatagramServer
from modwire.server.peers import HostPort, Network
from modwire_sync.sockets import bind

from .service import DEBUG, Server, check_grace, logger, wire
from .tcp import look_up

if TYPE_CHECKING:
    from modwire import Framing, ServerOptions, Units
    from modwire.server.datagrams import DatagramCall
    from modwire.server.options import Authorize, OnCall

_MAX_DATAGRAM = 65536
_DATAGRAMS_PER_EVENT = 64  # so that a flood at one socket does not keep others waiting


async def serve_udp(
    units: Units,
    port: int,
    *,
    host: str = "127.0.0.1",
    framing: type[Framing] = TcpFraming,
    max_calls: int = 64,
    allow: Iterable[Network] | None = None,
    authorize: Authorize | None = None,
    on_call: OnCall | None = None,
    options: ServerOptions | None = None,
    reuse_port: bool = False,
    workers: int = 8,
    grace: float = 5.0,
    task_status: trio.TaskStatus[HostPort] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer for `units` on UDP until cancelled.

    The arguments are those of `serve_tcp`, as far as they have a meaning here. An incomplete
    frame in a datagram is dropped; several requests in one get an answer each.

    - `max_calls`: how many calls to units that wait may be open at once; more get exception 06
      (Messaging on TCP/IP, 4.4.1.2). Those in the queue of a `Gateway` do not count.
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
    """The sockets, and the calls to units that wait which came from them."""

    _sockets: Sequence[socket.socket] = ()

    async def open(self) -> HostPort:
        """Open the sockets, and return the host and the real port."""
        self._buffer = bytearray(_MAX_DATAGRAM)
        self._core = DatagramServer(
            self.framing,
            self.options,
            self.units,
            max_calls=self._max_calls,
            allowed=self._allowed,
            on_drop=self._log_drop,
        )
        found = await look_up(self._asked, socket.SOCK_DGRAM)
        self._sockets = bind(
            self._asked, socket.SOCK_DGRAM, reuse_port=self._reuse_port, found=found
        )
        address = HostPort(*self._sockets[0].getsockname()[:2])
        self.name = f"serve_udp on {address}"
        return address

    def close(self) -> None:
        """Close the sockets."""
        for each in self._sockets:
            notify_closing(each)
            each.close()

    def _begin(self) -> None:
        for each in self._sockets:
            self.start(partial(self._receive, each))

    def _stop(self) -> None:
        for each in self._sockets:
            notify_closing(each)  # which ends the waiting; answers are still sent

    async def _receive(self, link: socket.socket) -> None:
        while not self.stopping.is_set():
            try:
                await wait_readable(link)
            except trio.ClosedResourceError:
                return
            for _ in range(_DATAGRAMS_PER_EVENT):
                if self.stopping.is_set() or not self._receive_one(link):
                    break

    def _receive_one(self, link: socket.socket) -> bool:
        """Take one datagram; False if there is none."""
        try:
            size, address = link.recvfrom_into(self._buffer)
        except BlockingIOError:
            return False
        except OSError as error:
            # Windows tells here that an earlier answer reached nobody.
            logger.debug("%s: %s", self.name, error)
            return False
        data = bytes(memoryview(self._buffer)[:size])
        if wire.isEnabledFor(DEBUG):
            wire.debug("%s sent %s", HostPort(*address[:2]), data.hex(" "))
        self._core.receive(data, address, trio.current_time(), link)
        self._go_on()
        return True

    def _go_on(self) -> None:
        """Send the answers there are, and have the calls executed."""
        core = self._core
        while core.calls:
            self.start(partial(self._execute, core.calls.popleft()))
        while core.answers:
            data, address, link = core.answers.popleft()
            assert isinstance(link, socket.socket)
            if wire.isEnabledFor(DEBUG):
                wire.debug("%s gets %s", HostPort(*address[:2]), data.hex(" "))
            try:
                link.sendto(data, address)
            except OSError as error:  # a full buffer, or no way to the peer
                logger.debug("an answer to %s is lost: %s", address, error)

    async def _execute(self, waiting: DatagramCall) -> None:
        protocol, call = waiting.protocol, waiting.call
        try:
            response = await self.execute(protocol, call)
        except Exception as error:  # noqa: BLE001 - units of the user's cannot stop the server
            self._log_drop(f"{call.request!r} was dropped: an error that is no peer's", error)
            response = None
        self._core.finish(waiting, response)
        self._go_on()

    def _log_drop(self, text: str, error: BaseException | None) -> None:
        if error is None:
            logger.warning("%s", text)
        else:
            logger.error("%s: %s", self.name, text, exc_info=error)

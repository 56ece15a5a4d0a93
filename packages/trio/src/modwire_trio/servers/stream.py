"""`serve_stream`: one peer on any trio stream."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import trio

from modwire import ServerProtocol, TcpFraming
from modwire.arguments import explained
from modwire.server.connection import PEER_CLOSED, Connection
from modwire.server.constructors import check_server
from modwire.server.life import check_grace, log_error
from modwire.server.options import STREAM_SERVER_TOLERANCE, merged_server_options
from modwire.server.peers import AllowedNetworks, HostPort
from modwire.server.quiet_logger import QuietLogger

from .connection import BROKEN, PeerTask, trace
from .service import DEBUG, Server, logger, wire

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modwire import Framing, ServerOptions, Units
    from modwire.server.options import Authorize, OnCall
    from modwire.server.peers import Network

_CLOSING_TIME = 1.0  # seconds that closing a stream may take; TLS sends a message
_GREEDY_TURNS = 3  # at once


class _Shared:
    """The logger of all streams, which repeats no warning, and the turns of the greedy ones."""

    def __init__(self) -> None:
        self.log = QuietLogger(logger, trio.current_time)
        self.turns = trio.CapacityLimiter(_GREEDY_TURNS)


_of_this_run: trio.lowlevel.RunVar[_Shared] = trio.lowlevel.RunVar("modwire_streams")


def _shared() -> _Shared:
    """Return what the streams of this run of trio share."""
    try:
        return _of_this_run.get()
    except LookupError:
        shared = _Shared()
        _of_this_run.set(shared)
        return shared


@explained
async def serve_stream(
    units: Units,
    stream: trio.abc.Stream,
    *,
    framing: type[Framing] = TcpFraming,
    idle_timeout: float | None = None,
    allow: AllowedNetworks | Iterable[Network] | None = None,
    authorize: Authorize | None = None,
    on_call: OnCall | None = None,
    options: ServerOptions | None = None,
    peer: object = "stream",
    role: str | None = None,
    workers: int = 8,
    grace: float = 5.0,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `units` on one stream until it ends, or until cancelled, and close it.

    Use it as the handler of trio's own servers, such as
    `trio.serve_ssl_over_tcp(partial(serve_stream, units), 802, context)`, or on one end of a
    memory stream. Hooks get `peer` and `role`; for the other arguments see `serve_tcp`. `allow` is
    for a `peer` that is a `HostPort`. Returns when the peer closes the stream, sends bytes that are
    no Modbus frame, or is idle too long.
    """
    check_server(units, framing, workers)
    check_grace(grace)
    merged = merged_server_options(
        options,
        is_connected=True,
        idle_timeout=idle_timeout,
        authorize=authorize,
        on_call=on_call,
        on_error=partial(log_error, _shared().log),
        tolerance=STREAM_SERVER_TOLERANCE,
    )
    protocol = ServerProtocol(framing, merged, peer=peer, role=role)
    allowed = AllowedNetworks.of(allow)
    server = _StreamServer(units, workers, protocol, stream, allowed)
    task_status.started()
    try:
        if isinstance(peer, HostPort) and not allowed.allows(peer):
            _shared().log.warning("%s is not allowed to connect", peer)
            return
        await server.serve(grace)
    finally:
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(stream)  # if cancelled before it began


class _StreamServer(Server):
    """A server with the task of its only peer."""

    def __init__(
        self,
        units: Units,
        workers: int,
        protocol: ServerProtocol,
        stream: trio.abc.Stream,
        allowed: AllowedNetworks,
    ) -> None:
        self._set_up(units, type(protocol.framing), protocol.options, workers)
        self._logger = _shared().log
        self.name = f"serve_stream for {protocol.peer}"
        core = Connection(protocol, units, trio.current_time(), allowed)
        self._peer = _StreamTask(self, core, stream)
        logger.debug("%s is open", core)

    def _start_tasks(self) -> None:
        self.start(self._peer.serve)

    def _stop_taking(self) -> None:
        self._peer.stop()


class _StreamTask(PeerTask):
    """A peer on any trio stream, which the task owns."""

    __slots__ = ("_stream",)

    def __init__(self, server: Server, core: Connection, stream: trio.abc.Stream) -> None:
        super().__init__(server, core)
        self._stream = stream

    async def serve(self) -> None:
        try:
            await super().serve()
        finally:
            with trio.move_on_after(_CLOSING_TIME), suppress(*BROKEN):
                await self._stream.aclose()

    async def _read(self) -> None:
        if self.core.is_greedy:
            # A few in each round of trio's loop, so that they delay the others only by these.
            async with _shared().turns:
                await trio.lowlevel.checkpoint()
        try:
            data = bytes(await self._stream.receive_some(self.core.turn))
        except BROKEN as error:
            self.close(str(error))
            return
        if not self.is_open:
            return  # no more requests are accepted
        if not data:
            self.close(PEER_CLOSED)
            return
        if wire.isEnabledFor(DEBUG):
            trace(self.core, "sent", data)
        self.core.receive_data(data, trio.current_time())

    async def _send(self) -> None:
        if wire.isEnabledFor(DEBUG):
            trace(self.core, "gets", self.core.unsent)
        await self._stream.send_all(self.core.unsent)
        self.core.unsent = b""

    def _close_link(self) -> None:
        self._scope.cancel()

"""`serve_stream`: one peer on any stream of trio's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from modwire import ServerProtocol, TcpFraming
from modwire.server.options import STREAM_SERVER_TOLERANCE, merged_server_options

from .connection import StreamConnection
from .service import Service, log_error

if TYPE_CHECKING:
    from modwire import Framing, ServerOptions, Units
    from modwire.server.options import Authorize, OnCall


async def serve_stream(
    units: Units,
    stream: trio.abc.Stream,
    *,
    framing: type[Framing] = TcpFraming,
    idle_timeout: float | None = None,
    authorize: Authorize | None = None,
    on_call: OnCall | None = None,
    options: ServerOptions | None = None,
    peer: object = "stream",
    role: str | None = None,
    workers: int = 8,
    grace: float = 5.0,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer for `units` on one stream until it ends, or until cancelled, and close it.

    It may be the handler of trio's own servers, such as
    `trio.serve_ssl_over_tcp(partial(serve_stream, units), 802, context)`, or be given one end of
    a memory stream. Hooks see `peer` and `role`; for the other arguments see `serve_tcp`. It
    returns when the peer closes the stream, sends what is no Modbus frame or is idle too long.
    """
    service = Service(units, framing, workers=workers, grace=grace)
    merged = merged_server_options(
        options,
        is_connected=True,
        idle_timeout=idle_timeout,
        authorize=authorize,
        on_call=on_call,
        on_error=log_error,
        tolerance=STREAM_SERVER_TOLERANCE,
    )
    service.name = f"serve_stream for {peer}"
    protocol = ServerProtocol(framing, merged, peer=peer, role=role)
    connection = StreamConnection(service, protocol, stream)
    task_status.started()
    try:
        await service.run(lambda: service.start(connection.serve), connection.close_when_done)
    finally:
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(stream)  # where it was cancelled before it began

"""`Http1Server`: hypercorn's connection for HTTP/1.1 and WebSockets, without what a bomb needs.

hypercorn would offer permessage-deflate and inflate a message before it looks at its length: 63 KB
become 62 MB. It would also speak HTTP/2 with whoever begins with it, whose headers and streams have
limits of their own. The page needs neither.
"""

from __future__ import annotations

import h11
from hypercorn.events import Closed
from hypercorn.protocol import ProtocolWrapper
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.typing import ConnectionState

MOST_HEADERS = 100
_BAD_REQUEST = 400
_VERSION_NOT_SUPPORTED = 505
# The extensions of a WebSocket are all refused by leaving out the header that offers them.
_EXTENSIONS = b"sec-websocket-extensions"
_LENGTHS = frozenset((b"content-length", b"transfer-encoding"))


class Http1Server(TCPServer):
    """One connection; await it."""

    async def run(self) -> None:
        """Serve the connection until it is closed."""
        try:
            peer, own = self.stream.socket.getpeername(), self.stream.socket.getsockname()
            async with TaskGroup() as tasks:
                self._task_group = tasks
                self.protocol = ProtocolWrapper(
                    self.app,
                    self.config,
                    self.context,
                    tasks,
                    ConnectionState(self.state),
                    getattr(self.stream, "is_secure", False),
                    (str(peer[0]), int(peer[1])),
                    (str(own[0]), int(own[1])),
                    self.protocol_send,
                )
                self.protocol.protocol = _Http1.instead_of(self.protocol)
                await self.protocol.initiate()
                # hypercorn's type of the action is incomplete.
                await self.idle_task.restart(tasks, self._idle_timeout)  # pyright: ignore[reportUnknownMemberType]
                await self._read_data()
        except OSError:
            pass
        finally:
            await self._close()


class _Http1(H11Protocol):
    @classmethod
    def instead_of(cls, wrapper: ProtocolWrapper) -> _Http1:
        """Return a protocol with the settings of a new `wrapper`."""
        return cls(
            wrapper.app,
            wrapper.config,
            wrapper.context,
            wrapper.task_group,
            wrapper.state,
            wrapper.ssl,
            wrapper.client,
            wrapper.server,
            wrapper.send,
        )

    async def _check_protocol(self, event: h11.Request) -> None:
        """Do not change to HTTP/2: an offer of it may be ignored (RFC 9110, section 7.8)."""

    async def _create_stream(self, request: h11.Request) -> None:
        names = [name for name, _ in request.headers]
        status = 0
        if request.http_version not in (b"1.0", b"1.1"):
            status = _VERSION_NOT_SUPPORTED
        # With both, a proxy in front may see the end of the request elsewhere, and take a part of
        # its body for the next request (RFC 9112, section 6.1).
        elif _LENGTHS.issubset(names) or len(names) > MOST_HEADERS:
            status = _BAD_REQUEST
        if status:
            await self._send_error_response(status)
            await self.send(Closed())
            return
        headers = [(name, value) for name, value in request.headers if name != _EXTENSIONS]
        await super()._create_stream(
            h11.Request(
                method=request.method,
                target=request.target,
                headers=headers,
                http_version=request.http_version,
            )
        )

"""`serve_metrics`: answers `GET /metrics`, in HTTP/1.1 and without any other package than trio."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import trio

from .responses import LONGEST_HEAD, MOST_AT_ONCE, PATIENCE, Page, Responses
from .text import CONTENT_TYPE


async def serve_metrics(
    text: Callable[[], str],
    host: str,
    port: int,
    *,
    task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer `GET /metrics` with `text()` until cancelled.

    The host "" is for all addresses of this machine; for port 0 the system chooses one.
    `task_status.started` gets the port. Raises OSError if it cannot listen there.
    """
    listeners = await trio.open_tcp_listeners(port, host=host or None)
    at = listeners[0].socket.getsockname()
    pages = {"/metrics": lambda: Page(text(), CONTENT_TYPE)}
    answering = _Answering(Responses(pages, host=at[0]))
    task_status.started(int(at[1]))
    await trio.serve_listeners(answering.answer, listeners)


class _Answering:
    def __init__(self, responses: Responses) -> None:
        self._responses = responses
        self._open: dict[trio.CancelScope, None] = {}  # the longest open one is the first

    async def answer(self, stream: trio.SocketStream) -> None:
        """Answer one request, and close the connection.

        If too many are open, the longest open one ends: clients that say nothing leave room.
        """
        if len(self._open) >= MOST_AT_ONCE:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.cancel()
        with trio.move_on_after(PATIENCE) as scope:
            self._open[scope] = None
            try:
                async with stream:
                    with suppress(trio.BrokenResourceError):
                        head = await _head(stream)
                        if head:
                            await stream.send_all(self._responses.to(head))
            finally:
                self._open.pop(scope, None)


async def _head(stream: trio.SocketStream) -> bytes:
    """Return the head of a request, b"" if none comes."""
    head = b""
    while b"\r\n\r\n" not in head:
        data = await stream.receive_some(LONGEST_HEAD)
        head += data
        if not data or len(head) > LONGEST_HEAD:
            return b""
    return head.partition(b"\r\n\r\n")[0]

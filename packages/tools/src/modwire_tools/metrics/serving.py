"""`serve_metrics`: answers `GET /metrics`, in HTTP/1.1 and without any other package than trio."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from contextlib import suppress

import trio

from .text import CONTENT_TYPE

_LONGEST_HEAD = 8192  # bytes
_PATIENCE = 10.0  # seconds for a request to come, and for its answer to be taken
_MOST_AT_ONCE = 32


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
    answering = _Answering(text, is_local=ipaddress.ip_address(at[0]).is_loopback)
    task_status.started(int(at[1]))
    await trio.serve_listeners(answering.answer, listeners)


class _Answering:
    def __init__(self, text: Callable[[], str], *, is_local: bool) -> None:
        self._text = text
        self._is_local = is_local
        self._open = 0

    async def answer(self, stream: trio.SocketStream) -> None:
        """Answer one request, and close the connection."""
        self._open += 1
        try:
            async with stream:
                if self._open <= _MOST_AT_ONCE:
                    with trio.move_on_after(_PATIENCE), suppress(trio.BrokenResourceError):
                        head = await _head(stream)
                        if head:
                            await stream.send_all(self._response(head))
        finally:
            self._open -= 1

    def _response(self, head: bytes) -> bytes:
        first, *lines = head.decode("latin-1").split("\r\n")
        method, _, rest = first.partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        hosts = [line[5:].strip() for line in lines if line.lower().startswith("host:")]
        if not rest.rpartition(" ")[2].startswith("HTTP/"):
            return _packed("400 Bad Request", "this is no HTTP request\n")
        if self._is_local and not all(map(_is_local_name, hosts)):
            # A page of another site, whose name resolves to this machine.
            return _packed("403 Forbidden", "ask for localhost, or for an address\n")
        if path != "/metrics":
            return _packed("404 Not Found", "the metrics are at /metrics\n")
        if method not in ("GET", "HEAD"):
            return _packed(
                "405 Method Not Allowed", "only GET is allowed\n", "Allow: GET, HEAD\r\n"
            )
        body = self._text()
        return _packed("200 OK", body, kind=CONTENT_TYPE, with_body=method == "GET")


async def _head(stream: trio.SocketStream) -> bytes:
    """Return the head of a request, b"" if none comes."""
    head = b""
    while b"\r\n\r\n" not in head:
        data = await stream.receive_some(_LONGEST_HEAD)
        head += data
        if not data or len(head) > _LONGEST_HEAD:
            return b""
    return head.partition(b"\r\n\r\n")[0]


def _is_local_name(host: str) -> bool:
    """True for a Host header without a name that another site may have given to this machine."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    if name in ("", "localhost"):
        return True
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _packed(
    status: str,
    body: str,
    more: str = "",
    *,
    kind: str = "text/plain; charset=utf-8",
    with_body: bool = True,
) -> bytes:
    data = body.encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n"
        f"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n{more}"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + (data if with_body else b"")

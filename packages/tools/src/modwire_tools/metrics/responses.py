"""`Responses`: the answers to HTTP requests for a few pages of text, as `/metrics`, without I/O."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import NamedTuple

LONGEST_HEAD = 8192  # bytes
PATIENCE = 10.0  # seconds for a request to come, and for its answer to be taken
MOST_AT_ONCE = 32


class Page(NamedTuple):
    """A page: its text, its type, and the status of the response."""

    text: str
    kind: str
    status: str = "200 OK"


class Responses:
    """Answers requests for `pages`, by their paths, on a server that listens at address `host`."""

    def __init__(self, pages: Mapping[str, Callable[[], Page]], *, host: str) -> None:
        self._pages = pages
        self._is_local = ipaddress.ip_address(host).is_loopback

    def to(self, head: bytes) -> bytes:
        """Return the response to a request with this head, without the empty line at its end."""
        first, *lines = head.decode("latin-1").split("\r\n")
        method, _, rest = first.partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        hosts = [line[5:].strip() for line in lines if line.lower().startswith("host:")]
        if not rest.rpartition(" ")[2].startswith("HTTP/"):
            return _packed("400 Bad Request", "this is no HTTP request\n")
        if self._is_local and not all(map(_is_local_name, hosts)):
            # A page of another site, whose name resolves to this machine.
            return _packed("403 Forbidden", "ask for localhost, or for an address\n")
        if path not in self._pages:
            known = " and ".join(self._pages)
            what = "the metrics are" if len(self._pages) == 1 else "there are pages"
            return _packed("404 Not Found", f"{what} at {known}\n")
        if method not in ("GET", "HEAD"):
            return _packed(
                "405 Method Not Allowed", "only GET is allowed\n", "Allow: GET, HEAD\r\n"
            )
        page = self._pages[path]()
        return _packed(page.status, page.text, kind=page.kind, with_body=method == "GET")


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

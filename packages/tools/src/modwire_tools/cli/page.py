"""The options of `modwire simulate` for the web page, and the start of the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modwire_tools.values.numbers import parse_whole

from .ending import WrongArgumentError, argument

if TYPE_CHECKING:
    import trio

    from modwire_tools.simulator.view import View

_FORM = "--web must be HOST:PORT or PORT, such as 127.0.0.1:8080 or [::1]:8080"


@dataclass(frozen=True)
class Page:
    """Address of the page, and the token that it needs, or None."""

    host: str
    port: int
    token: str | None


def parse_page(web: str | None, token: str | None) -> Page | None:
    """Return the page for `--web` and `--web-token`; beyond loopback it always gets a token."""
    if web is None:
        if token is not None:
            raise WrongArgumentError("--web-token is for the page: --web HOST:PORT is missing")
        return None
    from modwire_tools.web import check_token, is_loopback, make_token

    host, port = _split(web)
    if token is not None:
        with argument("--web-token"):
            check_token(token)
    elif not is_loopback(host):
        token = make_token()
    return Page(host, port, token)


def _split(web: str) -> tuple[str, int]:
    host, _, port = web.strip().rpartition(":")
    try:
        number = parse_whole(port, 0, 0xFFFF)
    except ValueError:
        raise WrongArgumentError(f"{_FORM}, got {web!r}") from None
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise WrongArgumentError(f"{_FORM}, got {web!r}: an IPv6 address needs brackets")
    return host or "127.0.0.1", number


async def start_page(nursery: trio.Nursery, view: View, page: Page) -> str:
    """Serve the page in `nursery` and return its link. Raises OSError or ValueError."""
    from modwire_tools.web import format_link, serve_page

    async def serve(task_status: trio.TaskStatus[tuple[str, int]]) -> None:
        await serve_page(view, page.host, page.port, token=page.token, task_status=task_status)

    _, port = await nursery.start(serve)
    return format_link(page.host, port, page.token)

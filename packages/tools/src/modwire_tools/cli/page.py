"""The options of `modwire simulate` for the web page, and the start of the page."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from stat import S_IRWXG, S_IRWXO
from typing import TYPE_CHECKING

from modwire_tools.extras import extra
from modwire_tools.values.numbers import parse_whole

from .ending import WrongArgumentError, argument
from .output import note

if TYPE_CHECKING:
    from pathlib import Path

    import trio

    from modwire_tools.simulator.view import View

TOKEN_VARIABLE = "MODWIRE_WEB_TOKEN"
"""The environment variable for the token: all users of a machine can see arguments."""

_LONGEST_TOKEN_FILE = 4096  # bytes
_FORM = "--web must be HOST:PORT or PORT, such as 127.0.0.1:8080 or [::1]:8080"


@dataclass(frozen=True)
class Page:
    """Address of the page, and the token that it needs, or None.

    A token `from_outside`, from a file or the environment, is not printed: logs keep what is.
    """

    host: str
    port: int
    token: str | None
    from_outside: bool = False


def parse_page(web: str | None, token: str | None, token_file: Path | None = None) -> Page | None:
    """Return the page for the options; beyond loopback it always gets a token.

    Without `token` and `token_file`, the token is that in the environment, if it has one.
    """
    if web is None:
        for name, given in (("--web-token", token), ("--web-token-file", token_file)):
            if given is not None:
                raise WrongArgumentError(f"{name} is for the page: --web HOST:PORT is missing")
        return None
    with extra("web", "--web"):
        from modwire_tools.web import check_token, is_loopback, make_token

    host, port = _split(web)
    name = "--web-token"
    if token_file is not None:
        if token is not None:
            raise WrongArgumentError("give --web-token or --web-token-file, not both")
        name = "--web-token-file"
        token = _read_token(token_file)
    elif token is None and (token := os.environ.get(TOKEN_VARIABLE) or None) is not None:
        name = TOKEN_VARIABLE
    if token is not None:
        with argument(name):
            check_token(token)
    elif not is_loopback(host):
        token = make_token()
    return Page(host, port, token, from_outside=name != "--web-token")


def _read_token(path: Path) -> str:
    """Return the first line of a file, or of standard input for "-"."""
    if str(path) == "-":
        if sys.stdin is None:
            raise WrongArgumentError("--web-token-file: standard input is closed")
        data = sys.stdin.buffer.readline(_LONGEST_TOKEN_FILE)
    else:
        try:
            with path.open("rb") as file:  # may be a pipe, as with <(pass show meter)
                data = file.readline(_LONGEST_TOKEN_FILE)
                mode = os.fstat(file.fileno()).st_mode
        except OSError as error:
            raise type(error)(error.errno, f"cannot read {path}: {error.strerror}") from None
        if os.name == "posix" and mode & (S_IRWXG | S_IRWXO):
            note(f"other users may read {path}: chmod 600 {path}")
    with argument("--web-token-file"):
        try:
            return data.decode("ascii").strip()
        except UnicodeDecodeError:
            raise ValueError("a token must be letters, digits and characters of -._~") from None


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
    return format_link(page.host, port, None if page.from_outside else page.token)

"""The options of `simulate` and `serve` for the web page, and the start of the page."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_IRWXG, S_IRWXO
from typing import TYPE_CHECKING, Annotated

import typer

from modwire_tools.extras import extra
from modwire_tools.values.host_port import parse_host_port

from .ending import FailedError, WrongArgumentError, argument
from .output import note
from .security_options import as_options

if TYPE_CHECKING:
    import trio

    from modwire_tools.metrics import Metrics
    from modwire_tools.server.security import PageCertificate
    from modwire_tools.simulator.view import ServerView

TOKEN_VARIABLE = "MODWIRE_WEB_TOKEN"
"""The environment variable for the token: all users of a machine can see arguments."""

_LONGEST_TOKEN_FILE = 4096  # bytes


WebOption = Annotated[
    str | None,
    typer.Option(
        "--web",
        metavar="HOST:PORT",
        help="Serve a web page that shows and changes values, clients, traffic and counters, and a "
        "REST interface under /api; such as 127.0.0.1:8080. Port 0 lets the system choose.",
    ),
]
TokenOption = Annotated[
    str | None,
    typer.Option(
        "--web-token",
        metavar="TOKEN",
        help="Secret that a browser needs to open the page. Without one, one is made and "
        "printed if the page is open to other machines. Other users of this machine see it "
        "here, but not in a file or in MODWIRE_WEB_TOKEN in the environment.",
    ),
]
TokenFileOption = Annotated[
    Path | None,
    typer.Option(
        "--web-token-file",
        readable=False,
        metavar="FILE",
        help="File whose first line is that secret; - for standard input.",
    ),
]


WebCertificateOption = Annotated[
    Path | None,
    typer.Option(
        "--web-certificate",
        readable=False,
        metavar="FILE",
        help="The certificate of the page and its chain, in PEM: the page is at https:// then.",
    ),
]
WebKeyOption = Annotated[
    Path | None,
    typer.Option(
        "--web-key",
        readable=False,
        metavar="FILE",
        help="The key of that certificate, unless it is in the same file.",
    ),
]


WebKeyPasswordOption = Annotated[
    Path | None,
    typer.Option(
        "--web-key-password-file",
        readable=False,
        metavar="FILE",
        help="A file whose first line is the password of that key, if it is encrypted.",
    ),
]


@dataclass(frozen=True)
class Page:
    """Address of the page, and the token that it needs, or None.

    The host "" is for all addresses of this machine. With a `certificate`, the page is over TLS.
    A token `from_outside`, from a file or the environment, is not printed: logs keep what is.
    """

    host: str
    port: int
    token: str | None
    from_outside: bool = False
    certificate: PageCertificate | None = field(default=None, compare=False)


def parse_page(
    web: str | None,
    token: str | None,
    token_file: Path | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
    password_file: Path | None = None,
) -> Page | None:
    """Return the page for the options; beyond loopback it always gets a token.

    Without `token` and `token_file`, the token is that in the environment, if it has one. With a
    `certificate`, the page is over TLS. Raises FailedError if that cannot be used.
    """
    if web is None:
        options = {
            "--web-token": token,
            "--web-token-file": token_file,
            "--web-certificate": certificate,
            "--web-key": key,
            "--web-key-password-file": password_file,
        }
        for name, given in options.items():
            if given is not None:
                raise WrongArgumentError(f"{name} is for the page: --web HOST:PORT is missing")
        return None
    with extra("web", "--web"):
        from modwire_tools.web import check_token, is_loopback, make_token

    try:
        host, port = parse_host_port(web)
    except ValueError as error:
        raise WrongArgumentError(f"--web {error}") from None
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
    elif not host or not is_loopback(host):
        token = make_token()
    own = _certificate(certificate, key, password_file)
    return Page(host, port, token, from_outside=name != "--web-token", certificate=own)


def _certificate(
    certificate: Path | None, key: Path | None, password_file: Path | None
) -> PageCertificate | None:
    if certificate is None:
        for name, given in (("--web-key", key), ("--web-key-password-file", password_file)):
            if given is not None:
                raise WrongArgumentError(f"{name} needs its --web-certificate")
        return None
    from modwire_tools.server.security import PageCertificate

    try:
        return PageCertificate(certificate, key, password_file)
    except ValueError as error:
        raise FailedError(as_options(error, "--web-")) from None


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


async def start_page(
    nursery: trio.Nursery, view: ServerView, page: Page, metrics: Metrics | None = None
) -> str:
    """Serve the page in `nursery` and return its link. Raises FailedError."""
    from modwire_tools.endpoint_forms import ALL
    from modwire_tools.system_advice import system_advice
    from modwire_tools.web import format_link, serve_page

    own = page.certificate

    async def serve(task_status: trio.TaskStatus[tuple[str, int]]) -> None:
        await serve_page(
            view,
            page.host,
            page.port,
            token=page.token,
            metrics=metrics.text if metrics is not None else None,
            context=None if own is None else own.context,
            task_status=task_status,
        )

    try:
        _, port = await nursery.start(serve)
    except (OSError, ValueError) as error:
        advice = system_advice(f"tcp://{page.host}:{page.port}: {error}")
        raise FailedError("; ".join(filter(None, [f"--web: {error}", advice]))) from error
    token = None if page.from_outside else page.token
    return format_link(page.host or ALL, port, token, is_secure=own is not None)

"""The options of the commands that listen: `serve` and `gateway`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .arguments import parse_seconds, parse_whole
from .ending import argument

if TYPE_CHECKING:
    from modwire import Call, Response, ServerProtocol
    from modwire.server.options import OnAnswer
    from modwire_tools.listening import Limits, Listen

AllowOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allow",
        metavar="NETWORK",
        help="Networks to hear, such as 192.168.0.0/16; all by default. May be repeated.",
    ),
]
ConnectionsOption = Annotated[
    str,
    typer.Option(
        "--max-connections",
        metavar="N",
        help="One more closes the connection that was idle longest.",
    ),
]
IdleOption = Annotated[
    str | None,
    typer.Option(
        "--idle-timeout", metavar="TIME", help="Close a connection that is silent so long."
    ),
]
VerboseFlag = Annotated[
    bool, typer.Option("--verbose", "-v", help="Say each request and its answer.")
]


def parse_limits(
    allow: list[str] | None, max_connections: str, idle_timeout: str | None, *, reuse_port: bool
) -> Limits:
    """What the options say; raises WrongArgumentError."""
    from modwire.server.peers import Allowed
    from modwire_tools.listening import Limits

    if allow:
        with argument("--allow"):
            Allowed(allow)
    return Limits(
        parse_whole("--max-connections", max_connections, 1, 1_000_000),
        None if idle_timeout is None else parse_seconds("--idle-timeout", idle_timeout),
        allow or None,
        reuse_port,
    )


def parse_listens(texts: list[str], name: str) -> list[Listen]:
    """The endpoints to listen at; raises WrongArgumentError."""
    from modwire_tools.listening import parse_listen

    with argument(name):
        return [parse_listen(text) for text in texts]


def say_calls(verbose: bool) -> OnAnswer | None:
    """A hook that notes each call on standard error, if that is wanted."""
    if not verbose:
        return None

    from modwire_tools.explain import describe_request, describe_response

    from .output import note

    def on_answer(protocol: ServerProtocol, call: Call, response: Response | None) -> None:
        request = call.request.encode()
        answer = "no answer"
        if response is not None:
            answer = describe_response(response.encode(), request)
        note(f"{protocol.peer}: unit {call.unit}: {describe_request(request)} -> {answer}")

    return on_answer


def show_log() -> None:
    """What servers log from warnings on goes to standard error, as notes of ours."""
    import logging

    logging.basicConfig(level=logging.WARNING, format="modwire: %(message)s")

"""The options of the commands that listen: `serve` and `gateway`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .types import DURATION, ParamType, Whole

if TYPE_CHECKING:
    from modwire import Call, Response
    from modwire.server.options import OnAnswer, Served


class Network(ParamType[str]):
    """An address or a network of clients, such as 192.168.0.0/16."""

    metavar = "NETWORK"

    def parse(self, text: str) -> str:
        from modwire.server.peers import AllowedNetworks

        AllowedNetworks([text])
        return text


AllowOption = Annotated[
    list[str] | None,
    Network().option(
        "--allow",
        help="Networks whose clients are served, such as 192.168.0.0/16; all by default. May be "
        "repeated.",
    ),
]
ConnectionsOption = Annotated[
    int,
    Whole(1, 1_000_000).option(
        "--max-connections",
        help="Most connections at once; one more closes the connection that is idle longest.",
    ),
]
IdleOption = Annotated[
    float | None,
    DURATION.option("--idle-timeout", help="Close connections that are idle for this time."),
]
VerboseFlag = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print each request and its answer.")
]


def say_calls(verbose: bool) -> OnAnswer | None:
    """Return a hook that prints each call on standard error, or None if not `verbose`."""
    if not verbose:
        return None

    from modwire_tools.explain import describe_request, describe_response

    from .output import note

    def on_answer(protocol: Served, call: Call, response: Response | None) -> None:
        request = call.request.encode()
        answer = "no answer"
        if response is not None:
            answer = describe_response(response.encode(), request)
        note(f"{protocol.peer}: unit {call.unit}: {describe_request(request)} -> {answer}")

    return on_answer


def show_log() -> None:
    """Print warnings and errors that servers log on standard error."""
    import logging

    logging.basicConfig(level=logging.WARNING, format="modwire: %(message)s")

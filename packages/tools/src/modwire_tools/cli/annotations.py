"""Types from the core, for the annotations of subcommands, without importing the core.

Typer evaluates annotations at the start, and `modwire --help` must not wait for these imports.
The values come from a `ParamType`, so typer does not need the real types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modwire import Endpoint
    from modwire.planner import WriteFunctions
    from modwire_tools.addresses import Place
    from modwire_tools.server.listening import Listen
    from modwire_tools.values.host_port import HostPort
    from modwire_tools.values.item_texts import AssignmentText
    from modwire_tools.values.types import TypeText

    Places = tuple[Place, int | None]
else:
    Endpoint = HostPort = Places = Listen = AssignmentText = TypeText = WriteFunctions = object

__all__ = [
    "AssignmentText",
    "Endpoint",
    "HostPort",
    "Listen",
    "Places",
    "TypeText",
    "WriteFunctions",
]

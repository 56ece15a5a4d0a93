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
    from modwire_tools.values.items import AssignmentText, ItemText
    from modwire_tools.values.types import TypeText
else:
    Endpoint = HostPort = Place = Listen = AssignmentText = ItemText = TypeText = WriteFunctions = (
        object
    )

__all__ = [
    "AssignmentText",
    "Endpoint",
    "HostPort",
    "ItemText",
    "Listen",
    "Place",
    "TypeText",
    "WriteFunctions",
]

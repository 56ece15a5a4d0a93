"""The generated parts of pages: functions that return Markdown, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .command import command
from .interfaces import endpoint_options, errors, features, functions, quirks
from .measured import performance
from .packages import packages
from .peers import peers
from .rooms import rooms

PARTS: Final[dict[str, Callable[[], str]]] = {
    "command": command,
    "endpoint-options": endpoint_options,
    "errors": errors,
    "features": features,
    "functions": functions,
    "packages": packages,
    "peers": peers,
    "performance": performance,
    "quirks": quirks,
    "rooms": rooms,
}

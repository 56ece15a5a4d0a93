"""Parts of the `modwire` command, for use by other programs.

A name is imported on first use: this file is imported at each start of the command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .addresses import Place, parse_place
    from .explain import Field, explain_pdu

__version__ = "0.2.0"
__all__ = ["Field", "Place", "explain_pdu", "parse_place"]

_HOMES = {
    "Field": "explain",
    "Place": "addresses",
    "explain_pdu": "explain",
    "parse_place": "addresses",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = found
    return found

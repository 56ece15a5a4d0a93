"""What the `modwire` command is made of, for programs that want a part of it."""

from .addresses import Place, parse_place
from .explain import Field, explain_pdu

__all__ = ["Field", "Place", "explain_pdu", "parse_place"]

"""The meaning of the bytes of a message: field by field, and in one line of words."""

from .fields import Field, explain_pdu
from .frames import Reading, explain_frame
from .words import describe_request, describe_response

__all__ = [
    "Field",
    "Reading",
    "describe_request",
    "describe_response",
    "explain_frame",
    "explain_pdu",
]

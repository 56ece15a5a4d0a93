"""What the bytes of a message mean: field by field, and in one line of words."""

from .fields import Field, explain_pdu
from .words import describe_request, describe_response

__all__ = ["Field", "describe_request", "describe_response", "explain_pdu"]

"""What the bytes of a message mean, field by field: for `modwire parse` and the page."""

from .fields import Field, explain_pdu

__all__ = ["Field", "explain_pdu"]

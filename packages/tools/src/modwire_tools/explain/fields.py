"""`explain_pdu`: the fields of a PDU, each with its meaning."""

from __future__ import annotations

from contextlib import suppress

from modwire import CanopenGeneralReferenceRequest
from modwire.messages.fields import Field as TableField
from modwire.messages.fields import fields_of

from .names import function_text, message_class_of
from .tables import TableWalk
from .walk import CutOffError, Field, Walk, count

__all__ = ["Field", "explain_pdu"]


def explain_pdu(
    pdu: bytes, *, is_response: bool, request: bytes | None = None, start: int = 0
) -> list[Field]:
    """Return the fields of `pdu` in order and without gaps: each byte belongs to a field.

    `request` is the PDU of the request, if known: it has the addresses of the values in a response,
    and the fields that the response has to repeat. Bytes that break the specification are explained
    too, so this never raises. If bytes are missing, the last field is the first incomplete one,
    with the bytes that it has. `start` is the offset of the PDU in its frame: the offsets of the
    fields begin there.
    """
    asked = request or b""
    walk = Walk(pdu, start)
    # A response to another function does not repeat the addresses of this request.
    answered = _asked_fields(asked) if is_response and pdu and asked[:1] == pdu[:1] else None
    try:
        walk.take(1, "function code", lambda code: _code_text(code[0], is_response, asked))
        table = _table(pdu, is_response)
        if table is not None:
            TableWalk(walk, answered, is_response=is_response).take(table)
        else:
            walk.rest("data", "nothing that the specification defines")
        walk.rest("trailing bytes", _trailing_text)
    except CutOffError:
        pass
    return walk.fields


def _table(pdu: bytes, is_response: bool) -> tuple[TableField, ...] | None:
    """Return the table of the message; None for an unknown function."""
    message_class = message_class_of(pdu, is_response=is_response)
    if message_class is None and pdu[:1] == bytes((CanopenGeneralReferenceRequest.function_code,)):
        # Data follow an unknown MEI type, as in the CANopen general reference.
        message_class = CanopenGeneralReferenceRequest
    return None if message_class is None else fields_of(message_class)


def _asked_fields(request: bytes) -> TableWalk:
    """Return the fields of a request, up to the first missing byte."""
    walk = Walk(request[1:])
    asked = TableWalk(walk)
    with suppress(CutOffError):
        asked.take(_table(request, is_response=False) or ())
    return asked


def _code_text(code: int, is_response: bool, request: bytes) -> str:
    text = function_text(code)
    if is_response and code & 0x80:
        text = f"{code:02X}, exception in answer to function {function_text(code & 0x7F)}"
    if is_response and request and request[0] != code & 0x7F:
        text += f"; wrong, the request had {function_text(request[0])}"
    return text


def _trailing_text(data: bytes) -> str:
    return f"wrong, the message ends before: {count(len(data), 'byte')} too many"

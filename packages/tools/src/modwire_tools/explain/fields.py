"""`explain_pdu`: the fields of a PDU, with what each means."""

from __future__ import annotations

from .names import function_text
from .requests import EXPLAINERS as REQUESTS
from .responses import EXPLAINERS as RESPONSES
from .responses import take_exception
from .walk import CutOffError, Field, Walk, count

__all__ = ["Field", "explain_pdu"]


def explain_pdu(
    pdu: bytes, *, is_response: bool, request: bytes | None = None, start: int = 0
) -> list[Field]:
    """The fields of `pdu` in their order, without gaps: together they are all of its bytes.

    `request` is the PDU that it answers, where that is known: it tells what the registers of an
    answer are. What does not fit the specification is explained too: it never raises. Where bytes
    are missing, the last field is the first that is not whole, with the bytes that it has, if any.
    `start` is where the PDU begins in its frame: fields are counted from there.
    """
    asked = request or b""
    code = pdu[0] if pdu else 0
    # What answers another function says nothing about these addresses.
    walk = Walk(pdu, start, asked if asked[:1] == pdu[:1] else b"")
    try:
        walk.byte("function code", lambda code: _code_text(code, is_response, asked))
        if is_response and code & 0x80:
            take_exception(walk)
        else:
            explainer = (RESPONSES if is_response else REQUESTS).get(code)
            if explainer is not None:
                explainer(walk)
            else:
                walk.rest("data", "nothing that the specification defines")
        walk.rest("trailing bytes", _trailing_text)
    except CutOffError:
        pass
    return walk.fields


def _code_text(code: int, is_response: bool, request: bytes) -> str:
    text = function_text(code)
    if is_response and code & 0x80:
        text = f"{code:02X}, exception in answer to function {function_text(code & 0x7F)}"
    if is_response and request and request[0] != code & 0x7F:
        text += f"; wrong, the request had {function_text(request[0])}"
    return text


def _trailing_text(data: bytes) -> str:
    return f"wrong, the message ends before: {count(len(data), 'byte')} too many"

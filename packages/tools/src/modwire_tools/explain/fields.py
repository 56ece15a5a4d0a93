"""`explain_pdu`: the fields of a PDU, with what each means."""

from __future__ import annotations

from typing import NamedTuple


class Field(NamedTuple):
    """Some bytes of a message: from `start` on, what they are called, and what they say."""

    start: int
    data: bytes
    name: str  # "function code", "quantity", "CRC-16"
    meaning: str  # "3, read holding registers"; "10 registers"; "0BB0, low byte first: right"


def explain_pdu(pdu: bytes, *, is_response: bool, request: bytes | None = None) -> list[Field]:
    """The fields of `pdu` in their order, without gaps: together they are all of its bytes.

    `request` is the PDU that it answers, where that is known: it tells what the registers of an
    answer are. What does not fit the specification is explained too: it never raises.
    """
    raise NotImplementedError

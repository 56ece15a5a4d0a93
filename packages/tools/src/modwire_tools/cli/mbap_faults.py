"""`mbap_faults`: the rules that a Modbus/TCP answer breaks, and the quirks that tolerate it."""

from __future__ import annotations

from typing import NamedTuple

_HEADER = 7  # transaction id, protocol id, length, unit id (Messaging on TCP/IP V1.0b, 3.1.3)


class Fault(NamedTuple):
    """A broken rule, as the end of "the device ...", and the name of the quirk for it."""

    text: str
    quirk: str


def mbap_faults(request: bytes, answer: bytes) -> list[Fault]:
    """Return the faults of the bytes `answer` that came after the ADU `request`.

    [] if they are right, or if they do not look like an answer to this function.
    """
    if len(request) <= _HEADER or len(answer) <= _HEADER or answer[2:4] != b"\0\0":
        return []
    if answer[_HEADER] & 0x7F != request[_HEADER]:
        return []
    faults = [*_transaction(request, answer), *_length(answer)]
    if request[6] != answer[6]:
        faults.append(Fault(f"answers as unit {answer[6]}", "any_unit"))
    return faults


def _transaction(request: bytes, answer: bytes) -> list[Fault]:
    asked, number = (int.from_bytes(each[:2], "big") for each in (request, answer))
    if asked == number:
        return []
    if not number:
        quirk = "zero_transaction_id"
    elif number == asked & 0xFF:
        return [
            Fault(
                "answers with the low byte of the transaction id alone, "
                f"{number} in place of {asked}",
                "short_transaction_id",
            )
        ]
    else:
        quirk = "any_transaction_id"
    return [Fault(f"answers with the wrong transaction id {number}", quirk)]


def _length(answer: bytes) -> list[Fault]:
    """Compare the length in the header with the end that the PDU has by its own rule."""
    from modwire import Decoder

    there = len(answer) - _HEADER
    says = int.from_bytes(answer[4:6], "big") - 1
    size = Decoder().response_length(answer, _HEADER)
    if not 0 < size <= there:
        return []
    if says == size:
        rest = answer[_HEADER + size :]
        if not rest or rest[2:4] == b"\0\0":  # nothing, or another frame
            return []
        return [Fault("sends bytes that its length field does not count", "wrong_length")]
    if size < says == there:
        return [Fault("sends bytes behind the PDU, and counts them", "trailing_bytes")]
    return [
        Fault(f"has {says + 1} in its length field, in place of {size + 1}", "wrong_length"),
    ]

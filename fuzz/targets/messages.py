"""PDUs: the decoders of requests and responses, and the explanations of them."""

from __future__ import annotations

from modwire.errors import InvalidRequestError, InvalidResponseError, ModbusError
from modwire.messages import Decoder, RawRequest

from .. import vectors
from ..target import Target

_DECODER = Decoder()


def _check(data: bytes) -> None:
    """Decode a PDU as a request, as a response, and as the answer to a request before it.

    The first byte is the length of the request.
    """
    size = data[0] if data else 0
    first, second = data[1 : 1 + size], data[1 + size :]
    for pdu in (first, second):
        _check_request(pdu)
        _check_response(pdu)
    if first and second:
        _check_answer(first, second)


def _check_request(pdu: bytes) -> None:
    try:
        request = _DECODER.decode_request(pdu)
    except InvalidRequestError as error:
        assert 1 <= error.exception_code <= 11
        assert error.function_code == (pdu[0] if pdu else 0)
        return
    assert request.function_code == pdu[0]
    again = _DECODER.decode_request(request.encode())
    assert again == request
    assert hash(again) == hash(request)
    assert repr(request)


def _check_response(pdu: bytes) -> None:
    try:
        response = _DECODER.decode_response(pdu)
    except InvalidResponseError as error:
        assert str(error)
        return
    assert response.function_code & 0x7F == pdu[0] & 0x7F
    again = _DECODER.decode_response(response.encode())
    assert again == response
    assert repr(response)


def _check_answer(first: bytes, second: bytes) -> None:
    try:
        request = _DECODER.decode_request(first)
    except InvalidRequestError:
        request = RawRequest(first[0] & 0x7F or 1, first[1:253])
    try:
        response = request.decode_response(second)
    except ModbusError as error:
        assert str(error)
        return
    assert second[0] == request.function_code, "an answer of another function"
    assert request.decode_response(response.encode()) == response


def _seeds() -> list[bytes]:
    requests = vectors.messages(is_response=False)
    responses = vectors.messages(is_response=True)
    found = [bytes((len(pdu),)) + pdu for _, pdu in (*requests, *responses)]
    by_code = {pdu[0]: pdu for _, pdu in requests}
    for _, pdu in responses:
        request = by_code.get(pdu[0] & 0x7F)
        if request is not None:
            found.append(bytes((len(request),)) + request + pdu)
    return found


TARGETS = [Target("messages", _check, _seeds)]

"""Decisions and documentation that the blocking and the async calls share."""

from __future__ import annotations

from typing import TypeVar

from ..errors import InvalidResponseError
from ..messages.encapsulated import (
    ReadDeviceIdCode,
    ReadDeviceIdentificationRequest,
    ReadDeviceIdentificationResponse,
)

CallsT = TypeVar("CallsT")

_COMMON = """

Addresses are 0..65535, `unit` is 0..255, and `timeout` is in seconds, above 0. If `unit` or
`timeout` is None, the client's own value is used.

Raises:
    ValueError: an argument is out of range; nothing is sent.
    ExceptionResponseError: the device refuses the request. Each exception code (section 7) has a
        subclass, such as IllegalDataAddressError.
    ResponseTimeoutError: no answer came within `timeout`, in any of the attempts.
    InvalidResponseError: the answer does not fit the request.
    ConnectionLostError: the link cannot be opened, or was lost before the answer.
"""


def add_common(calls: type[CallsT]) -> type[CallsT]:
    """Append to the docstring of each call the ranges and errors that all calls share."""
    for name, method in vars(calls).items():
        if not name.startswith("_") and method.__doc__:
            # Before Python 3.13 a docstring keeps the indentation of its source.
            method.__doc__ = method.__doc__.replace("\n        ", "\n").rstrip() + _COMMON
    return calls


class IdentificationReading:
    """Reading of the device identification in as many requests as needed (section 6.21).

    Send `request` and pass its answer to `receive_response` until `request` is None; then
    `objects` is complete. Each answer must continue at a higher object id, so there are at most
    256 requests.
    """

    def __init__(self, read_code: int, object_id: int) -> None:
        self.objects: dict[int, bytes] = {}
        self.request: ReadDeviceIdentificationRequest | None = ReadDeviceIdentificationRequest(
            read_code, object_id
        )
        # Not `object_id`: a server that lacks this object restarts at object 0.
        self._passed = -1

    def receive_response(self, response: ReadDeviceIdentificationResponse) -> None:
        """Add the objects of an answer; raises InvalidResponseError if object ids repeat."""
        self.request = None
        self.objects.update(response.objects)
        # The answer for a single object is complete, even if a device sets `more_follows` in it.
        if not response.more_follows or response.read_code is ReadDeviceIdCode.SPECIFIC:
            return
        passed = max([self._passed, *(object_id for object_id, _ in response.objects)])
        self._passed = following = response.next_object_id
        if following <= passed:
            raise InvalidResponseError(
                f"next object id must be above {passed}, which was reached, got {following}"
            )
        self.request = ReadDeviceIdentificationRequest(response.read_code, following)


def delimiter_word(delimiter: str | int) -> int:
    """Return the data word of function 8, sub-function 3: the character in the high byte."""
    code = ord(delimiter) if isinstance(delimiter, str) and len(delimiter) == 1 else delimiter
    if isinstance(code, bool) or not isinstance(code, int) or not 0 <= code <= 0x7F:
        raise ValueError(
            r'delimiter must be one ASCII character, such as "\n", or its code, 0..127, '
            f"got {delimiter!r}"
        )
    return code << 8

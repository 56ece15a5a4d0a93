"""What the blocking and the async calls decide alike, so that it stands here once."""

from __future__ import annotations

from ..errors import InvalidResponseError
from ..messages.encapsulated import (
    ReadDeviceIdCode,
    ReadDeviceIdentificationRequest,
    ReadDeviceIdentificationResponse,
)


class IdentificationReading:
    """Device identification over as many answers as it takes (section 6.21).

    Send `request` and hand its answer to `receive_response`, until `request` is None; then
    `objects` has them all. The ids to go on with have to grow, so there are at most 256 requests.
    """

    def __init__(self, read_code: int, object_id: int) -> None:
        self.objects: dict[int, bytes] = {}
        self.request: ReadDeviceIdentificationRequest | None = ReadDeviceIdentificationRequest(
            read_code, object_id
        )
        # Not `object_id`: a server that does not know it starts again at 0.
        self._passed = -1

    def receive_response(self, response: ReadDeviceIdentificationResponse) -> None:
        """Take the objects of an answer; raises InvalidResponseError if the device goes round."""
        self.request = None
        self.objects.update(response.objects)
        # A single object is all there is, whatever the device says behind it.
        if not response.more_follows or response.read_code is ReadDeviceIdCode.SPECIFIC:
            return
        passed = max([self._passed, *(object_id for object_id, _ in response.objects)])
        self._passed = following = response.next_object_id
        if following <= passed:
            raise InvalidResponseError(
                f"next object id must be above {passed}, which was reached, got {following}"
            )
        self.request = ReadDeviceIdentificationRequest(response.read_code, following)


def delimiter_word(delimiter: str) -> int:
    """The data word of function 8, sub-function 3: the character in the high byte."""
    if len(delimiter) != 1 or not delimiter.isascii():
        raise ValueError(f"delimiter must be one ASCII character, got {delimiter!r}")
    return ord(delimiter) << 8

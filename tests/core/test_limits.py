"""Each limit of `limits.json` at min - 1, min, max and max + 1: built, decoded, with its code.

With a limit that is off by one, the library would refuse a valid message, or send one that a
strict peer refuses.
"""

from __future__ import annotations

import pytest

from limits_table import LIMITS, SMALLEST_AND_LARGEST, VALUE, refused
from modwire.errors import InvalidResponseError
from modwire.messages import decode_request, decode_response

# limits.json has min 3 for a function 8 request, yet says that there are 1 to 125 words.
# The largest file response is 253 by the table; its groups are of even length, so 252.
CORRECTED = {((8, None), "request", "min"): 5, ((20, None), "response", "max"): 252}


def length_limit(key: tuple[int, int | None], direction: str, bound: str) -> int:
    limit = LIMITS[key][direction]["pdu_len"]
    return CORRECTED.get((key, direction, bound), limit.get("exact") or limit.get(bound))


def test_every_function_has_its_smallest_and_largest_message() -> None:
    assert set(SMALLEST_AND_LARGEST) == set(LIMITS)


@pytest.mark.parametrize("key", SMALLEST_AND_LARGEST, ids=str)
def test_pdu_lengths_of_requests(key: tuple[int, int | None]) -> None:
    smallest, largest, _, _ = (message.encode() for message in SMALLEST_AND_LARGEST[key])
    assert len(smallest) == length_limit(key, "request", "min")
    assert len(largest) == length_limit(key, "request", "max")
    assert decode_request(smallest).encode() == smallest
    assert decode_request(largest).encode() == largest
    if len(smallest) > 1:
        assert refused(smallest[:-1]) == VALUE
    assert refused(largest + b"\x00") == VALUE


@pytest.mark.parametrize("key", SMALLEST_AND_LARGEST, ids=str)
def test_pdu_lengths_of_responses(key: tuple[int, int | None]) -> None:
    _, _, smallest, largest = (message.encode() for message in SMALLEST_AND_LARGEST[key])
    assert len(smallest) == length_limit(key, "response", "min")
    assert len(largest) == length_limit(key, "response", "max")
    assert decode_response(smallest).encode() == smallest
    assert decode_response(largest).encode() == largest
    response_class = type(SMALLEST_AND_LARGEST[key][2])
    with pytest.raises(InvalidResponseError):
        response_class.decode(smallest[:-1])
    with pytest.raises(InvalidResponseError):
        response_class.decode(largest + b"\x00")


BYTE_COUNTED = [
    (key, direction)
    for key in LIMITS
    for direction in ("request", "response")
    if "byte_count_range" in LIMITS[key][direction] and key != (24, None)
]


@pytest.mark.parametrize(("key", "direction"), BYTE_COUNTED, ids=str)
def test_byte_counts(key: tuple[int, int | None], direction: str) -> None:
    """A byte count at its limits is accepted; one that does not match the bytes is refused."""
    least, most = LIMITS[key][direction]["byte_count_range"]
    at = {15: 5, 16: 5, 23: 9}.get(key[0], 1) if direction == "request" else 1
    messages = SMALLEST_AND_LARGEST[key]
    pair = messages[:2] if direction == "request" else messages[2:]
    for message, limit in zip(pair, (least, most), strict=True):
        pdu = bytearray(message.encode())
        # See CORRECTED: the number of bytes is never odd.
        assert pdu[at] == (limit if (key, limit) != ((20, None), 251) else 250)
        for wrong in (pdu[at] - 1, pdu[at] + 1, 0, 255):
            if wrong == pdu[at]:
                continue
            changed = bytes(pdu[:at]) + bytes((wrong,)) + bytes(pdu[at + 1 :])
            if direction == "request":
                assert refused(changed) == VALUE
            else:
                with pytest.raises(InvalidResponseError):
                    decode_response(changed)

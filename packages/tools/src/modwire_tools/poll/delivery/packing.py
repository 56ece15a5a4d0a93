"""`pack` and `unpack`: a reading of a device as bytes, for the spool.

The values of one reading have the same device, tags and time, so these are stored once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ..sample import GOOD, Sample

if TYPE_CHECKING:
    from ...values.types import Value

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


def pack(samples: Sequence[Sample]) -> bytes:
    """Return values of one device as bytes."""
    first = samples[0]
    items: list[object] = [first.device, first.tags, first.time]
    for each in samples:
        if each.quality == GOOD and each.time == first.time:
            items.append((each.point, each.measure, each.value))
        else:
            rest = (each.quality, each.reason, each.time)
            items.append((each.point, each.measure, each.value, *rest))
    return _encode(items)


def unpack(data: bytes) -> list[Sample]:
    """Return what `pack` got; raises ValueError for other bytes."""
    try:
        items: list[Any] = _decode(data)
        device, tags, time, *values = items
        if not (isinstance(device, str) and isinstance(tags, dict)):
            raise ValueError("its device is missing")
        found: list[Sample] = []
        for point, measure, value, *rest in values:
            quality, reason, at = rest or (GOOD, "", time)
            found.append(Sample(device, point, _value(value), quality, reason, at, measure, tags))
        return found
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        raise ValueError(f"this is no reading: {error}") from None


def _value(value: Any) -> Value:
    if isinstance(value, list):
        items: list[Any] = value  # pyright: ignore[reportUnknownVariableType]
        return tuple(map(_value, items))
    found: Value = value
    return found

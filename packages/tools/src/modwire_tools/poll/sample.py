"""`Sample`: a value of a point, as sinks get it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..values.types import Value

GOOD, STALE, BAD = "good", "stale", "bad"


class Sample(NamedTuple):
    """A value with its quality.

    - `good`: the device has just said so; the value may be None if it says that it has none.
    - `stale`: the value is the last one that the device said, and should have been read again.
    - `bad`: there is no value; `reason` says why. A stale value has a reason too.

    `time` is that of the answer, in seconds since 1970; of a bad value that of the failure.
    `measure` is the unit of measurement; `tags` are those of the device.
    """

    device: str
    point: str
    value: Value
    quality: str
    reason: str
    time: float
    measure: str
    tags: Mapping[str, str]

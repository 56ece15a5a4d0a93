"""`JsonSink`: a line of JSON for each value, in a file that rotates or on standard output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from ..sample import Sample
from ..threads import in_thread
from ..timestamps import iso_time
from .base import Sink
from .files import FILE_KEYS, RotatingFile

if TYPE_CHECKING:
    from ..plant.settings import Settings

_encode = msgspec.json.Encoder().encode_lines  # NaN and infinities become null


class JsonSink(Sink):
    """`json = "values.jsonl"` or `"-"`; `size` and `keep` are for rotation."""

    kind = "json"
    keys = FILE_KEYS

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._file = RotatingFile(settings, self.kind)

    @property
    def place(self) -> str:
        return f"json {self._file.path}"

    async def write(self, samples: Sequence[Sample]) -> None:
        lines = _encode([_described(each) for each in samples])
        # A pipe may be full, and a disk slow.
        await in_thread(self._file.append, lines)

    async def aclose(self) -> None:
        self._file.close()


def _described(sample: Sample) -> dict[str, object]:
    found: dict[str, object] = {
        "time": iso_time(sample.time),
        "device": sample.device,
        "point": sample.point,
        "value": sample.value,
        "quality": sample.quality,
    }
    if sample.reason:
        found["reason"] = sample.reason
    if sample.measure:
        found["unit"] = sample.measure
    if sample.tags:
        found["tags"] = sample.tags
    return found

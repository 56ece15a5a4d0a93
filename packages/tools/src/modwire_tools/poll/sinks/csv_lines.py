"""`CsvSink`: a line of CSV for each value, in a file that rotates or on standard output."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...values.cells import plain_cell
from ..sample import Sample
from ..threads import in_thread
from ..timestamps import iso_time
from .base import Sink, Surroundings
from .files import FILE_KEYS, RotatingFile

if TYPE_CHECKING:
    from ..plant.settings import Settings

_HEAD = b"time,device,point,value,unit,quality,reason\n"


class CsvSink(Sink):
    """`csv = "values.csv"` or `"-"`; `size` and `keep` are for rotation."""

    kind = "csv"
    keys = FILE_KEYS

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._file = RotatingFile(settings, self.kind)
        self._has_head = False

    @property
    def place(self) -> str:
        return f"csv {self._file.path}"

    async def open(self, surroundings: Surroundings) -> None:
        await super().open(surroundings)
        self._file.open(_HEAD)

    async def write(self, samples: Sequence[Sample]) -> None:
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        for each in samples:
            rows.writerow(
                plain_cell(cell) if isinstance(cell, str) else cell
                for cell in (
                    iso_time(each.time),
                    each.device,
                    each.point,
                    _shown(each.value),
                    each.measure,
                    each.quality,
                    each.reason,
                )
            )
        data = text.getvalue().encode()
        if self._file.is_output and not self._has_head:
            self._has_head = True
            data = _HEAD + data
        await in_thread(self._file.append, data, _HEAD)

    async def aclose(self) -> None:
        self._file.close()


def _shown(value: object) -> object:
    """Return a value as a cell: true and false as in JSON, bits as a JSON list, none empty."""
    return json.dumps(value) if isinstance(value, (bool, tuple, list)) else value

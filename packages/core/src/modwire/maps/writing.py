"""`plan_writes`: the requests that write the points of an image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..messages.register_operations import MaskWriteRegisterRequest
from ..planner import Span, WriteFunctions
from ..planner.writes import MOST_WRITTEN
from .image import WHOLE, AnyPoint, Image

if TYPE_CHECKING:
    from ..planner.writes import PlainWrite


class Write(NamedTuple):
    """A request, and the points that are completely written when it is answered.

    A device without function 22 gets another request in place of a `MaskWriteRegisterRequest`.
    """

    request: PlainWrite | MaskWriteRegisterRequest
    points: Sequence[AnyPoint]


def check_writable(points: Iterable[AnyPoint], functions: WriteFunctions) -> None:
    """Raise ValueError for a point that no client can write, or not with these `functions`."""
    for point in points:
        if not point.is_writable:
            raise ValueError(
                f"{point.where} cannot be written, only coils and holding registers can"
            )
        if point.mask == WHOLE or not functions.can_mask:
            try:
                functions.check(point.span.table)
            except ValueError as error:
                raise ValueError(f"{point.where} cannot be written: {error}") from None


def plan_writes(image: Image, points: Sequence[AnyPoint], functions: WriteFunctions) -> list[Write]:
    """Return the requests that write `points` as they are in `image`, by table and address.

    Neighbouring points share a request up to its limit; a point is only split if it is longer than
    that, or if the device has no function for several values. Bits of a register are written by
    function 22, which does not change the others. Raises ValueError as `check_writable` does, and
    for None.
    """
    check_writable(points, functions)
    for point in points:
        if point.has_none(image.raw(point)):
            raise ValueError(
                f"{point.where} cannot be written as None, with which only the device itself says "
                "that it has no value"
            )
    whole = [point for point in points if point.mask == WHOLE]
    runs: list[list[AnyPoint]] = []
    table, start, stop = "", 0, 0
    for point in sorted(whole, key=lambda point: point.span):
        span = point.span
        longest = start + MOST_WRITTEN[span.table]
        if span.table != table or span.address > stop or max(stop, span.stop) > longest:
            runs.append([])
            table, start, stop = span.table, span.address, 0
        runs[-1].append(point)
        stop = max(stop, span.stop)
    writes = [write for run in runs for write in _writes(image, run, functions)]

    registers = [point.span for point in whole if point.span.table == "holding_registers"]
    covered = {address for span in registers for address in range(span.address, span.stop)}
    parts: dict[int, list[AnyPoint]] = {}
    for point in points:
        if point.mask != WHOLE:
            parts.setdefault(point.span.address, []).append(point)
    for address, fields in sorted(parts.items()):
        if address in covered:
            continue
        mask = 0
        for field in fields:
            mask |= field.mask
        word = image.raw(fields[0])[0]
        writes.append(Write(MaskWriteRegisterRequest(address, ~mask & WHOLE, word & mask), fields))
    return writes


def _writes(image: Image, points: Sequence[AnyPoint], functions: WriteFunctions) -> Iterator[Write]:
    """Return the requests for neighbouring points, which are sorted."""
    table, start = points[0].span.table, points[0].span.address
    stop = max(point.span.stop for point in points)
    items = image.raw(AnyPoint(Span(table, start, stop - start)))
    requests = functions.requests(table, start, items)
    ends = [*(request.address for request in requests[1:]), stop]
    for request, end in zip(requests, ends, strict=True):
        yield Write(request, [point for point in points if start < point.span.stop <= end])
        start = end

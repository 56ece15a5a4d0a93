"""Reading and writing points through a client: the decisions once, the two loops natively."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..errors import IllegalDataAddressError
from ..planner.plan import PlanLimits, Planner, Span
from .image import AnyPoint, Image, Write, plan_writes

if TYPE_CHECKING:
    from ..calls import AsyncCalls, BlockingCalls


class Reading:
    """What is still to be read into `image`: ask for `span`, and hand over what came of it."""

    def __init__(
        self,
        image: Image,
        points: Iterable[AnyPoint],
        requests: Iterable[Span],
        limits: PlanLimits,
        planner: Planner | None = None,
    ) -> None:
        self._image = image
        self._points = points
        self._pending = list(requests)[::-1]
        self._limits = limits
        self._planner = planner
        self._keeps = planner is not None

    @property
    def span(self) -> Span | None:
        """What to ask for next, or None."""
        return self._pending[-1] if self._pending else None

    def receive(self, items: Iterable[int]) -> None:
        """The values of `span`."""
        self._image.receive(self._pending.pop(), items)

    def refused(self, error: IllegalDataAddressError) -> None:
        """`span` was refused: ask for it in parts, or raise where a point is not there at all.

        A planner that the caller keeps remembers such a point, so that the others can be read.
        """
        if self._planner is None:
            self._planner = Planner((point.span for point in self._points), self._limits)
        self._pending += self._planner.refused(self._pending.pop())[::-1]
        if self._keeps:
            return
        missing = self._planner.unreadable
        if missing:
            error.detail = ", ".join(point.where for point in self._points if point.span in missing)
            raise error


def read_blocking(
    client: BlockingCalls, reading: Reading, unit: int | None, timeout: float | None
) -> None:
    """Read all there is to read."""
    while (span := reading.span) is not None:
        try:
            items = _ask_blocking(client, span, unit, timeout)
        except IllegalDataAddressError as error:
            reading.refused(error)
        else:
            reading.receive(items)


async def read_async(
    client: AsyncCalls, reading: Reading, unit: int | None, timeout: float | None
) -> None:
    """Read all there is to read."""
    while (span := reading.span) is not None:
        try:
            items = await _ask_async(client, span, unit, timeout)
        except IllegalDataAddressError as error:
            reading.refused(error)
        else:
            reading.receive(items)


def _ask_blocking(
    client: BlockingCalls, span: Span, unit: int | None, timeout: float | None
) -> Sequence[int]:
    address, count = span.address, span.count
    if span.table == "holding_registers":
        return client.read_holding_registers(address, count, unit=unit, timeout=timeout)
    if span.table == "input_registers":
        return client.read_input_registers(address, count, unit=unit, timeout=timeout)
    if span.table == "coils":
        return client.read_coils(address, count, unit=unit, timeout=timeout)
    return client.read_discrete_inputs(address, count, unit=unit, timeout=timeout)


async def _ask_async(
    client: AsyncCalls, span: Span, unit: int | None, timeout: float | None
) -> Sequence[int]:
    address, count = span.address, span.count
    if span.table == "holding_registers":
        return await client.read_holding_registers(address, count, unit=unit, timeout=timeout)
    if span.table == "input_registers":
        return await client.read_input_registers(address, count, unit=unit, timeout=timeout)
    if span.table == "coils":
        return await client.read_coils(address, count, unit=unit, timeout=timeout)
    return await client.read_discrete_inputs(address, count, unit=unit, timeout=timeout)


class Writing:
    """The requests for the points that were set; what is not answered counts as set again.

    They are made at once, so that what is set from now on is left to the next writing. Raises
    ValueError for points that no client can write.
    """

    def __init__(self, image: Image) -> None:
        self._image = image
        self._open = dict.fromkeys(image.take_changes())
        try:
            self.writes = plan_writes(image, list(self._open))
        except BaseException:
            self.end()
            raise

    def done(self, write: Write) -> None:
        """`write` was answered."""
        for point in write.points:
            self._open.pop(point, None)
        if write is self.writes[-1]:
            self._open.clear()  # parts of a register that was written as a whole among them

    def end(self) -> None:
        """Nothing more will be sent."""
        self._image.return_changes(self._open)


def write_blocking(
    client: BlockingCalls, image: Image, unit: int | None, timeout: float | None
) -> None:
    """Send all there is to write."""
    writing = Writing(image)
    try:
        for write in writing.writes:
            client.call(write.request, unit=unit, timeout=timeout)
            writing.done(write)
    finally:
        writing.end()


async def write_async(
    client: AsyncCalls, image: Image, unit: int | None, timeout: float | None
) -> None:
    """Send all there is to write."""
    writing = Writing(image)
    try:
        for write in writing.writes:
            await client.call(write.request, unit=unit, timeout=timeout)
            writing.done(write)
    finally:
        writing.end()


def no_client(client: object) -> TypeError:
    """The error for what is no client."""
    return TypeError(
        f"client must be one with BlockingCalls or AsyncCalls, got {type(client).__name__}"
    )

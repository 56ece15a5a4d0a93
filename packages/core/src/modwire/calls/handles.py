"""The calls to one unit of several that a client reaches: `client.unit(17)` makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..options import check_timeout, check_unit
from .asynchronous import AsyncCalls
from .blocking import BlockingCalls

if TYPE_CHECKING:
    from ..messages.base import Request, ResponseT


class BlockingUnitCalls(BlockingCalls):
    """The calls of `client` to the unit with the id `unit`, 0..255; they share its link.

    `timeout` is the seconds to wait for an answer, None for the client's own. A call may still
    name another unit or timeout. Raises ValueError for numbers out of range.
    """

    __slots__ = ("_unit", "client", "timeout")

    def __init__(self, client: BlockingCalls, unit: int, *, timeout: float | None = None) -> None:
        self.client = client
        self._unit = check_unit(unit)
        self.timeout = None if timeout is None else check_timeout(timeout)

    def call(
        self, request: Request[ResponseT], *, unit: int | None = None, timeout: float | None = None
    ) -> ResponseT:
        unit = self._unit if unit is None else unit
        timeout = self.timeout if timeout is None else timeout
        return self.client.call(request, unit=unit, timeout=timeout)

    def __repr__(self) -> str:
        return f"<unit {self._unit} of {self.client!r}>"


class AsyncUnitCalls(AsyncCalls):
    """The calls of `client` to the unit with the id `unit`, 0..255; they share its link.

    `timeout` is the seconds to wait for an answer, None for the client's own. A call may still
    name another unit or timeout. Raises ValueError for numbers out of range.
    """

    __slots__ = ("_unit", "client", "timeout")

    def __init__(self, client: AsyncCalls, unit: int, *, timeout: float | None = None) -> None:
        self.client = client
        self._unit = check_unit(unit)
        self.timeout = None if timeout is None else check_timeout(timeout)

    async def call(
        self,
        request: Request[ResponseT],
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> ResponseT:
        unit = self._unit if unit is None else unit
        timeout = self.timeout if timeout is None else timeout
        return await self.client.call(request, unit=unit, timeout=timeout)

    def __repr__(self) -> str:
        return f"<unit {self._unit} of {self.client!r}>"

"""Read and write points through a client: the steps once, and a loop for each kind of client.

The steps are a generator. It yields a request and is sent its response; the exception response
that refuses it is thrown into the generator instead.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Iterable
from typing import TYPE_CHECKING, TypeVar, overload

from ..calls import AsyncCalls, BlockingCalls
from ..errors import ExceptionResponseError, IllegalDataAddressError
from ..messages.base import Response
from ..messages.bit_access import ReadBitsResponse, ReadCoilsRequest, ReadDiscreteInputsRequest
from ..messages.register_access import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    ReadRegistersResponse,
)
from ..planner import PlanLimits, Planner, Span
from .image import AnyPoint, Image, plan_writes

if TYPE_CHECKING:
    from typing import TypeAlias

    from ..messages.base import AnyRequest

T = TypeVar("T")
Steps: TypeAlias = "Generator[AnyRequest, Response, T]"

_READS: dict[str, Callable[[int, int], AnyRequest]] = {
    "coils": ReadCoilsRequest,
    "discrete_inputs": ReadDiscreteInputsRequest,
    "holding_registers": ReadHoldingRegistersRequest,
    "input_registers": ReadInputRegistersRequest,
}


@overload
def run(client: BlockingCalls, steps: Steps[T], unit: int | None, timeout: float | None) -> T: ...
@overload
def run(
    client: AsyncCalls, steps: Steps[T], unit: int | None, timeout: float | None
) -> Coroutine[object, object, T]: ...
def run(
    client: BlockingCalls | AsyncCalls, steps: Steps[T], unit: int | None, timeout: float | None
) -> object:
    """Take `steps` with the calls of `client`; TypeError for another kind of client."""
    if isinstance(client, BlockingCalls):
        return _run_blocking(client, steps, unit, timeout)
    if isinstance(client, AsyncCalls):
        return _run_async(client, steps, unit, timeout)
    raise TypeError(
        f"client must be one with BlockingCalls or AsyncCalls, got {type(client).__name__}"
    )


def _run_blocking(
    client: BlockingCalls, steps: Steps[T], unit: int | None, timeout: float | None
) -> T:
    try:
        request = next(steps)
        while True:
            try:
                response = client.call(request, unit=unit, timeout=timeout)
            except ExceptionResponseError as error:
                request = steps.throw(error)
            else:
                request = steps.send(response)
    except StopIteration as end:
        value: T = end.value
        return value
    finally:
        steps.close()


async def _run_async(
    client: AsyncCalls, steps: Steps[T], unit: int | None, timeout: float | None
) -> T:
    try:
        request = next(steps)
        while True:
            try:
                response = await client.call(request, unit=unit, timeout=timeout)
            except ExceptionResponseError as error:
                request = steps.throw(error)
            else:
                request = steps.send(response)
    except StopIteration as end:
        value: T = end.value
        return value
    finally:
        steps.close()


def read_steps(
    image: Image,
    points: Iterable[AnyPoint],
    requests: Iterable[Span],
    limits: PlanLimits,
    planner: Planner | None = None,
) -> Steps[None]:
    """Read `requests` into `image`; one that is refused with 02 is read in parts.

    A `planner` of the caller remembers a point that is refused alone, so that the others can be
    read. Without one, IllegalDataAddressError is raised then, with the names of such `points`.
    """
    is_kept = planner is not None
    pending = list(requests)[::-1]
    while pending:
        span = pending.pop()
        try:
            response = yield _READS[span.table](span.address, span.count)
        except IllegalDataAddressError as error:
            if planner is None:
                planner = Planner((point.span for point in points), limits)
            pending += planner.refused(span)[::-1]
            missing = [] if is_kept else planner.unreadable
            if missing:
                error.detail = ", ".join(point.where for point in points if point.span in missing)
                raise
        else:
            if isinstance(response, ReadBitsResponse):
                image.receive(span, response.bits)
            elif isinstance(response, ReadRegistersResponse):
                image.receive(span, response.registers)


def write_steps(image: Image) -> Steps[None]:
    """Write the points that were set; those whose request is not answered count as set again.

    The requests are made before the first is sent, so points that are set meanwhile are left to
    the next time. Raises ValueError for points that no client can write.
    """
    unwritten = dict.fromkeys(image.take_changes())
    try:
        for write in plan_writes(image, list(unwritten)):
            yield write.request
            for point in write.points:
                unwritten.pop(point, None)
        unwritten.clear()  # those too that are parts of a register which was written whole
    finally:
        image.return_changes(unwritten)

"""Read and write points through a client, with the same steps for both kinds of client.

The steps are async functions with an argument `call`, which sends a request. The call of a
blocking client never suspends, so its steps are complete after the first `send`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ..calls import AsyncCalls, BlockingCalls
from ..errors import IllegalDataAddressError
from ..messages.base import Response
from ..messages.bit_access import ReadBitsResponse, ReadCoilsRequest, ReadDiscreteInputsRequest
from ..messages.forms import ReadRegistersResponse
from ..messages.register_access import ReadHoldingRegistersRequest, ReadInputRegistersRequest
from ..planner import TEMPORARY_REFUSALS, PlanLimits, Planner, Span
from .image import AnyPoint, Image, plan_writes

if TYPE_CHECKING:
    from typing import TypeAlias

    from ..messages.base import AnyRequest

    Call: TypeAlias = Callable[[AnyRequest], Awaitable[Response]]

T = TypeVar("T")

_READS: dict[str, Callable[[int, int], AnyRequest]] = {
    "coils": ReadCoilsRequest,
    "discrete_inputs": ReadDiscreteInputsRequest,
    "holding_registers": ReadHoldingRegistersRequest,
    "input_registers": ReadInputRegistersRequest,
}


def run(
    client: BlockingCalls | AsyncCalls,
    steps: Callable[[Call], Coroutine[object, object, T]],
    unit: int | None,
    timeout: float | None,
) -> T | Coroutine[object, object, T]:
    """Run `steps` with the calls of `client`. Raises TypeError for another kind of client."""
    if isinstance(client, AsyncCalls):
        return steps(partial(client.call, unit=unit, timeout=timeout))
    if not isinstance(client, BlockingCalls):
        raise TypeError(
            f"client must be one with BlockingCalls or AsyncCalls, got {type(client).__name__}"
        )

    async def call(request: AnyRequest) -> Response:
        return client.call(request, unit=unit, timeout=timeout)

    try:
        steps(call).send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    raise RuntimeError("the steps of a blocking client must not suspend")


async def read_steps(
    call: Call,
    image: Image,
    points: Iterable[AnyPoint],
    requests: Iterable[Span],
    limits: PlanLimits,
    planner: Planner | None = None,
) -> None:
    """Read `requests` into `image`; one that is refused with 02, 03 or 04 is read in parts.

    The caller's `planner` remembers a point that is refused alone with 02, so that the others are
    read. Without a planner the refusal is raised, with the names of such `points`.
    """
    of_this_poll: Planner | None = None
    pending = list(requests)[::-1]
    while pending:
        span = pending.pop()
        try:
            response = await call(_READS[span.table](span.address, span.count))
        except (IllegalDataAddressError, *TEMPORARY_REFUSALS) as error:
            used = planner
            if used is None or isinstance(error, TEMPORARY_REFUSALS):
                if of_this_poll is None:
                    of_this_poll = Planner((point.span for point in points), limits)
                used = of_this_poll
            pending += used.refused(span)[::-1]
            missing = used.unreadable if planner is None else []
            if missing:
                error.detail = ", ".join(point.where for point in points if point.span in missing)
                raise
        else:
            if isinstance(response, ReadBitsResponse):
                image.receive(span, response.bits)
            elif isinstance(response, ReadRegistersResponse):
                image.receive(span, response.registers)


async def write_steps(image: Image, call: Call) -> None:
    """Write the points that were set; those whose request is not answered count as set again.

    The requests are made before the first is sent, so points that are set in the meantime are
    written by the next call. Raises ValueError for points that no client can write.
    """
    unwritten = dict.fromkeys(image.take_changes())
    try:
        for write in plan_writes(image, list(unwritten)):
            await call(write.request)
            for point in write.points:
                unwritten.pop(point, None)
        unwritten.clear()  # also the parts of registers that were written as a whole
    finally:
        image.return_changes(unwritten)

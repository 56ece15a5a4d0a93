"""Read and write points through a client, with the same steps for both kinds of client.

The steps are async functions with an argument `call`, which sends a request. The call of a
blocking client never suspends, so its steps are complete after the first `send`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, TypeVar

from ..calls import AsyncCalls, BlockingCalls
from ..errors import (
    ExceptionCode,
    ExceptionResponseError,
    IllegalDataAddressError,
    IllegalFunctionError,
)
from ..messages.base import Response
from ..messages.bit_access import ReadBitsResponse, ReadCoilsRequest, ReadDiscreteInputsRequest
from ..messages.forms import ReadRegistersResponse
from ..messages.register_access import ReadHoldingRegistersRequest, ReadInputRegistersRequest
from ..messages.register_operations import MaskWriteRegisterRequest
from ..planner import TEMPORARY_REFUSALS, PlanLimits, Planner, Span, WriteFunctions, plan
from .image import AnyPoint, Image
from .writing import check_writable, plan_writes

if TYPE_CHECKING:
    from typing import TypeAlias

    from ..errors import RefusedRequest
    from ..messages.base import AnyRequest
    from ..planner.writes import PlainWrite

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
    points: Sequence[AnyPoint],
    requests: Iterable[Span],
    limits: PlanLimits,
    planner: Planner | None = None,
) -> None:
    """Read `requests` into `image`, which then has a refusal for each point that was not read.

    A request that is refused with 02, 03 or 04 is read in parts; with 01, the device does not have
    the table. The caller's `planner` remembers a point that is refused alone with 02. Without a
    planner the refusal is raised if the device refused every point.
    """
    refusals: list[tuple[Span, ExceptionResponseError]] = []
    of_this_poll: Planner | None = None
    pending = list(requests)[::-1]
    while pending:
        span = pending.pop()
        try:
            response = await call(_READS[span.table](span.address, span.count))
        except IllegalFunctionError as error:
            refusals += [(each, error) for each in (span, *pending) if each.table == span.table]
            pending = [each for each in pending if each.table != span.table]
        except (IllegalDataAddressError, *TEMPORARY_REFUSALS) as error:
            used = planner
            if used is None or isinstance(error, TEMPORARY_REFUSALS):
                if of_this_poll is None:
                    of_this_poll = Planner((point.span for point in points), limits)
                used = of_this_poll
            pending += used.refused(span)[::-1]
            refusals.append((span, error))
        else:
            if isinstance(response, ReadBitsResponse):
                image.receive(span, response.bits)
            elif isinstance(response, ReadRegistersResponse):
                image.receive(span, response.registers)
    if not refusals and (planner is None or not planner.unreadable):
        return
    for point in points:
        if not image.has_raw(point) and (planner is None or point.span in planner):
            image.set_refusal(point, _refusal(point, refusals))
    if planner is None and all(point in image.refusals for point in points):
        raise next(iter(image.refusals.values()))


def _refusal(
    point: AnyPoint, refusals: Iterable[tuple[Span, ExceptionResponseError]]
) -> ExceptionResponseError:
    """Return the error of `point`: that of the shortest refused request with an address of it.

    A planner does not ask again for what was refused before: then it is exception 02.
    """
    span = point.span
    near = [
        (refused.count, error)
        for refused, error in refusals
        if refused.table == span.table
        and refused.address < span.stop
        and span.address < refused.stop
    ]
    request: RefusedRequest = _READS[span.table](span.address, 1)
    code = int(ExceptionCode.ILLEGAL_DATA_ADDRESS)
    if near:
        _, error = min(near, key=itemgetter(0))
        request, code = error.request or request, error.code
    found = ExceptionResponseError.for_code(request, code)
    found.detail = point.where
    return found


async def write_steps(
    image: Image, functions: WriteFunctions, limits: PlanLimits, call: Call
) -> None:
    """Write the points that were set; those whose request is not answered count as set again.

    Scale factors that are waited for are read first. Then the requests are made before the first is
    sent, so points that are set in the meantime are written by the next call. Raises ValueError
    for points that no client can write.
    """
    check_writable(image.changes, functions)
    if missing := image.missing_scales():
        requests = plan([each.span for each in missing], limits=limits)
        await read_steps(call, image, missing, requests, limits)
        for scale in missing:
            image.raw(scale)  # raises the refusal if there is one
    image.settle_waiting()
    unwritten = dict.fromkeys(image.take_changes())
    try:
        for write in plan_writes(image, list(unwritten), functions):
            await send_write(functions, write.request, call)
            for point in write.points:
                unwritten.pop(point, None)
        unwritten.clear()  # also the parts of registers that were written as a whole
    finally:
        image.return_changes(unwritten)


async def send_write(
    functions: WriteFunctions, request: PlainWrite | MaskWriteRegisterRequest, call: Call
) -> None:
    """Send a request that writes; without function 22, read the register and write it back."""
    if isinstance(request, MaskWriteRegisterRequest) and not functions.can_mask:
        response = await call(ReadHoldingRegistersRequest(request.address, 1))
        if isinstance(response, ReadRegistersResponse):
            request = functions.changed(request, response.registers[0])
    await call(request)

"""`Call`: a request that waits for its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import ExceptionCode, InvalidRequestError

if TYPE_CHECKING:
    from ..messages.base import AnyRequest


class Call(NamedTuple):
    """A request that waits for its answer.

    One that breaks the specification comes as a `RawRequest`, with the error in `refusal`; its
    answer is the exception that the error names.
    """

    unit: int
    transaction: int
    request: AnyRequest
    broadcast: bool = False
    refusal: InvalidRequestError | None = None


def busy_call(call: Call) -> Call:
    """`call`, to be answered with exception 06: the server has enough to do."""
    error = InvalidRequestError(
        "too many calls to units that block are open",
        call.request.function_code,
        ExceptionCode.SERVER_DEVICE_BUSY,
    )
    return call._replace(refusal=error)

"""`Call`: a request that waits for its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import ExceptionCode, InvalidRequestError

if TYPE_CHECKING:
    from ..messages.base import AnyRequest


class Call(NamedTuple):
    """A request that waits for its answer.

    A request that cannot be decoded is a `RawRequest`. If it breaks the specification, `refusal`
    has the exception code of the answer. If only its function is unknown, `refusal` is None,
    because a device behind a gateway may support it; executing it elsewhere answers 01.
    """

    unit: int
    transaction: int
    request: AnyRequest
    broadcast: bool = False
    refusal: InvalidRequestError | None = None


# Call(...) without the Python function that NamedTuple adds, because each request makes a call.
new_call: Callable[[type[Call], tuple[Any, ...]], Call] = tuple.__new__  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def busy_call(call: Call) -> Call:
    """Return `call` with a refusal, so that it is answered with 06, server device busy."""
    error = InvalidRequestError(
        "too many calls to units that block are open",
        call.request.function_code,
        ExceptionCode.SERVER_DEVICE_BUSY,
    )
    return call._replace(refusal=error)

"""`Call`: a request that waits for its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import ExceptionCode, InvalidRequestError

if TYPE_CHECKING:
    from ..messages.base import AnyRequest


class Call(NamedTuple):
    """A request that waits for its answer.

    One that cannot be decoded is a `RawRequest`. If it breaks the specification, `refusal` has the
    exception code that answers it; if only its function is not known, `refusal` is None, for a
    device behind a gateway may know it, and executing it answers 01.
    """

    unit: int
    transaction: int
    request: AnyRequest
    broadcast: bool = False
    refusal: InvalidRequestError | None = None


# Call(...) without the Python function that NamedTuple adds: one is made per request.
new_call: Callable[[type[Call], tuple[Any, ...]], Call] = tuple.__new__  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def busy_call(call: Call) -> Call:
    """`call`, to be answered with exception 06, server device busy."""
    error = InvalidRequestError(
        "too many calls to units that block are open",
        call.request.function_code,
        ExceptionCode.SERVER_DEVICE_BUSY,
    )
    return call._replace(refusal=error)

"""Clients of a device with given responses, which records its requests."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import pytest

from modwire.calls import AsyncCalls, BlockingCalls
from modwire.messages.base import Request, Response

if TYPE_CHECKING:
    from modwire.messages.base import AnyRequest

ResponseT = TypeVar("ResponseT", bound=Response)


class Asked(NamedTuple):
    """The arguments of a call."""

    request: AnyRequest
    unit: int | None
    timeout: float | None


class Answering(Protocol):
    """A device that a client can be made for."""

    def answer(
        self, request: Request[ResponseT], unit: int | None, timeout: float | None
    ) -> ResponseT: ...


class Line:
    """A device that returns given responses, and records its requests."""

    def __init__(self, responses: Sequence[Response | None]) -> None:
        self.asked: list[Asked] = []
        self.responses: Iterator[Response | None] = iter(responses)

    def answer(
        self, request: Request[ResponseT], unit: int | None, timeout: float | None
    ) -> ResponseT:
        self.asked.append(Asked(request, unit, timeout))
        response = next(self.responses)
        # Encode and decode, to prove that the response fits the request.
        return None if response is None else request.decode_response(response.encode())  # type: ignore[return-value]


class Blocking(BlockingCalls):
    """A blocking client of a device."""

    def __init__(self, line: Answering) -> None:
        self.line = line

    def call(
        self,
        request: Request[ResponseT],
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> ResponseT:
        return self.line.answer(request, unit, timeout)


class Async(AsyncCalls):
    """An async client of a device, which never has to wait."""

    def __init__(self, line: Answering) -> None:
        self.line = line

    async def call(
        self,
        request: Request[ResponseT],
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> ResponseT:
        return self.line.answer(request, unit, timeout)


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("the coroutine waits for something")


def ask_blocking(line: Line, name: str, *arguments: object, **options: object) -> object:
    return getattr(Blocking(line), name)(*arguments, **options)


def ask_async(line: Line, name: str, *arguments: object, **options: object) -> object:
    return run(getattr(Async(line), name)(*arguments, **options))


Ask = Callable[..., object]
both = pytest.mark.parametrize("ask", [ask_blocking, ask_async])

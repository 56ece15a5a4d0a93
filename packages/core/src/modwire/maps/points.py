"""`Point`: a typed value at an address, as an attribute of a map or alone."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar, overload

from ..errors import InvalidResponseError
from ..planner import Span, plan
from .image import WHOLE, AnyPoint, Image
from .transfer import read_steps, run, write_steps

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..calls import AsyncCalls, BlockingCalls
    from .transfer import Call

T = TypeVar("T")


class Point(AnyPoint, Generic[T]):
    """A value of type `T` at an address of a device; made by `float32` and similar functions.

    On an instance of a `RegisterMap` the attribute is the value, on the class it is the point:
    `meter.voltage` is a float, `Meter.voltage.read(client)` reads one.

    `decode` turns the registers or bits of `span` into a value, `encode` turns a value into that
    many registers or bits; both raise ValueError for values that they cannot convert.
    """

    def __init__(
        self,
        span: Span,
        decode: Callable[[Sequence[int]], T],
        encode: Callable[[T], Sequence[int]],
        *,
        unit: str = "",
        mask: int = WHOLE,
    ) -> None:
        super().__init__(span, unit=unit, mask=mask)
        self._decode = decode
        self._encode = encode

    def decode(self, items: Sequence[int]) -> T:
        """Return the value of the point's registers or bits, each 0..65535 or 0..1.

        Raises InvalidResponseError if they have no value, such as a BCD digit above 9.
        """
        try:
            return self._decode(items)
        except ValueError as error:
            raise InvalidResponseError(f"{self.where}: {error}") from error

    def encode(self, value: T) -> Sequence[int]:
        """Return the registers or bits of `value`; raises ValueError if it does not fit."""
        try:
            return self._encode(value)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self.where}: {error}") from error

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Image, owner: type) -> T: ...
    def __get__(self, instance: Image | None, owner: type) -> Self | T:
        return self if instance is None else self.decode(instance.raw(self))

    def __set__(self, instance: Image, value: T) -> None:
        instance.set_raw(self, self.encode(value))

    @overload
    def read(
        self, client: BlockingCalls, *, unit: int | None = None, timeout: float | None = None
    ) -> T: ...
    @overload
    def read(
        self, client: AsyncCalls, *, unit: int | None = None, timeout: float | None = None
    ) -> Coroutine[object, object, T]: ...
    def read(
        self,
        client: BlockingCalls | AsyncCalls,
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> object:
        """Read this point alone. Return its value; await the call if the client is async.

        `unit` and `timeout` are those of the client's calls.

        Raises: the errors of the client's calls; InvalidResponseError as `decode` does; TypeError
        for another kind of client.
        """
        return run(client, self._read_steps, unit, timeout)

    async def _read_steps(self, call: Call) -> T:
        image = Image()
        requests = plan([self.span], limits=self.limits)
        await read_steps(call, image, [self], requests, self.limits)
        return self.decode(image.raw(self))

    @overload
    def write(
        self,
        client: BlockingCalls,
        value: T,
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> None: ...
    @overload
    def write(
        self, client: AsyncCalls, value: T, *, unit: int | None = None, timeout: float | None = None
    ) -> Coroutine[object, object, None]: ...
    def write(
        self,
        client: BlockingCalls | AsyncCalls,
        value: T,
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> object:
        """Write this point alone, in one request if it fits; await it if the client is async.

        `unit` and `timeout` are those of the client's calls.

        Raises: ValueError, before anything is sent, for a value that does not fit and for a point
        that no client can write; the errors of the client's calls; TypeError for another kind of
        client.
        """
        image = Image()
        image.set_raw(self, self.encode(value))
        return run(client, partial(write_steps, image), unit, timeout)

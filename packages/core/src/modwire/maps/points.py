"""`Point`: a typed value at an address, as an attribute of a map or by itself."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar, overload

from ..calls import AsyncCalls, BlockingCalls
from ..errors import InvalidResponseError
from ..planner.plan import Span, plan
from .image import WHOLE, AnyPoint, Image
from .transfer import Reading, no_client, read_async, read_blocking, write_async, write_blocking

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["AnyPoint", "Point"]

T = TypeVar("T")


class Point(AnyPoint, Generic[T]):
    """A value of type `T` at a place of a device; `float32` and its kin in this package make them.

    In a class that is a `RegisterMap`, the attribute of an instance is the value, that of the class
    is the point: `meter.voltage` is a float, `Meter.voltage.read(client)` reads one.

    `decode` makes the value of the point's registers or bits and `encode` makes those, as many as
    `span` has; both raise ValueError for what they cannot take.
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
        """The value in the registers or bits of the point.

        Raises InvalidResponseError for what is none, such as a half-byte above 9 in BCD.
        """
        try:
            return self._decode(items)
        except ValueError as error:
            raise InvalidResponseError(f"{self.where}: {error}") from error

    def encode(self, value: T) -> Sequence[int]:
        """The registers or bits of `value`; raises ValueError for what does not fit."""
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
    ) -> T | Coroutine[object, object, T]:
        """Read this point alone; `unit` and `timeout` are those of the client's calls.

        Raises what they raise, and InvalidResponseError like `decode`.
        """
        if isinstance(client, BlockingCalls):
            image, reading = self._reading()
            read_blocking(client, reading, unit, timeout)
            return self.decode(image.raw(self))
        if isinstance(client, AsyncCalls):
            return self._read_async(client, unit, timeout)
        raise no_client(client)

    async def _read_async(self, client: AsyncCalls, unit: int | None, timeout: float | None) -> T:
        image, reading = self._reading()
        await read_async(client, reading, unit, timeout)
        return self.decode(image.raw(self))

    def _reading(self) -> tuple[Image, Reading]:
        image = Image()
        requests = plan([self.span], limits=self.limits)
        return image, Reading(image, [self], requests, self.limits)

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
        self,
        client: AsyncCalls,
        value: T,
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> Coroutine[object, object, None]: ...
    def write(
        self,
        client: BlockingCalls | AsyncCalls,
        value: T,
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> Coroutine[object, object, None] | None:
        """Write this point alone, in one request unless it is longer.

        Raises ValueError for a value that does not fit and for a point that no client can write,
        before anything is sent; else what the client's calls raise.
        """
        image = Image()
        image.set_raw(self, self.encode(value))
        if isinstance(client, BlockingCalls):
            write_blocking(client, image, unit, timeout)
            return None
        if isinstance(client, AsyncCalls):
            return write_async(client, image, unit, timeout)
        raise no_client(client)

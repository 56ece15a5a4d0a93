"""`Point`: a typed value at an address, as an attribute of a map or alone."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar, overload

from ..errors import InvalidResponseError
from ..planner import Span, plan
from .image import WHOLE, AnyPoint, Image, with_scales
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

    def value_in(self, image: Image) -> T:
        """Return the value in `image`; raises as reading the attribute of a map does."""
        return self.decode(image.raw(self))

    def put(self, image: Image, value: T) -> None:
        """Set the value in `image`; raises ValueError if it does not fit."""
        image.set_raw(self, self.encode(value))

    def has_none(self, items: Sequence[int]) -> bool:
        """True if the registers or bits of the point stand for None, or an item in it does."""
        try:
            value = self._decode(items)
        except ValueError:
            return False
        return value is None or (isinstance(value, tuple) and None in value)

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Image, owner: type) -> T: ...
    def __get__(self, instance: Image | None, owner: type) -> Self | T:
        return self if instance is None else self.value_in(instance)

    def __set__(self, instance: Image, value: T) -> None:
        self.put(instance, value)

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

        Its scale factor, if it has one in a register, is read with it. `unit` and `timeout` are
        those of the client's calls.

        Raises: the errors of the client's calls; InvalidResponseError as `decode` does; TypeError
        for another kind of client.
        """
        return run(client, self._read_steps, unit, timeout)

    async def _read_steps(self, call: Call) -> T:
        image = Image()
        points = with_scales([self])
        requests = plan([point.span for point in points], limits=self.limits)
        await read_steps(call, image, points, requests, self.limits)
        return self.value_in(image)

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

        A scale factor in a register is read first; so is the register of a bit, if the map's
        `write_functions` have no 22. A broadcast can do neither. `unit` and `timeout` are those of
        the client's calls.

        Raises: ValueError, before anything is written, for a value that does not fit, for None, and
        for a point that no client can write; the errors of the client's calls; TypeError for
        another kind of client.
        """
        image = Image()
        self.put(image, value)
        steps = partial(write_steps, image, self.write_functions, self.limits)
        return run(client, steps, unit, timeout)

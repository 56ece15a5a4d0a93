"""The functions that make points, one for each kind of value; `point` takes custom types."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from operator import index
from typing import TYPE_CHECKING, Any, TypeVar, overload

from .. import values
from ..arguments import explained
from ..planner import Span
from ..values.types import FloatName, IntegerName, ValueType, find_type
from .points import Point
from .registers import Place, RegisterPoint, ScaledPoint, span_of, with_none

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..values.missing import Nones

__all__ = [
    "Place",
    "array",
    "bcd",
    "bit",
    "bit_field",
    "bits",
    "coil",
    "coils",
    "discrete_input",
    "discrete_inputs",
    "enum",
    "float16",
    "float32",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "point",
    "string",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
]

T = TypeVar("T")
EnumT = TypeVar("EnumT", bound=Enum)


class IntegerPoints:
    """Makes points of one integer type: the value of `uint16(holding=3)` is an int.

    With `scale` the value is `integer * scale + offset`: that of `uint16(holding=3, scale=0.1)` is
    a float, which is rounded to the scale when set. If `scale` is an integer point, such as
    `factor = int16(holding=4)`, the value is `integer * 10**factor + offset`; the factor is read
    together with the value, and may itself be None. `scale="factor"` names a point of the same map,
    which may stand below. 8-bit integers are the low byte of a register.

    `none` is the raw value, or several, with which the device says that it has no value:
    `int16(input=0, none=0x8000)` reads it as None; see `values.optional`.
    """

    def __init__(self, kind: ValueType[int]) -> None:
        self._kind = kind

    def __repr__(self) -> str:
        return self._kind.name

    @overload
    def __call__(self, **place: Unpack[Place]) -> Point[int]: ...
    @overload
    def __call__(self, *, none: Nones, **place: Unpack[Place]) -> Point[int | None]: ...
    @overload
    def __call__(
        self, *, scale: float | Point[int], offset: float = 0.0, **place: Unpack[Place]
    ) -> Point[float]: ...
    @overload
    def __call__(
        self, *, scale: Point[int | None] | str, offset: float = 0.0, **place: Unpack[Place]
    ) -> Point[float | None]: ...
    @overload
    def __call__(
        self,
        *,
        scale: float | Point[int] | Point[int | None] | str,
        none: Nones,
        offset: float = 0.0,
        **place: Unpack[Place],
    ) -> Point[float | None]: ...
    @explained
    def __call__(
        self,
        *,
        scale: float | Point[int] | Point[int | None] | str | None = None,
        offset: float = 0.0,
        none: Nones | None = None,
        **place: Unpack[Place],
    ) -> Point[Any]:
        kind = self._kind
        if isinstance(scale, (Point, str)):
            return ScaledPoint(kind, scale, offset, none, place)
        if scale is None and not offset:
            return RegisterPoint(with_none(kind, none), place, is_integer=True)
        scaled = values.scaled(kind, 1.0 if scale is None else scale, offset)
        return RegisterPoint(with_none(scaled, none), place)


class FloatPoints:
    """Makes points of one float type with the value `raw * scale + offset`: `float32(input=8)`.

    `none` is as for integers; `math.nan` stands for every raw value that is no number.
    """

    def __init__(self, kind: ValueType[float]) -> None:
        self._kind = kind

    def __repr__(self) -> str:
        return self._kind.name

    @overload
    def __call__(
        self, *, scale: float = 1.0, offset: float = 0.0, **place: Unpack[Place]
    ) -> Point[float]: ...
    @overload
    def __call__(
        self, *, none: Nones, scale: float = 1.0, offset: float = 0.0, **place: Unpack[Place]
    ) -> Point[float | None]: ...
    @explained
    def __call__(
        self,
        *,
        scale: float = 1.0,
        offset: float = 0.0,
        none: Nones | None = None,
        **place: Unpack[Place],
    ) -> Point[Any]:
        kind = self._kind
        if scale != 1.0 or offset:
            kind = values.scaled(kind, scale, offset)
        return RegisterPoint(with_none(kind, none), place)


int8, uint8 = IntegerPoints(values.INT8), IntegerPoints(values.UINT8)
int16, uint16 = IntegerPoints(values.INT16), IntegerPoints(values.UINT16)
int32, uint32 = IntegerPoints(values.INT32), IntegerPoints(values.UINT32)
int64, uint64 = IntegerPoints(values.INT64), IntegerPoints(values.UINT64)
float16, float32 = FloatPoints(values.FLOAT16), FloatPoints(values.FLOAT32)
float64 = FloatPoints(values.FLOAT64)


@overload
def point(kind: ValueType[T], **place: Unpack[Place]) -> Point[T]: ...
@overload
def point(kind: ValueType[T], *, none: Nones, **place: Unpack[Place]) -> Point[T | None]: ...
@explained
def point(kind: ValueType[T], *, none: Nones | None = None, **place: Unpack[Place]) -> Point[Any]:
    """Make a point of any type: `point(ValueType("date", 4, pack, unpack), holding=8)`.

    Word order applies to all its registers as one number, unless the type has `number_size=0`.
    `none` is as for integers.
    """
    return RegisterPoint(with_none(find_type(kind), none), place)


@explained
def string(
    length: int,
    *,
    encoding: str = "utf-8",
    padding: str = "\0",
    nul_terminated: bool = False,
    strip: bool = False,
    errors: str = "strict",
    **place: Unpack[Place],
) -> Point[str]:
    """Make a point of text, at most `length` bytes, two per register; see `values.string_of`."""
    kind = values.string_of(
        length,
        encoding=encoding,
        padding=padding,
        nul_terminated=nul_terminated,
        strip=strip,
        errors=errors,
    )
    return RegisterPoint(kind, place)


@overload
def bcd(digits: int, **place: Unpack[Place]) -> Point[int]: ...
@overload
def bcd(digits: int, *, none: Nones, **place: Unpack[Place]) -> Point[int | None]: ...
@explained
def bcd(digits: int, *, none: Nones | None = None, **place: Unpack[Place]) -> Point[Any]:
    """Make a point of `digits` decimal digits, four per register; see `values.bcd_of`.

    `none` is as for integers.
    """
    return RegisterPoint(with_none(values.bcd_of(digits), none), place)


@overload
def bits(count: int, **place: Unpack[Place]) -> Point[Sequence[bool]]: ...
@overload
def bits(count: int, *, none: Nones, **place: Unpack[Place]) -> Point[Sequence[bool] | None]: ...
@explained
def bits(count: int, *, none: Nones | None = None, **place: Unpack[Place]) -> Point[Any]:
    """Make a point of `count` bits, 16 per register, starting at bit 0 of the first.

    `none` is as for integers.
    """
    return RegisterPoint(with_none(values.bits_of(count), none), place)


@overload
def array(kind: IntegerName, count: int, **place: Unpack[Place]) -> Point[Sequence[int]]: ...
@overload
def array(kind: FloatName, count: int, **place: Unpack[Place]) -> Point[Sequence[float]]: ...
@overload
def array(kind: ValueType[T], count: int, **place: Unpack[Place]) -> Point[Sequence[T]]: ...
@explained
def array(kind: Any, count: int, **place: Unpack[Place]) -> Point[Any]:
    """Make a point of `count` values of a type, read as a tuple: `array("float32", 10, holding=0)`,
    `array(scaled("int16", 0.1), 4, input=0)`, `array(optional("int16", 0x8000), 4, input=0)`.
    """
    found: ValueType[Any] = values.array_of(find_type(kind), count)
    return RegisterPoint(found, place)


@overload
def enum(
    members: type[EnumT],
    *,
    kind: ValueType[int] | IntegerName = "uint16",
    unknown: EnumT | None = None,
    **place: Unpack[Place],
) -> Point[EnumT]: ...
@overload
def enum(
    members: type[EnumT],
    *,
    none: Nones,
    kind: ValueType[int] | IntegerName = "uint16",
    unknown: EnumT | None = None,
    **place: Unpack[Place],
) -> Point[EnumT | None]: ...
@explained
def enum(
    members: type[EnumT],
    *,
    kind: ValueType[int] | IntegerName = "uint16",
    unknown: EnumT | None = None,
    none: Nones | None = None,
    **place: Unpack[Place],
) -> Point[Any]:
    """Make a point whose values are the members of an `Enum` or `Flag` with integer values.

    Reading another value gives `unknown`, or raises InvalidResponseError if that is None. `none` is
    as for integers.
    """
    found = values.enum_of(members, kind, unknown=unknown)
    return RegisterPoint(with_none(found, none), place)


@overload
def bit_field(
    first: int, count: int, *, holding: int | None = None, input: int | None = None, unit: str = ""
) -> Point[int]: ...
@overload
def bit_field(
    first: int,
    count: int,
    *,
    none: int,
    holding: int | None = None,
    input: int | None = None,
    unit: str = "",
) -> Point[int | None]: ...
@explained
def bit_field(
    first: int,
    count: int,
    *,
    holding: int | None = None,
    input: int | None = None,  # noqa: A002
    unit: str = "",
    none: int | None = None,
) -> Point[Any]:
    """Make a point of a number in `count` (1..16) bits of a register; bit `first` is its lowest.

    Function 22 writes it, and does not change the other bits. `none` is the number that is read as
    None. Raises ValueError for bits outside 0..15.
    """
    if not (isinstance(first, int) and isinstance(count, int)):
        raise ValueError(f"first and count must be integers, got {first!r} and {count!r}")
    if not 0 <= first < first + count <= 16:
        raise ValueError(f"first + count must be 1..16 bits, got {first} + {count}")
    most = (1 << count) - 1
    mask = most << first
    if none is not None and not (isinstance(none, int) and 0 <= none <= most):
        raise ValueError(f"none of a field of {count} bits must be 0..{most}, got {none!r}")

    def decode(items: Sequence[int]) -> int | None:
        number = (items[0] & mask) >> first
        return None if number == none else number

    def encode(value: int | None) -> Sequence[int]:
        if value is None and none is not None:
            return (none << first,)
        number = index(value) if value is not None and hasattr(value, "__index__") else -1
        if not 0 <= number <= most:
            raise ValueError(f"a field of {count} bits must be 0..{most}, got {value!r}")
        if number == none:
            raise ValueError(f"a field of {count} bits cannot be {none}, which stands for None")
        return (number << first,)

    return Point(span_of(1, holding, input), decode, encode, unit=unit, mask=mask)


@explained
def bit(number: int, *, holding: int | None = None, input: int | None = None) -> Point[bool]:  # noqa: A002
    """Make a point of bit `number` (0..15) of a register; written by function 22."""
    if not isinstance(number, int) or not 0 <= number <= 15:
        raise ValueError(f"number must be 0..15, got {number!r}")
    mask = 1 << number
    return Point(
        span_of(1, holding, input),
        lambda items: bool(items[0] & mask),
        lambda value: (_checked_bit(value) << number,),
        mask=mask,
    )


@explained
def coil(address: int) -> Point[bool]:
    """Make a point of one coil, True for ON."""
    return _single("coils", address)


@explained
def discrete_input(address: int) -> Point[bool]:
    """Make a point of one discrete input, True for ON."""
    return _single("discrete_inputs", address)


@explained
def coils(address: int, count: int) -> Point[Sequence[bool]]:
    """Make a point of `count` coils, read as a tuple."""
    return _several("coils", address, count)


@explained
def discrete_inputs(address: int, count: int) -> Point[Sequence[bool]]:
    """Make a point of `count` discrete inputs, read as a tuple."""
    return _several("discrete_inputs", address, count)


def _single(table: str, address: int) -> Point[bool]:
    return Point(
        Span(table, address, 1), lambda items: bool(items[0]), lambda value: (_checked_bit(value),)
    )


def _several(table: str, address: int, count: int) -> Point[Sequence[bool]]:
    def encode(values: Sequence[bool]) -> Sequence[int]:
        if len(values) != count:
            raise ValueError(f"there must be {count} values, got {len(values)}")
        return tuple(map(_checked_bit, values))

    return Point(Span(table, address, count), lambda items: tuple(map(bool, items)), encode)


def _checked_bit(value: bool) -> bool:
    if value not in (0, 1):
        raise ValueError(f"a bit must be True or False, got {value!r}")
    return bool(value)

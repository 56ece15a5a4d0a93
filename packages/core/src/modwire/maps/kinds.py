"""The functions that make points, one for each kind of value; `point` takes custom types."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from operator import index
from typing import TYPE_CHECKING, Any, TypeVar, overload

from .. import values
from ..planner import Span
from ..values.building import decode_value, encode_value
from ..values.orders import ABCD, Order, Ordering, find_order
from ..values.types import FloatName, IntegerName, ValueType, find_type
from .points import Point

if TYPE_CHECKING:
    from typing_extensions import Unpack

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


class Place(Ordering, total=False):
    """The keyword arguments of all points in registers.

    Exactly one of `holding` and `input` is needed: the address of the first register on the wire,
    0..65535. `unit` is the unit of measurement, only for display. `byte_order`, `word_order` and
    `order` are those of `modwire.values`, by default those of the map.
    """

    holding: int
    input: int
    unit: str


class IntegerPoints:
    """Makes points of one integer type: the value of `uint16(holding=3)` is an int.

    With `scale` the value is `integer * scale + offset`: that of `uint16(holding=3, scale=0.1)` is
    a float, which is rounded to the scale when set. 8-bit integers are the low byte of a register.
    """

    def __init__(self, kind: ValueType[int]) -> None:
        self._kind = kind

    @overload
    def __call__(self, **place: Unpack[Place]) -> Point[int]: ...
    @overload
    def __call__(
        self, *, scale: float, offset: float = 0.0, **place: Unpack[Place]
    ) -> Point[float]: ...
    def __call__(
        self, *, scale: float | None = None, offset: float = 0.0, **place: Unpack[Place]
    ) -> Point[int] | Point[float]:
        kind = self._kind
        if scale is None and not offset:
            return _RegisterPoint(kind, place)
        return _RegisterPoint(values.scaled(kind, 1.0 if scale is None else scale, offset), place)


class FloatPoints:
    """Makes points of one float type with the value `raw * scale + offset`: `float32(input=8)`."""

    def __init__(self, kind: ValueType[float]) -> None:
        self._kind = kind

    def __call__(
        self, *, scale: float = 1.0, offset: float = 0.0, **place: Unpack[Place]
    ) -> Point[float]:
        if scale == 1.0 and not offset:
            return _RegisterPoint(self._kind, place)
        return _RegisterPoint(values.scaled(self._kind, scale, offset), place)


int8, uint8 = IntegerPoints(values.INT8), IntegerPoints(values.UINT8)
int16, uint16 = IntegerPoints(values.INT16), IntegerPoints(values.UINT16)
int32, uint32 = IntegerPoints(values.INT32), IntegerPoints(values.UINT32)
int64, uint64 = IntegerPoints(values.INT64), IntegerPoints(values.UINT64)
float16, float32 = FloatPoints(values.FLOAT16), FloatPoints(values.FLOAT32)
float64 = FloatPoints(values.FLOAT64)


def point(kind: ValueType[T], **place: Unpack[Place]) -> Point[T]:
    """Make a point of any type: `point(ValueType("date", 4, pack, unpack), holding=8)`.

    Word order applies to all its registers as one number, unless the type has `number_size=0`.
    """
    return _RegisterPoint(find_type(kind), place)


def string(
    length: int, *, encoding: str = "utf-8", padding: str = "\0", **place: Unpack[Place]
) -> Point[str]:
    """Make a point of text, at most `length` bytes, two per register; see `values.string_of`."""
    return _RegisterPoint(values.string_of(length, encoding=encoding, padding=padding), place)


def bcd(digits: int, **place: Unpack[Place]) -> Point[int]:
    """Make a point of `digits` decimal digits, four per register; see `values.bcd_of`."""
    return _RegisterPoint(values.bcd_of(digits), place)


def bits(count: int, **place: Unpack[Place]) -> Point[Sequence[bool]]:
    """Make a point of `count` bits, 16 per register, starting at bit 0 of the first."""
    return _RegisterPoint(values.bits_of(count), place)


@overload
def array(kind: IntegerName, count: int, **place: Unpack[Place]) -> Point[Sequence[int]]: ...
@overload
def array(kind: FloatName, count: int, **place: Unpack[Place]) -> Point[Sequence[float]]: ...
@overload
def array(kind: ValueType[T], count: int, **place: Unpack[Place]) -> Point[Sequence[T]]: ...
def array(kind: Any, count: int, **place: Unpack[Place]) -> Point[Any]:
    """Make a point of `count` values of a type, read as a tuple: `array("float32", 10, holding=0)`,
    `array(scaled("int16", 0.1), 4, input=0)`.
    """
    found: ValueType[Any] = values.array_of(find_type(kind), count)
    return _RegisterPoint(found, place)


def enum(
    members: type[EnumT],
    *,
    kind: ValueType[int] | IntegerName = "uint16",
    unknown: EnumT | None = None,
    **place: Unpack[Place],
) -> Point[EnumT]:
    """Make a point whose values are the members of an `Enum` or `Flag` with integer values.

    Reading another value gives `unknown`, or raises InvalidResponseError if that is None.
    """
    return _RegisterPoint(values.enum_of(members, kind, unknown=unknown), place)


def bit_field(
    first: int,
    count: int,
    *,
    holding: int | None = None,
    input: int | None = None,  # noqa: A002
    unit: str = "",
) -> Point[int]:
    """Make a point of a number in `count` (1..16) bits of a register; bit `first` is its lowest.

    Function 22 writes it, and does not change the other bits. Raises ValueError for bits outside
    0..15.
    """
    if not (isinstance(first, int) and isinstance(count, int)):
        raise ValueError(f"first and count must be integers, got {first!r} and {count!r}")
    if not 0 <= first < first + count <= 16:
        raise ValueError(f"first + count must be 1..16 bits, got {first} + {count}")
    most = (1 << count) - 1
    mask = most << first

    def encode(value: int) -> Sequence[int]:
        number = index(value) if hasattr(value, "__index__") else -1
        if not 0 <= number <= most:
            raise ValueError(f"a field of {count} bits must be 0..{most}, got {value!r}")
        return (number << first,)

    return Point(
        _span(1, holding, input),
        lambda items: (items[0] & mask) >> first,
        encode,
        unit=unit,
        mask=mask,
    )


def bit(number: int, *, holding: int | None = None, input: int | None = None) -> Point[bool]:  # noqa: A002
    """Make a point of bit `number` (0..15) of a register; written by function 22."""
    if not isinstance(number, int) or not 0 <= number <= 15:
        raise ValueError(f"number must be 0..15, got {number!r}")
    mask = 1 << number
    return Point(
        _span(1, holding, input),
        lambda items: bool(items[0] & mask),
        lambda value: (_checked_bit(value) << number,),
        mask=mask,
    )


def coil(address: int) -> Point[bool]:
    """Make a point of one coil, True for ON."""
    return _single("coils", address)


def discrete_input(address: int) -> Point[bool]:
    """Make a point of one discrete input, True for ON."""
    return _single("discrete_inputs", address)


def coils(address: int, count: int) -> Point[Sequence[bool]]:
    """Make a point of `count` coils, read as a tuple."""
    return _several("coils", address, count)


def discrete_inputs(address: int, count: int) -> Point[Sequence[bool]]:
    """Make a point of `count` discrete inputs, read as a tuple."""
    return _several("discrete_inputs", address, count)


class _RegisterPoint(Point[T]):
    """A point in whole registers; unless `place` sets the order, it is that of the map."""

    def __init__(self, kind: ValueType[T], place: Place) -> None:
        if unknown := place.keys() - Place.__annotations__.keys():
            raise TypeError(
                f"a point has no {', '.join(sorted(unknown))}, only "
                f"{', '.join(Place.__annotations__)} and what its kind has"
            )
        self._place = place
        self._take_order(ABCD)
        super().__init__(
            _span(kind.register_count, place.get("holding"), place.get("input")),
            lambda items: decode_value(kind, items, self._order),
            lambda value: encode_value(kind, value, self._order),
            unit=place.get("unit", ""),
        )

    def _take_order(self, order: Order) -> None:
        place = self._place
        self._order = find_order(
            place.get("byte_order"), place.get("word_order"), place.get("order", order)
        )


def _span(count: int, holding: int | None, input_: int | None) -> Span:
    if holding is not None and input_ is None:
        return Span("holding_registers", holding, count)
    if input_ is not None and holding is None:
        return Span("input_registers", input_, count)
    raise ValueError(
        "a point must have the address of a register, holding= or input=, "
        f"got {'neither' if holding is None else 'both'}"
    )


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

"""What makes points: a function for each kind of value, `point` for a type of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from operator import index
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, overload

from ..planner.plan import Span
from ..values.building import decode_value, encode_value
from ..values.orders import ABCD, Endian, Order, OrderName, find_order
from ..values.types import (
    FLOAT16,
    FLOAT32,
    FLOAT64,
    INT8,
    INT16,
    INT32,
    INT64,
    UINT8,
    UINT16,
    UINT32,
    UINT64,
    FloatName,
    IntegerName,
    ValueType,
    array_of,
    bcd_of,
    bits_of,
    enum_of,
    find_type,
    scaled,
    scaled_float,
    string_of,
)
from .points import Point

if TYPE_CHECKING:
    from typing_extensions import Unpack

T = TypeVar("T")
EnumT = TypeVar("EnumT", bound=Enum)


class Place(TypedDict, total=False):
    """Where a point is, and how it lies there: the keywords of all points in registers.

    `holding` or `input` is the address of its first register, on the wire, from 0: one of the two.
    `unit` is the unit of measurement, which nothing but the reader needs. `byte_order`,
    `word_order` and `order` are those of `modwire.values`, and by default those of the map.
    """

    holding: int
    input: int
    unit: str
    byte_order: Endian
    word_order: Endian
    order: Order | OrderName


class IntegerPoints:
    """Makes points of one integer type: `uint16(holding=3)` is an int.

    With `scale` they stand for `integer * scale + offset`: `uint16(holding=3, scale=0.1)` is a
    float, and is rounded to the scale when it is set. 8-bit integers are the low byte of theirs.
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
        if scale is None and not offset:
            return _registers(self._kind, place)
        return _registers(scaled(self._kind, 1.0 if scale is None else scale, offset), place)


class FloatPoints:
    """Makes points of one float type, standing for `raw * scale + offset`: `float32(input=8)`."""

    def __init__(self, kind: ValueType[float]) -> None:
        self._kind = kind

    def __call__(
        self, *, scale: float = 1.0, offset: float = 0.0, **place: Unpack[Place]
    ) -> Point[float]:
        if scale == 1.0 and not offset:
            return _registers(self._kind, place)
        return _registers(scaled_float(self._kind, scale, offset), place)


int8, uint8 = IntegerPoints(INT8), IntegerPoints(UINT8)
int16, uint16 = IntegerPoints(INT16), IntegerPoints(UINT16)
int32, uint32 = IntegerPoints(INT32), IntegerPoints(UINT32)
int64, uint64 = IntegerPoints(INT64), IntegerPoints(UINT64)
float16, float32, float64 = FloatPoints(FLOAT16), FloatPoints(FLOAT32), FloatPoints(FLOAT64)


def point(kind: ValueType[T], **place: Unpack[Place]) -> Point[T]:
    """A point of any type: `point(ValueType("date", 4, pack, unpack, number_size=0), holding=8)`.

    Without `number_size=0` its registers are one number, which the word order turns round.
    """
    return _registers(find_type(kind), place)


def string(
    length: int, *, encoding: str = "utf-8", padding: str = "\0", **place: Unpack[Place]
) -> Point[str]:
    """Text of up to `length` bytes, two in each register; see `values.string_of`."""
    return _registers(string_of(length, encoding=encoding, padding=padding), place)


def bcd(digits: int, **place: Unpack[Place]) -> Point[int]:
    """A number of so many decimal digits, four in each register; see `values.bcd_of`."""
    return _registers(bcd_of(digits), place)


def bits(count: int, **place: Unpack[Place]) -> Point[Sequence[bool]]:
    """`count` bits from the lowest one of the first register on, sixteen in each."""
    return _registers(bits_of(count), place)


@overload
def array(kind: IntegerName, count: int, **place: Unpack[Place]) -> Point[Sequence[int]]: ...
@overload
def array(kind: FloatName, count: int, **place: Unpack[Place]) -> Point[Sequence[float]]: ...
@overload
def array(kind: ValueType[T], count: int, **place: Unpack[Place]) -> Point[Sequence[T]]: ...
def array(kind: Any, count: int, **place: Unpack[Place]) -> Point[Any]:
    """`count` values of a type: `array("float32", 10, holding=0)`, `array(scaled("int16", 0.1), 4,
    input=0)`; a tuple when it is read.
    """
    found: ValueType[Any] = array_of(find_type(kind), count)
    return _registers(found, place)


def enum(
    members: type[EnumT],
    *,
    kind: ValueType[int] | IntegerName = "uint16",
    unknown: EnumT | None = None,
    **place: Unpack[Place],
) -> Point[EnumT]:
    """A member of an `Enum` or a `Flag` with integer values, by its value.

    `unknown` is what another value is read as; without it, that raises InvalidResponseError.
    """
    return _registers(enum_of(members, kind, unknown=unknown), place)


def bit_field(
    first: int,
    count: int,
    *,
    holding: int | None = None,
    input: int | None = None,  # noqa: A002
    unit: str = "",
) -> Point[int]:
    """A number in `count` bits of a register, from bit `first` on; bit 0 is the lowest.

    It is written by function 22, which leaves the other bits as they are.
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
    """Bit `number` of a register, 0 the lowest; it is written by function 22 as `bit_field` is."""
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
    """A coil, True for ON."""
    return _single("coils", address)


def discrete_input(address: int) -> Point[bool]:
    """A discrete input, True for ON."""
    return _single("discrete_inputs", address)


def coils(address: int, count: int) -> Point[Sequence[bool]]:
    """`count` coils in a row; a tuple when they are read."""
    return _several("coils", address, count)


def discrete_inputs(address: int, count: int) -> Point[Sequence[bool]]:
    """`count` discrete inputs in a row; a tuple when they are read."""
    return _several("discrete_inputs", address, count)


def _registers(kind: ValueType[T], place: Place) -> Point[T]:
    if unknown := place.keys() - Place.__annotations__.keys():
        raise TypeError(
            f"a point has no {', '.join(sorted(unknown))}, only {', '.join(Place.__annotations__)} "
            "and what its kind has"
        )
    return _RegisterPoint(kind, place)


class _RegisterPoint(Point[T]):
    """A point in whole registers: what its place does not say of the order, its map says."""

    def __init__(self, kind: ValueType[T], place: Place) -> None:
        self._place = place
        self._order = self._order_within(ABCD)
        super().__init__(
            _span(kind.register_count, place.get("holding"), place.get("input")),
            lambda items: decode_value(kind, items, self._order),
            lambda value: encode_value(kind, value, self._order),
            unit=place.get("unit", ""),
        )

    def _take_order(self, order: Order) -> None:
        self._order = self._order_within(order)

    def _order_within(self, order: Order) -> Order:
        place = self._place
        return find_order(
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
        Span(table, address, 1),
        lambda items: bool(items[0]),
        lambda value: (_checked_bit(value),),
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

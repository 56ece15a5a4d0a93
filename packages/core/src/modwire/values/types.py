"""`ValueType`, which converts a value to bytes and back, and the types that devices use.

The bytes are most significant first; `building.py` and maps apply byte order and word order.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from enum import Enum
from math import isfinite
from operator import index
from typing import Any, Generic, Literal, TypeVar, overload

from ..bits import pack_bits, unpack_bits
from .orders import swap_bytes

T = TypeVar("T")
EnumT = TypeVar("EnumT", bound=Enum)

IntegerName = Literal["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
FloatName = Literal["float16", "float32", "float64"]

__all__ = [
    "FLOAT16",
    "FLOAT32",
    "FLOAT64",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "ValueType",
    "array_of",
    "bcd_of",
    "bits_of",
    "enum_of",
    "scaled",
]

MOST_BYTES = 0x20000  # all the registers of a table
# Errors other than ValueError that packing and unpacking raise for values they cannot convert.
_NO_VALUE = (ArithmeticError, AttributeError, LookupError, TypeError, struct.error)
_MOST_DIGITS = 4096  # Python refuses to turn much longer ones into an integer


def check_count(name: str, count: int, most: int, what: str = "") -> None:
    if not isinstance(count, int) or not 1 <= count <= most:
        raise ValueError(f"{name} must be 1..{most}{what}, got {count!r}")


class ValueType(Generic[T]):
    """Converts one kind of value to `size` bytes (1..131072) and back; make one to add a type.

    `pack(value)` returns the bytes and `unpack(data)` the value; both raise ValueError, or the
    errors of `struct` and arithmetic, for values they cannot convert. `unpack` always gets `size`
    bytes. `name` is for errors. `number_size` is the size in bytes of the numbers in it, to which
    word order applies: by default `size`; 0 for texts and records, whose registers keep their
    order. Raises ValueError for a size that does not fit.
    """

    __slots__ = ("_pack", "_unpack", "name", "number_size", "size")

    def __init__(
        self,
        name: str,
        size: int,
        pack: Callable[[T], bytes],
        unpack: Callable[[bytes], T],
        *,
        number_size: int | None = None,
    ) -> None:
        check_count(f"size of {name}", size, MOST_BYTES, " bytes")
        if number_size is None:
            number_size = size
        if (
            not isinstance(number_size, int)
            or number_size < 0
            or (number_size and size % number_size)
        ):
            raise ValueError(
                f"number_size of {name} must divide its {size} bytes, or be 0, got {number_size!r}"
            )
        if number_size > 1 and number_size % 2:
            raise ValueError(
                f"a number must have 1 byte or an even number of bytes, {name} has {number_size}: "
                "give number_size=0 to other values"
            )
        self.name = name
        self.size = size
        self.number_size = number_size
        self._pack = pack
        self._unpack = unpack

    def pack(self, value: T) -> bytes:
        """Return the `size` bytes of `value`, most significant first; raises ValueError."""
        try:
            data = self._pack(value)
        except _NO_VALUE as error:
            raise ValueError(f"{self.name} cannot be {value!r}: {error}") from error
        if not isinstance(data, (bytes, bytearray)):
            raise ValueError(f"{self.name} must pack into bytes, got {type(data).__name__}")
        if len(data) != self.size:
            raise ValueError(f"{self.name} must pack into {self.size} bytes, got {len(data)}")
        return data

    def unpack(self, data: bytes) -> T:
        """Return the value in `size` bytes, most significant first; raises ValueError."""
        if len(data) != self.size:
            raise ValueError(f"{self.name} must have {self.size} bytes, got {len(data)}")
        try:
            return self._unpack(data)
        except _NO_VALUE as error:
            raise ValueError(f"{self.name} cannot be {data.hex(' ')}: {error}") from error

    @property
    def register_count(self) -> int:
        """Number of registers of one value that shares them with no other."""
        return (self.size + 1) >> 1

    def __repr__(self) -> str:
        return f"<ValueType {self.name}>"


def _integer(name: str, size: int, signed: bool) -> ValueType[int]:
    bits = 8 * size
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)

    def pack(value: int) -> bytes:
        try:
            return index(value).to_bytes(size, "big", signed=signed)
        except (OverflowError, TypeError):
            raise ValueError(f"{name} must be an integer {least}..{most}, got {value!r}") from None

    def unpack(data: bytes) -> int:
        return int.from_bytes(data, "big", signed=signed)

    return ValueType(name, size, pack, unpack)


def _float(name: str, code: str, most: str) -> ValueType[float]:
    form = struct.Struct(f">{code}")
    wanted = f"{name} must be a number -{most}..{most}, inf or nan"

    def pack(value: float) -> bytes:
        try:
            return form.pack(value)
        except (OverflowError, struct.error, TypeError):
            raise ValueError(f"{wanted}, got {value!r}") from None

    def unpack(data: bytes) -> float:
        value: float = form.unpack(data)[0]
        return value

    return ValueType(name, form.size, pack, unpack)


INT8 = _integer("int8", 1, True)
UINT8 = _integer("uint8", 1, False)
INT16 = _integer("int16", 2, True)
UINT16 = _integer("uint16", 2, False)
INT32 = _integer("int32", 4, True)
UINT32 = _integer("uint32", 4, False)
INT64 = _integer("int64", 8, True)
UINT64 = _integer("uint64", 8, False)
FLOAT16 = _float("float16", "e", "65504")
FLOAT32 = _float("float32", "f", "3.4028235e+38")
FLOAT64 = _float("float64", "d", "1.7976931348623157e+308")

_FLOATS = (FLOAT16, FLOAT32, FLOAT64)
_TYPES: dict[str, ValueType[Any]] = {
    each.name: each for each in (INT8, UINT8, INT16, UINT16, INT32, UINT32, INT64, UINT64, *_FLOATS)
}


def find_type(kind: object) -> ValueType[Any]:
    """Return the type with that name, or `kind` if it is a type; raises ValueError."""
    if isinstance(kind, ValueType):
        return kind  # pyright: ignore[reportUnknownVariableType]
    found = _TYPES.get(kind) if isinstance(kind, str) else None
    if found is None:
        raise ValueError(
            f"type must be one of {', '.join(_TYPES)}, or a ValueType such as "
            f"string_of(8), bcd_of(4) or bits_of(16), got {kind!r}"
        )
    return found


def bcd_of(digits: int) -> ValueType[int]:
    """Return a type for a number of `digits` (1..4096) decimal digits, four bits each.

    The first digit comes first. Up to two digits take one byte, more take whole registers.
    Packing and unpacking raise ValueError for too many digits and for four bits above 9.
    """
    check_count("digits", digits, _MOST_DIGITS)
    size = 1 if digits <= 2 else (digits + 3) // 4 * 2
    most = 10**digits - 1

    def pack(value: int) -> bytes:
        number = index(value) if hasattr(value, "__index__") else -1
        if not 0 <= number <= most:
            raise ValueError(f"BCD of {digits} digits must be 0..{most}, got {value!r}")
        return bytes.fromhex(f"{number:0{2 * size}d}")

    def unpack(data: bytes) -> int:
        text = data.hex()
        if not text.isdecimal():
            raise ValueError(f"BCD must have half-bytes 0..9, got {data.hex(' ')}")
        value = int(text)
        if value > most:
            raise ValueError(f"BCD of {digits} digits must be 0..{most}, got {data.hex(' ')}")
        return value

    return ValueType(f"BCD of {digits} digits", size, pack, unpack)


def bits_of(count: int) -> ValueType[Sequence[bool]]:
    """Return a type for `count` bits, 16 per register, the first in bit 0 of the first register.

    Up to eight take one byte. Packing takes exactly `count`, unpacking returns a tuple. Word order
    does not apply to them. Raises ValueError.
    """
    check_count("count", count, 8 * MOST_BYTES, " bits")
    size = 1 if count <= 8 else (count + 15) // 16 * 2

    def pack(value: Sequence[bool]) -> bytes:
        if len(value) != count:
            raise ValueError(f"bits must be {count}, got {len(value)}")
        data = pack_bits(value).ljust(size, b"\0")
        # Bits are packed with the low byte first, registers have the high one first.
        return data if size == 1 else swap_bytes(data)

    def unpack(data: bytes) -> Sequence[bool]:
        return unpack_bits(data if size == 1 else swap_bytes(data), count)

    return ValueType(f"{count} bits", size, pack, unpack, number_size=min(size, 2))


@overload
def array_of(kind: IntegerName, count: int) -> ValueType[Sequence[int]]: ...
@overload
def array_of(kind: FloatName, count: int) -> ValueType[Sequence[float]]: ...
@overload
def array_of(kind: ValueType[T], count: int) -> ValueType[Sequence[T]]: ...
def array_of(kind: object, count: int) -> ValueType[Any]:
    """Return a type for `count` values of one type in sequence, without gaps.

    Packing takes exactly `count`, unpacking returns a tuple. Two of "uint8" share a register, the
    first in its high byte. Raises ValueError.
    """
    item = find_type(kind)
    check_count("count", count, MOST_BYTES // item.size)
    size, name = item.size, f"array of {count} {item.name}"

    def pack(value: Sequence[Any]) -> bytes:
        if len(value) != count:
            raise ValueError(f"{name} must have {count} values, got {len(value)}")
        return b"".join(map(item.pack, value))

    def unpack(data: bytes) -> Sequence[Any]:
        return tuple(item.unpack(data[at : at + size]) for at in range(0, len(data), size))

    return ValueType(name, size * count, pack, unpack, number_size=item.number_size)


def scaled(
    kind: ValueType[int] | ValueType[float] | IntegerName | FloatName,
    scale: float,
    offset: float = 0.0,
) -> ValueType[float]:
    """Return a type for `raw * scale + offset`; packing rounds `raw`, except for float16 to 64.

    Raises ValueError unless `scale` and `offset` are finite, and `scale` is not 0.
    """
    base: ValueType[Any] = find_type(kind)
    if not _is_finite(scale) or not scale or not isfinite(1 / scale):
        raise ValueError(f"scale must be a finite number other than 0, got {scale!r}")
    if not _is_finite(offset):
        raise ValueError(f"offset must be a finite number, got {offset!r}")
    # 3 / 10 is 0.3, where 3 * 0.1 is 0.30000000000000004.
    divisor = round(1 / scale) if abs(scale) < 1 else 0
    is_exact = divisor != 0 and 1 / divisor == scale

    def pack(value: float) -> bytes:
        raw = (value - offset) * divisor if is_exact else (value - offset) / scale
        if base in _FLOATS:
            return base.pack(raw)
        if not isfinite(raw):
            raise ValueError(f"scaled {base.name} must be a finite number, got {value!r}")
        try:
            return base.pack(round(raw))
        except ValueError as error:
            raise ValueError(f"{value} scaled by {scale}: {error}") from None

    def unpack(data: bytes) -> float:
        raw: float = base.unpack(data)
        return raw / divisor + offset if is_exact else raw * scale + offset

    return ValueType(f"scaled {base.name}", base.size, pack, unpack, number_size=base.number_size)


def enum_of(
    members: type[EnumT],
    kind: ValueType[int] | IntegerName = "uint16",
    *,
    unknown: EnumT | None = None,
) -> ValueType[EnumT]:
    """Return a type for the members of an `Enum` or `Flag` with integer values, by value.

    Unpacking another value returns `unknown`, or raises ValueError if that is None.
    """
    if not isinstance(members, type) or not issubclass(members, Enum):
        raise ValueError(f"members must be an Enum class, got {members!r}")
    if unknown is not None and not isinstance(unknown, members):
        raise ValueError(f"unknown must be None or a member of {members.__name__}, got {unknown!r}")
    base: ValueType[int] = find_type(kind)
    for member in members:
        base.pack(member.value)  # raises ValueError if it does not fit

    def pack(value: EnumT) -> bytes:
        if not isinstance(value, members):
            raise ValueError(f"{members.__name__} must be one of its members, got {value!r}")
        return base.pack(value.value)

    def unpack(data: bytes) -> EnumT:
        value = base.unpack(data)
        try:
            return members(value)
        except ValueError:
            if unknown is not None:
                return unknown
            known = ", ".join(str(member.value) for member in members)
            raise ValueError(f"{members.__name__} must be one of {known}, got {value}") from None

    return ValueType(members.__name__, base.size, pack, unpack, number_size=base.number_size)


def _is_finite(number: float) -> bool:
    try:
        return isinstance(number, (int, float)) and isfinite(number)
    except OverflowError:  # an integer too large for a float
        return False

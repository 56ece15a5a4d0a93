"""`optional`: values of which some mean that the device has none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from .types import FloatName, IntegerName, ValueType, find_type

if TYPE_CHECKING:
    from typing import TypeAlias

    # A raw value or several of them; for floats also nan.
    Nones: TypeAlias = int | float | Iterable[int | float]

__all__ = ["optional"]

T = TypeVar("T")
_NAN = float("nan")


@overload
def optional(kind: IntegerName, none: Nones) -> ValueType[int | None]: ...
@overload
def optional(kind: FloatName, none: Nones) -> ValueType[float | None]: ...
@overload
def optional(kind: ValueType[T], none: Nones) -> ValueType[T | None]: ...
def optional(kind: object, none: Nones) -> ValueType[Any]:
    """Return a type that unpacks some raw values as None: `optional("int16", 0x8000)`.

    `none` is a raw value or several, `(0x7FFF, 0xFFFF)`: the bytes of the value, most significant
    first, as an unsigned number, such as 0x8000 of an int16; -32768, the value of a signed integer,
    stands for the same. 0x7FC00000 is a float32 that is no number. For floats, `math.nan` stands
    for every such pattern. Packing None gives the first of them; packing another value that would
    give one raises ValueError. Raises ValueError for a raw value that does not fit.
    """
    base: ValueType[Any] = find_type(kind)
    patterns, has_nan = _patterns(base, none)
    known = frozenset(patterns)

    def pack(value: Any) -> bytes:
        if value is None:
            return patterns[0]
        data = base.pack(value)
        if bytes(data) in known or (has_nan and _is_nan(value)):
            raise ValueError(f"{base.name} cannot be {value!r}, which stands for None")
        return data

    def unpack(data: bytes) -> Any:
        if bytes(data) in known:
            return None
        value = base.unpack(data)
        return None if has_nan and _is_nan(value) else value

    name, number_size = f"optional {base.name}", base.number_size
    return ValueType(name, base.size, pack, unpack, number_size=number_size)


def _patterns(base: ValueType[Any], none: object) -> tuple[list[bytes], bool]:
    """Return the bytes of each raw value, and True if one is nan; raises ValueError."""
    is_many = isinstance(none, Iterable) and not isinstance(none, (str, bytes))
    given: list[object] = list(none) if is_many else [none]  # type: ignore[call-overload]
    found: list[bytes] = []
    has_nan = False
    most = (1 << 8 * base.size) - 1
    for each in given:
        if _is_nan(each) and (data := _packed_nan(base)) is not None:
            has_nan = True
            found.append(data)
        elif isinstance(each, int) and not isinstance(each, bool) and 0 <= each <= most:
            found.append(each.to_bytes(base.size, "big"))
        elif isinstance(each, int) and -(most >> 1) - 1 <= each < 0 and _is_signed(base):
            found.append(each.to_bytes(base.size, "big", signed=True))
        else:
            other = "" if _packed_nan(base) is None else ", or nan,"
            if _is_signed(base):
                other = f", or {-(most >> 1) - 1}..-1,"
            raise ValueError(
                f"none of {base.name} must be a raw value 0..0x{most:X}{other} or several, "
                f"got {each!r}"
            )
    if not found:
        raise ValueError(f"none of {base.name} must be at least one raw value, got {none!r}")
    return found, has_nan


def _packed_nan(base: ValueType[Any]) -> bytes | None:
    """Return the bytes of nan if the type has one."""
    try:
        data = base.pack(_NAN)
        return bytes(data) if _is_nan(base.unpack(data)) else None
    except ValueError:
        return None


def _is_signed(base: ValueType[Any]) -> bool:
    """True if the type is a signed integer, scaled or not: all bits set are next to zero then."""
    rest = base.size - 1
    try:
        zero, last, middle = map(
            base.unpack, (bytes(base.size), b"\xff" * base.size, b"\x7f" + b"\xff" * rest)
        )
        return bool(abs(last - zero) < abs(middle - zero))
    except (TypeError, ValueError):
        return False


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and value != value

"""Types of values as users write them, such as "float32", "string:16" or "uint16x4"; and values.

`items` and the window of the simulator use this module.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modwire.units.tables import ADDRESSES
from modwire.values import (
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
    ValueType,
    bcd_of,
    bits_of,
    scaled,
    string_of,
)

from .numbers import parse_float, parse_int, parse_whole
from .suggesting import type_meant

if TYPE_CHECKING:
    from typing import TypeAlias

    # None: the device says that it has no value.
    Value: TypeAlias = bool | int | float | str | tuple["Value", ...] | None

INTEGERS = {each.name: each for each in (INT8, UINT8, INT16, UINT16, INT32, UINT32, INT64, UINT64)}
FLOATS = {each.name: each for each in (FLOAT16, FLOAT32, FLOAT64)}
_SIZED: dict[str, Callable[[int], ValueType[Any]]] = {
    "string": string_of,
    "bcd": bcd_of,
    "bits": bits_of,
}
_FORMS = (
    f"a type is one of {', '.join([*INTEGERS, *FLOATS])}, string:BYTES, bcd:DIGITS, bits:COUNT or "
    "bit:0 to bit:15, several of them are float32x4"
)
_PATTERN = re.compile(r"([a-z]+?\d*)(?::(\d{1,9}))?(?:x(\d+))?")
_ON = ("on", "true", "1", "yes")
_OFF = ("off", "false", "0", "no")


class _Bit:
    """The type of coils, discrete inputs, and bits of a register."""


BIT = _Bit()


@dataclass(frozen=True)
class TypeText:
    """A type as the user typed it: name, type, number of values, and the number of a bit.

    `name` does not include the number of values. `repeats` is None for one value; `bit` is None
    unless the type is one bit of a register.
    """

    name: str
    kind: ValueType[Any] | _Bit
    repeats: int | None = None
    bit: int | None = None

    def __str__(self) -> str:
        return self.name if self.repeats is None else f"{self.name}x{self.repeats}"

    def scaled(self, scale: float) -> ValueType[Any]:
        """Return the type of values multiplied by `scale`; raises ValueError for text."""
        kind = self.kind
        assert isinstance(kind, ValueType)
        if scale == 1.0:
            return kind
        if self.name in FLOATS or self.name in INTEGERS or self.name.startswith("bcd"):
            return scaled(kind, scale)
        raise ValueError(f"{self.name} cannot be scaled, only numbers can")


def parse_type(text: str) -> TypeText:
    """Return the type in `text`; raises ValueError, which says what is allowed."""
    found = _PATTERN.fullmatch(text.strip().lower())
    name, size, repeats = found.groups() if found else ("", None, None)
    plain = INTEGERS.get(name) or FLOATS.get(name) or (BIT if name == "bit" else None)
    if name == "bit" and size is not None:
        if int(size) > 15 or repeats is not None:
            raise ValueError(f"a bit of a register is bit:0 to bit:15, got {text!r}")
        return TypeText(f"bit:{int(size)}", BIT, bit=int(size))
    try:
        number = None if repeats is None else parse_whole(repeats, 1, ADDRESSES)
        if plain is not None and size is None:
            return TypeText(name, plain, number)
        if name in _SIZED and size is not None:
            return TypeText(f"{name}:{int(size)}", _SIZED[name](int(size)), number)
    except ValueError as error:
        what = "the number of values " if str(error).startswith("must") else ""
        raise ValueError(f"{text}: {what}{error}") from None
    meant = type_meant(name or text, [*INTEGERS, *FLOATS])
    hint = f"; did you mean {meant}?" if meant else ""
    raise ValueError(f"{_FORMS}; got {text!r}{hint}")


def parse_value(kind: ValueType[Any] | None, text: str) -> Value:
    """Return the value in `text`, ready for `kind` to pack; a bool if `kind` is None.

    Raises ValueError.
    """
    if kind is not None and kind.name.startswith("string"):
        return text
    text = text.strip()
    if kind is None:
        if text.lower() not in _ON + _OFF:
            raise ValueError(f"a bit must be on or off, 1 or 0, got {text!r}")
        return text.lower() in _ON
    if kind.name.endswith("bits"):
        if not text or set(text) - {"0", "1"}:
            raise ValueError(f"{kind.name} must be 0 and 1, the lowest bit last, got {text!r}")
        return tuple(digit == "1" for digit in reversed(text))
    is_whole = kind.name in INTEGERS or kind.name.startswith("BCD")
    try:
        return parse_int(text) if is_whole else parse_float(text)
    except ValueError as error:
        raise ValueError(f"{kind.name} {error}") from None


def shown(value: Value) -> str:
    """Return a value as text: a float without meaningless digits, a bit as on or off.

    Control characters in a device's text are escaped, so that they cannot move the cursor.
    """
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return ", ".join(map(shown, value))
    if isinstance(value, str):
        return "".join(each if each.isprintable() else repr(each)[1:-1] for each in value)
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{shortest(value):.12g}" if abs(value) < 1e15 else repr(value)
    return str(value)


def shortest(value: float) -> float:
    """Return a float from 32 bits without the digits that 32 bits cannot hold: 22.34."""
    try:
        is_single = struct.unpack(">f", struct.pack(">f", value))[0] == value
    except OverflowError:
        return value
    if is_single:
        for digits in range(6, 10):
            shorter = float(f"{value:.{digits}g}")
            if struct.unpack(">f", struct.pack(">f", shorter))[0] == value:
                return shorter
    return value

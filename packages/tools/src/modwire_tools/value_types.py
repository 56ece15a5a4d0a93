"""Types of values as people write them: "float32", "string:16", "bcd:8", "uint16x4"; and values.

For `items`, and for whatever else takes a type as text.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
    array_of,
    bcd_of,
    bits_of,
    scaled,
    string_of,
)

if TYPE_CHECKING:
    from typing import TypeAlias

    Value: TypeAlias = bool | int | float | str | tuple["Value", ...]

INTEGERS = {each.name: each for each in (INT8, UINT8, INT16, UINT16, INT32, UINT32, INT64, UINT64)}
FLOATS = {each.name: each for each in (FLOAT16, FLOAT32, FLOAT64)}
_SIZED = {"string": "bytes", "bcd": "digits", "bits": "bits", "bit": "bit"}
_FORMS = (
    f"a type is one of {', '.join([*INTEGERS, *FLOATS])}, string:BYTES, bcd:DIGITS, bits:COUNT or "
    "bit:0 to bit:15, several of them are float32x4"
)
_PATTERN = re.compile(r"([a-z]+?\d*)(?::(\d+))?(?:x(\d+))?")
_MOST = 0x10000
_ON = ("on", "true", "1", "yes")
_OFF = ("off", "false", "0", "no")


class _Bit:
    """The type of coils, discrete inputs, and bits of a register."""


BIT = _Bit()


@dataclass(frozen=True)
class TypeText:
    """A type: its name without a number of values, itself, how many values, and which bit."""

    name: str
    kind: ValueType[Any] | _Bit
    repeats: int | None
    bit: int | None = None

    def scaled(self, scale: float) -> ValueType[Any]:
        """The type of values that are multiplied by `scale`; raises ValueError for texts."""
        kind = self.kind
        assert isinstance(kind, ValueType)
        if scale == 1.0:
            return kind
        if self.name in FLOATS or self.name in INTEGERS or self.name.startswith("bcd"):
            return scaled(kind, scale)
        raise ValueError(f"{self.name} cannot be scaled, only numbers can")

    def array(self, single: ValueType[Any], repeats: int | None) -> ValueType[Any]:
        """The type of `repeats` values on end, or of one."""
        return single if repeats is None else array_of(single, repeats)


def parse_type(text: str) -> TypeText:
    """The type that `text` names; raises ValueError, which says what is allowed."""
    found = _PATTERN.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError(f"{_FORMS}; got {text!r}")
    name, size, repeats = found[1], found[2], found[3]
    number = None if repeats is None else int(repeats)
    if number is not None and not 1 <= number <= _MOST:
        raise ValueError(f"{text}: there must be 1..{_MOST} values, got {number}")
    plain = INTEGERS.get(name) or FLOATS.get(name)
    if plain is not None and size is None:
        return TypeText(name, plain, number)
    if name == "bit" and size is None:
        return TypeText(name, BIT, number)
    if name not in _SIZED or size is None:
        raise ValueError(f"{_FORMS}; got {text!r}")
    if name == "bit":
        if int(size) > 15 or number is not None:
            raise ValueError(f"a bit of a register is bit:0 to bit:15, got {text!r}")
        return TypeText(f"bit:{int(size)}", BIT, None, int(size))
    make: Any = {"string": string_of, "bcd": bcd_of, "bits": bits_of}[name]
    try:
        kind: ValueType[Any] = make(int(size))
    except ValueError as error:
        raise ValueError(f"{text}: {error}") from None
    return TypeText(f"{name}:{int(size)}", kind, number)


def parse_value(kind: ValueType[Any] | None, text: str) -> Value:
    """The value that `text` stands for: one that `kind` packs, or a bool; raises ValueError."""
    text = text if kind is not None and kind.name.startswith("string") else text.strip()
    if kind is None:
        if text.lower() not in _ON + _OFF:
            raise ValueError(f"a bit must be on or off, 1 or 0, got {text!r}")
        return text.lower() in _ON
    if kind.name.startswith("string"):
        return text
    if kind.name.endswith("bits"):
        if not text or set(text) - {"0", "1"}:
            raise ValueError(f"{kind.name} must be 0 and 1, the lowest bit last, got {text!r}")
        return tuple(digit == "1" for digit in reversed(text))
    is_whole = kind.name in INTEGERS or kind.name.startswith("BCD")
    try:
        if text[:2].lower() == "0x" or (is_whole and text.lstrip("+-").isdecimal()):
            return int(text, 0 if text[:2].lower() == "0x" else 10)
        if not is_whole:
            return float(text)
    except ValueError:
        pass
    what = "a whole number" if is_whole else "a number"
    raise ValueError(f"{kind.name} must be {what}, got {text!r}")


def shown(value: Value) -> str:
    """A value as text: floats with the digits that they have, bits as on and off.

    What a device has in a text is not to move the cursor: control characters are escaped.
    """
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
    """A float that came from 32 bits without the digits that these do not have: 22.34."""
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

"""Suggestions for values and types that do not fit: what the user may have meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..pasting import for_shell
from .numbers import parse_float

if TYPE_CHECKING:
    from .items import Item

_RANGES = {
    f"{sign}int{bits}": (0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    for bits in (16, 32, 64)
    for sign in ("u", "")
}
_WORDS = ("on", "off", "true", "false", "yes", "no")
_MOST_DECIMALS = 3
# The names of other programs and of IEC 61131-3.
OTHER_NAMES = {
    **dict.fromkeys(("float", "real", "single", "f32", "flt"), "float32"),
    **dict.fromkeys(("double", "lreal", "f64"), "float64"),
    **dict.fromkeys(("word", "uint", "ushort", "u16", "unsigned"), "uint16"),
    **dict.fromkeys(("int", "short", "s16", "i16", "signed"), "int16"),
    **dict.fromkeys(("dword", "udint", "ulong", "u32"), "uint32"),
    **dict.fromkeys(("dint", "long", "s32", "i32"), "int32"),
    **dict.fromkeys(("lword", "ulint", "u64"), "uint64"),
    **dict.fromkeys(("lint", "s64", "i64"), "int64"),
    **dict.fromkeys(("byte", "usint", "u8"), "uint8"),
    **dict.fromkeys(("sint", "s8", "i8", "char"), "int8"),
    **dict.fromkeys(("bool", "boolean", "bit"), "bit:0"),
    **dict.fromkeys(("str", "string", "text", "ascii"), "string:16"),
    **dict.fromkeys(("bcd", "bcd4"), "bcd:4"),
    **dict.fromkeys(("bits", "flags"), "bits:16"),
}


def type_meant(text: str, names: list[str]) -> str:
    """Return the type that a user seems to mean with `text`; `names` has all types; "" if none."""
    from difflib import get_close_matches  # here, because only errors need it

    name = text.strip().lower().replace("_", "").replace("-", "")
    found = OTHER_NAMES.get(name)
    if found is None:
        close = get_close_matches(name, [*names, *OTHER_NAMES], 1, 0.7)
        found = OTHER_NAMES.get(close[0], close[0]) if close else ""
    return found


def suggested(place: str, item: Item, value: str) -> str:
    """Return the end of an error text with assignments that `value` fits, or ""."""
    if item.is_part or item.single is None or item.repeats not in (None, value.count(",") + 1):
        return ""
    forms = _forms(item, value)
    if not forms:
        return ""
    return "; try " + " or ".join(for_shell(f"{place}/{form}={value}") for form in forms)


def _forms(item: Item, value: str) -> list[str]:
    """Return the types, or the scale, with which the registers of `item` could hold `value`."""
    name = item.type.partition("x")[0]
    parts = value.split(",")
    if item.is_text:
        return [f"string:{len(value.encode())}"]
    try:
        numbers = [parse_float(part) for part in parts]
    except ValueError:
        if all(part.strip().lower() in _WORDS for part in parts):
            return ["bit:0"] if len(parts) == 1 and name in _RANGES else []
        size = len(value.encode())
        return [f"string:{size}"] if len(parts) == 1 and value.isprintable() else []
    if name not in _RANGES:
        return []
    if all(float(number).is_integer() for number in numbers if abs(number) < 1e300):
        fitting = (
            other
            for other, (least, most) in _RANGES.items()
            if all(least <= number <= most for number in numbers)
        )
        return [other for other in fitting if other != name][:1]
    decimals = max(len(part.strip().partition(".")[2]) for part in parts)
    scale = f"{10.0**-decimals:g}"
    is_plain = all(set(part.strip()) <= set("+-.0123456789") for part in parts)
    if not is_plain or decimals > _MOST_DECIMALS:
        return ["float32"]
    kind = "int16/" if min(numbers) < 0 else ""
    least, most = _RANGES["int16" if kind else "uint16"]
    fits = all(least <= number * 10**decimals <= most for number in numbers)
    return ["float32", *([f"{kind}{scale}"] if fits else [])]


def unit_advice(text: str) -> str:
    """Return the end of an error about a unit id that is too large for one, or ""."""
    numbers = [int(each) for each in text.replace("..", ",").split(",") if each.strip().isdecimal()]
    large = next((each for each in numbers if each > 255), None)
    if large is None:
        return ""
    place = f", and an address is written hr:{large}" if large < 65536 else ""
    return f"; a unit id is one byte, the number of the device on its line{place}"

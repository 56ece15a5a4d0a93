"""The parser of numbers that users type: whole numbers, decimals, ranges and times.

A number is decimal, or hexadecimal after 0x, with or without a sign. All tools that read a number
from text call this module. Errors are ValueError with a sentence that begins with "must be"; the
caller adds the name of the option or field before it.
"""

from __future__ import annotations

import math
import re

_WHOLE = re.compile(r"([+-]?)(?:0[xX]([0-9a-fA-F]+)|([0-9]+))")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?:inf|nan)")
_LONGEST = 1e9  # seconds, 31 years
_MOST_DIGITS = 4096  # enough for the longest BCD value; Python refuses longer ones


class Seconds(float):
    """A time in seconds that prints in the form that users type: 500ms, 1s, 2.5s."""

    def __str__(self) -> str:
        return f"{self * 1000:g}ms" if 0 < self < 1 else f"{float(self):g}s"


def parse_int(text: str) -> int:
    """Return the whole number in `text`, such as "16", "-3" or "0x10"; raises ValueError."""
    found = _WHOLE.fullmatch(text.strip())
    if found is None or len(text) > _MOST_DIGITS:
        raise ValueError(f"must be a whole number, such as 16 or 0x10, got {text!r}")
    sign, hexadecimal, decimal = found.groups()
    number = int(hexadecimal, 16) if hexadecimal else int(decimal)
    return -number if sign == "-" else number


def parse_float(text: str) -> float:
    """Return the number in `text`, such as "22.5", "1e3", "nan" or "0x10"; raises ValueError."""
    try:
        return parse_int(text)
    except ValueError:
        if _DECIMAL.fullmatch(text.strip().lower()) is None:
            raise ValueError(f"must be a number, such as 22.5, got {text!r}") from None
        return float(text)


def parse_whole(text: str, least: int, most: int | None = None, *, name: str = "") -> int:
    """Return the whole number in `text`, `least` to `most`.

    Raises ValueError; its text begins with `name`.
    """
    try:
        number = parse_int(text)
    except ValueError:
        number = least - 1
    if number < least or (most is not None and number > most):
        allowed = f"{least} or more" if most is None else f"{least}..{most}"
        raise ValueError(f"{name} must be a whole number, {allowed}, got {text!r}".lstrip())
    return number


def parse_range(text: str, least: int, most: int) -> range:
    """Return the numbers of "5..9" or "5", each within `least` to `most`.

    Raises ValueError, also for a range that does not ascend.
    """
    first, dots, last = text.partition("..")
    start = parse_whole(first, least, most)
    stop = parse_whole(last, least, most) if dots else start
    if stop < start:
        raise ValueError(f"must ascend, as in {stop}..{start}, got {text.strip()!r}")
    return range(start, stop + 1)


def parse_numbers(text: str, least: int, most: int) -> list[int]:
    """Return the numbers of "1,5,10..20" in order, each once; raises ValueError."""
    numbers: dict[int, None] = {}
    for part in text.split(","):
        numbers.update(dict.fromkeys(parse_range(part, least, most)))
    return list(numbers)


def parse_seconds(text: str, *, zero: bool = False) -> Seconds:
    """Return the time in "1", "1.5s", "200ms", "2m" or "1h"; 0 is allowed only with `zero`.

    Raises ValueError.
    """
    from modwire.endpoint_text import seconds_in  # here, because the help starts without modwire

    found = seconds_in(text)
    seconds = math.nan if found is None else found
    if not 0 <= seconds <= _LONGEST or not (seconds or zero):
        least = "0 or more" if zero else "more than 0"
        raise ValueError(f"must be a time of {least}, such as 500ms, 1s or 2m, got {text!r}")
    return Seconds(seconds)

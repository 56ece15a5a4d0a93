"""The text of values in the window, and the values of typed text."""

from __future__ import annotations

from ..simulator.view import PointInfo
from ..values.numbers import parse_float, parse_int
from ..values.types import parse_value
from ..values.types import shown as shown_value

_LONGEST_LABEL = 32  # characters
_FLOATS = ("float16", "float32", "float64")


def shown(point: PointInfo) -> str:
    """Return the text of a point's value: "230.1", "on", or "0101" for bits, lowest bit last."""
    value = point.value
    if value is None:
        return "invalid"
    if isinstance(value, list):
        items: list[object] = value  # pyright: ignore[reportUnknownVariableType]
        if point.type == "bits":
            return "".join("1" if item else "0" for item in reversed(items))
        return ", ".join(map(_shown, items))
    return _shown(value)


def _shown(value: object) -> str:
    return shown_value(value) if isinstance(value, (bool, int, float, str)) else str(value)


def typed(point: PointInfo, text: str) -> object:
    """Return the value of `point` that was typed as `text`; raises ValueError."""
    if point.type == "string":
        return text
    if point.type in ("bool", "bit"):
        return parse_value(None, text)
    text = text.strip()
    if point.type == "bits":
        if not text or set(text) - {"0", "1"}:
            raise ValueError(
                f"{point.name}: bits must be 0 and 1, the lowest bit last, got {text!r}"
            )
        return [digit == "1" for digit in reversed(text)]
    number = _number(text)
    if number is None:
        raise ValueError(f"{point.name} must be a number, got {text!r}")
    # A scaled value may have decimals in an integer register: the view decides.
    return float(number) if point.type in _FLOATS else number


def _number(text: str) -> int | float | None:
    for parse in (parse_int, parse_float):
        try:
            return parse(text)
        except ValueError:
            pass
    return None


def editor_label(name: str, unit: str) -> str:
    """Return the label of the field for the value of a point; its letter is V.

    The name is from a file: a long one would push the buttons out of the window.
    """
    text = f"{name} ({unit})" if unit else name
    text = "".join(each if each.isprintable() else "?" for each in text)
    if len(text) > _LONGEST_LABEL:
        text = f"{text[: _LONGEST_LABEL - 3]}..."
    return f"&Value of {text.replace('&', '&&')}"


def plain_label(text: str) -> str:
    """Return a label without the & before its letter; && stands for one &."""
    return text.replace("&&", "\0").replace("&", "").replace("\0", "&")

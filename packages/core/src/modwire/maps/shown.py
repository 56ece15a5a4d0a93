"""Texts of the values in a map: expressions, from which the constructor makes an equal map."""

from __future__ import annotations

from enum import Enum
from math import isfinite


def shown(value: object) -> str:
    """Return an expression for `value`; `repr` gives none for an enum, a NaN and an infinity."""
    if isinstance(value, Enum):
        kind = type(value)
        is_member = value.name in kind.__members__  # else it has several flags
        return f"{kind.__name__}.{value.name}" if is_member else f"{kind.__name__}({value.value!r})"
    if isinstance(value, float) and not isfinite(value):
        return f"float({str(value)!r})"
    if type(value) is tuple:
        items: tuple[object, ...] = value  # pyright: ignore[reportUnknownVariableType]
        return f"({', '.join(map(shown, items))}{',' if len(items) == 1 else ''})"
    return repr(value)

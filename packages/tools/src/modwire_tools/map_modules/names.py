"""Names of points and devices as names of attributes and classes."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterable

from modwire.maps import RegisterMap, kinds

CONSTANTS = ("UNIT", "UNIT_NAME", "NAMES", "DEVICE", "ENDPOINT")
"""The names in a module that are no points; `class_module` says what they have."""

_TAKEN = frozenset(
    {
        *dir(RegisterMap),
        *kinds.__all__,
        *CONSTANTS,
        "RegisterMap",
        "ClassVar",
        "Mapping",
        "scaled",
        "bcd_of",
    }
)


def attribute_names(names: Iterable[str]) -> list[str]:
    """Return a name of an attribute for each name of a point: "Phase L1" becomes phase_l1.

    A name that can be one already stays as it is. All are different, and none is one that a map
    has, or that the module imports.
    """
    wanted = list(names)
    plain = {name for name in wanted if _is_free(name)}
    used: set[str] = set()
    found: list[str] = []
    for name in wanted:
        base = name if name in plain else _attribute(name)
        chosen, number = base, 2
        while chosen in used or (chosen in plain and chosen != name):
            chosen, number = f"{base}_{number}", number + 1
        used.add(chosen)
        found.append(chosen)
    return found


def class_name(text: str) -> str:
    """Return the name of a class for the name of a device: "Energy meter" becomes EnergyMeter."""
    words = re.findall(r"\w+", _normal(text).replace("_", " "))
    name = "".join(word[:1].upper() + word[1:] for word in words)
    if not name or not name[0].isalpha():
        name = f"Device{name}"
    if not name.isidentifier():
        name = "Device"
    return f"{name}Map" if name in _TAKEN or keyword.iskeyword(name) else name


def _attribute(name: str) -> str:
    text = re.sub(r"\W+", "_", _normal(name).lower()).strip("_")
    if not text or not text[0].isalpha():
        text = f"point_{text}".rstrip("_")
    if not text.isidentifier():
        text = "point"
    return text if _is_free(text) else f"{text}_"


def _is_free(name: str) -> bool:
    return (
        name.isidentifier()
        and _normal(name) == name
        and not name.startswith("_")
        and not keyword.iskeyword(name)
        and name not in _TAKEN
    )


def _normal(text: str) -> str:
    """Return a text as Python reads names."""
    return unicodedata.normalize("NFKC", text)

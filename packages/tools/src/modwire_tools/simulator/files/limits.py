"""Limits of device files: a small file must not fill the memory, or take minutes to read."""

from __future__ import annotations

import os
import re
from pathlib import Path

LARGEST = 1 << 25  # bytes; a device with all 262,144 values needs a twentieth of it
MOST_UNITS = 256
MOST_VALUES = 1 << 24  # of all units: 64 units with all 262,144 values
MOST_IN_POINTS = 1 << 20  # values, characters and digits of all points of a unit
LARGEST_RECORDING = 1 << 26  # bytes

RECORDINGS = "MODWIRE_RECORDINGS"
"""The environment variable with folders that recordings may be in, as in PATH."""

_MOST_PARTS = 64
_PART = r"(?:[A-Za-z0-9_-]+|\"[^\"\n]*\"|'[^'\n]*')"
# The time and the memory of Python's TOML parser grow with the square of the parts.
_LONG_KEY = re.compile(rf"(?<![\w\"'-]){_PART}(?:[ \t]*\.[ \t]*{_PART}){{{_MOST_PARTS}}}")


def check_keys(text: str) -> None:
    """Raise ValueError if a key in a TOML file has too many parts, a.b.c and so on."""
    found = _LONG_KEY.search(text)
    if found is not None:
        line = text.count("\n", 0, found.start()) + 1
        raise ValueError(f"a key must have at most {_MOST_PARTS} parts (at line {line})")


def find_recording(file: str, folder: Path) -> Path:
    """Return the path of a recording in the `folder` of its device file.

    It may be in a folder inside, or in one of those in `MODWIRE_RECORDINGS`: a device file from
    elsewhere must not be able to read any file. Raises ValueError if it is not.
    """
    path = folder / file
    others = os.environ.get(RECORDINGS, "").split(os.pathsep)
    allowed = [folder, *[Path(other) for other in others if other]]
    try:
        real = path.resolve()
        inside = any(real.is_relative_to(each.resolve()) for each in allowed)
    except (OSError, RuntimeError, ValueError):  # a circle of links, a NUL
        raise ValueError(f"cannot find {file!r}") from None
    if not inside:
        raise ValueError(
            f"{file!r} is not in the folder of the device file; {RECORDINGS} in the environment "
            "may have other folders with recordings"
        )
    return real

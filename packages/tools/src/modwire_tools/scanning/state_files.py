"""Files in which a scan or a scrape keeps how far it is, for the same command another day."""

from __future__ import annotations

import json
import os
from pathlib import Path
from stat import S_ISREG
from typing import Any

_LARGEST = 1 << 28  # bytes; what is known of 247 full units is less

# What a file of ours that somebody has changed may raise where it is taken up.
DAMAGES = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)


def is_there(path: Path) -> bool:
    """Whether there is a file; raises ValueError for what is none, such as a device or a folder."""
    if not path.exists():
        return False
    if not S_ISREG(path.stat().st_mode):
        raise ValueError(f"{path} is no file, name another one")
    return True


def read_state(path: Path, key: str) -> tuple[str, dict[str, Any]]:
    """What stands under `key`, by which our files are known, and all that is in the file.

    Raises OSError where it cannot be read, one of `DAMAGES` where it is no such file.
    """
    with path.open("rb") as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise ValueError("it is too large")
    state: dict[str, Any] = dict(json.loads(data))
    return str(state[key]), state


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Replace the file as a whole: a crash leaves the old one or the new one. Raises OSError."""
    # A name of its own: what stands beside it is somebody else's.
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        try:
            beside.write_text(json.dumps(state), encoding="utf-8")
            os.replace(beside, path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise type(error)(error.errno, f"cannot write {path}: {error.strerror}") from None


def between(low: int, value: object, high: int) -> int:
    """`value`, if it is a whole number in this range; raises ValueError otherwise."""
    number = int(str(value))
    if not low <= number <= high:
        raise ValueError(f"it must be {low}..{high}, got {number}")
    return number

"""The generated parts of pages: functions that return Markdown, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .packages import packages

PARTS: Final[dict[str, Callable[[], str]]] = {
    "packages": packages,
}

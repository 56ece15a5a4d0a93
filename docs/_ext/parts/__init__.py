"""The generated parts of pages, each a function that returns Markdown, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

PARTS: Final[dict[str, Callable[[], str]]] = {}

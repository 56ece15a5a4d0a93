"""The devices of the zoo, in files by what is odd; `load` imports them all."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from ..device import DEVICES

__all__ = ["DEVICES", "load"]


def load() -> None:
    """Import every file of this folder, so that `DEVICES` is complete."""
    for file in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        import_module(f"{__name__}.{file.stem}")

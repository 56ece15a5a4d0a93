"""The tables of the rooms of core, and of the files of an adapter, from their docstrings."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from .markdown import code, table, text

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[3]
CORE = ROOT / "packages" / "core" / "src" / "modwire"


def rooms() -> str:
    """Return the rooms of core from the ground up, each with its files and what they are for."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    parts = []
    for layer in reversed(layers):
        names = [name.strip() for name in layer.split("|")]
        rows = [[code(str(path.relative_to(CORE))), text(_about(path))] for path in _files(names)]
        parts.append(f"## {', '.join(names)}\n\n{table(['file', 'what it is'], rows)}\n")
    return "\n".join(parts)


def _files(names: list[str]) -> list[Path]:
    """Return the files of rooms, without those that only name what is in others."""
    found = []
    for name in names:
        folder = CORE / name
        found += sorted(folder.glob("*.py")) if folder.is_dir() else [CORE / f"{name}.py"]
    return [path for path in found if path.name != "__init__.py" or _is_long(path)]


def _is_long(path: Path) -> bool:
    return len(path.read_text(encoding="utf-8").splitlines()) > 60


def _about(path: Path) -> str:
    about = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return about.partition("\n\n")[0]

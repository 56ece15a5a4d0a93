"""The table of packages, from their pyproject.toml."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from .markdown import code, table, text

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[3]
_ORDER = ("core", "sync", "asyncio", "trio", "gevent", "stores", "testing", "tools")


def projects() -> list[dict[str, Any]]:
    """Return the [project] table of each package, the core first."""
    return [
        tomllib.loads((ROOT / "packages" / name / "pyproject.toml").read_text("utf-8"))["project"]
        for name in _ORDER
    ]


def packages() -> str:
    """Return a table with the name, the import, the purpose and the needs of each package."""
    rows = []
    for project in projects():
        needs = [_name(each) for each in project.get("dependencies", [])]
        name = project["name"]
        rows.append(
            [
                code(name),
                code(name.replace("-", "_")),
                text(project["description"]),
                ", ".join(dict.fromkeys(needs)) or "nothing",
                ", ".join(map(code, sorted(project.get("optional-dependencies", {})))) or "-",
            ]
        )
    return table(["install", "import", "what it is", "needs", "extras"], rows)


def _name(requirement: str) -> str:
    """Return the name of a requirement, without its version."""
    name = requirement.partition(";")[0]
    for mark in "=<>!~ ":
        name = name.partition(mark)[0]
    return name

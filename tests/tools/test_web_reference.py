"""The page on the REST interface names every route, and those of pymodbus 1.x."""

from __future__ import annotations

import re
from pathlib import Path

from modwire_tools.simulator.fields import fields_of
from modwire_tools.web.api import OPERATIONS

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "rest.md"


def test_every_route_is_in_the_table_of_the_documentation() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    named = {"mode": "`set_mode`", "networks": "`allow`", "clients": "`watched`", None: "always"}
    rows = []
    for each in OPERATIONS:
        arguments = [
            f"`{name}`" if field.required else f"`[{name}]`"
            for name, field in fields_of(each.asks).items()
            if not each.has_in_path(name)
        ]
        where = named.get(each.feature, "a simulation")
        rows.append((f"`{each.method} {each.path}`", ", ".join(arguments), where))
    found = re.findall(r"^\| (`[A-Z]+ /api[^|]*`) \| [^|]+ \| ([^|]*) \| ([^|]+) \|$", text, re.M)
    assert [(route, words) for route, words, _ in found] == [row[:2] for row in rows]
    for (_, _, there), (_, _, where) in zip(found, rows, strict=True):
        assert there.endswith(where)


def test_every_route_of_pymodbus_has_one_here() -> None:
    """The table names routes that are there."""
    text = REFERENCE.read_text(encoding="utf-8").partition("pymodbus 1.x")[2]
    rows = re.findall(r"^\| `(?:GET|POST) /[^|]+\| ([^|]+) \|$", text, re.M)
    assert len(rows) == 11
    routes = {f"{each.method} {each.path}" for each in OPERATIONS}
    for row in rows:
        for method, path in re.findall(r"`([A-Z]+) ([^`?]+)", row):
            assert f"{method} /api/devices/{{device}}{path}" in routes

"""The tables of names on the pages for those who come from pymodbus, and what the names are."""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
import re
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import modwire
import modwire_sync

# Packages whose names the pages give, the one that wins first.
_PACKAGES = (
    *("modwire", "modwire.values", "modwire.maps", "modwire_sync", "modwire_asyncio"),
    *("modwire_stores", "modwire_tools", "pytest_modwire", "modwire.tls"),
)
# Instances by the name under which the pages speak of them; none of them opens anything.
_INSTANCES: dict[str, Any] = {
    "client": modwire_sync.TcpClient("127.0.0.1"),
    "server": modwire_sync.TcpServer,
    "block": modwire.SequentialBlock(0, [0]),
    "unit": modwire.Unit(),
}


class Row(NamedTuple):
    """A row of a table: what is in backticks in the first column, and the second column."""

    theirs: list[str]
    here: str


def rows_of(page: Path, version: str) -> list[Row]:
    """Return the rows of all tables of a page whose first column has the names of a version."""
    found: list[Row] = []
    is_table = False
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith(f"| pymodbus {version} |"):
            is_table = True
        elif not line.startswith("|"):
            is_table = False
        elif is_table and not line.startswith("|---"):
            first, _, second = line.strip("| ").partition(" | ")
            found.append(Row(re.findall(r"`([^`]+)`", first), second))
    return found


def names_in(package: Path) -> dict[str, set[str]]:
    """Return the public names that each module of an installed package defines.

    The source is read: some modules of pymodbus 2.5.3 need packages that are not there.
    """
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        module = ".".join(part for part in parts if part != "__init__")
        found[module] = {name for name in _defined(_tree(path).body) if not name.startswith("_")}
    return found


def _defined(body: list[ast.stmt]) -> Iterator[str]:
    for each in body:
        match each:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                yield each.name
            case ast.Assign():
                for target in each.targets:
                    yield from (name.id for name in ast.walk(target) if isinstance(name, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.If():
                yield from _defined([*each.body, *each.orelse])
            case ast.Try():
                bodies = [each.body, each.orelse, *(handler.body for handler in each.handlers)]
                for inner in bodies:
                    yield from _defined(inner)


def methods_in(package: Path, classes: set[str]) -> set[str]:
    """Return the public methods of classes of an installed package, without the inherited ones."""
    found: set[str] = set()
    missing = set(classes)
    for path in package.rglob("*.py"):
        for each in _tree(path).body:
            if isinstance(each, ast.ClassDef) and each.name in classes:
                missing.discard(each.name)
                found |= {
                    inner.name
                    for inner in each.body
                    if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef))
                    and not inner.name.startswith("_")
                }
    assert not missing, missing
    return found


@cache
def _tree(path: Path) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes in texts of pymodbus
        return ast.parse(path.read_text(encoding="utf-8"))


def is_here(token: str) -> bool:
    """True if a name or a command of a page exists here, with the arguments in its brackets."""
    if token.startswith("modwire "):
        return _is_command(token.split())
    if token.startswith("modwire.") and token in (
        "modwire.client",
        "modwire.server",
        "modwire.wire",
    ):
        return True  # a logger
    found = re.fullmatch(r"([\w.]+)(?:\((.*)\)|\[\d+\] = \d+)?", token)
    if found is None:
        return token.startswith('"')
    try:
        value = _resolved(found[1])
    except (AttributeError, LookupError):
        return False
    wanted = set(re.findall(r"(\w+)=", found[2] or ""))
    return wanted <= (_parameters(value) if wanted else set())


def _resolved(path: str) -> Any:
    first, *rest = path.split(".")
    if first in _INSTANCES:
        value = _INSTANCES[first]
    elif first in _PACKAGES:
        value = importlib.import_module(first)
    elif hasattr(builtins, first):
        value = getattr(builtins, first)
    else:
        modules = [importlib.import_module(name) for name in _PACKAGES]
        value = next(getattr(each, first) for each in modules if first in _names(each))
    for name in rest:
        value = _attribute(value, name)
    return value


def _names(module: Any) -> list[str]:
    found: list[str] = module.__all__
    return found


def _attribute(value: Any, name: str) -> Any:
    """Return an attribute; that of an instance, if only an instance of the class has it."""
    if inspect.isclass(value) and not hasattr(value, name):
        if name in getattr(value, "__annotations__", {}):
            return None
        value = {modwire.Unit: modwire.Unit(), modwire.Units: modwire.Units({})}[value]
    return getattr(value, name)


def _parameters(value: Any) -> set[str]:
    found = set(inspect.signature(value).parameters)
    if "more" in found:  # the options of a client
        found |= set(inspect.signature(modwire.ClientOptions).parameters)
    return found


def _is_command(words: list[str]) -> bool:
    from modwire_command import good

    if words[1] not in good("--help"):
        return False
    return all(word in good(words[1], "--help") for word in words[2:] if word.startswith("--"))

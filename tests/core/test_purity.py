"""Core stays pure, for programs that embed or vendor it: no clock, I/O or dependency."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Set
from pathlib import Path

import pytest

CORE = Path(__file__).parents[2] / "packages" / "core" / "src" / "modwire"
SOURCES = sorted(CORE.rglob("*.py"))

# Modules that only compute.
PURE = {
    "__future__",
    "abc",
    "array",
    "binascii",
    "bisect",
    "collections",
    "collections.abc",
    "copy",
    "difflib",
    "enum",
    "functools",
    "gc",
    "heapq",
    "ipaddress",
    "itertools",
    "math",
    "operator",
    "re",
    "struct",
    "types",
    "typing",
    "urllib.parse",
    "weakref",
}
# TLS has certificates in files, whose dates are compared with the clock; its rights are in a file,
# and its audit log goes to another. Only this room has I/O, and nothing else in core imports it.
OF_TLS = {
    "datetime",
    "errno",
    "hashlib",
    "importlib",
    "json",
    "logging",
    "logging.handlers",
    "os",
    "pathlib",
    "ssl",
    "sys",
}
# Only the checkers read these.
FOR_CHECKERS = PURE | {"typing_extensions"}
FORBIDDEN_CALLS = {"__import__", "breakpoint", "compile", "eval", "exec", "input", "open", "print"}


def is_type_checking(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )


def imports(
    node: ast.AST, for_checkers: bool = False
) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Return each import below `node`, and True if it is under `if TYPE_CHECKING`."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield node, for_checkers
    elif isinstance(node, ast.If) and is_type_checking(node):
        for child in node.body:
            yield from imports(child, True)
        for child in node.orelse:
            yield from imports(child, for_checkers)
    else:
        for child in ast.iter_child_nodes(node):
            yield from imports(child, for_checkers)


def problems(source: str, depth: int, more: Set[str] = frozenset()) -> list[str]:
    """Return the impure imports in `source`, a module `depth` packages deep.

    It may import `more` than other modules.
    """
    tree = ast.parse(source)
    found: list[str] = []
    for node, for_checkers in imports(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            if node.level > depth:
                found.append(f"line {node.lineno}: a relative import leaves the package")
            continue
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            names = [alias.name for alias in node.names]
        allowed = (FOR_CHECKERS if for_checkers else PURE) | more
        found += [f"line {node.lineno}: imports {name}" for name in names if name not in allowed]
    for call in ast.walk(tree):
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Name)
            and call.func.id in FORBIDDEN_CALLS
        ):
            found.append(f"line {call.lineno}: calls {call.func.id}()")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=[str(path.relative_to(CORE)) for path in SOURCES])
def test_core_needs_no_clock_no_io_and_no_dependency(path: Path) -> None:
    parts = path.relative_to(CORE).parts
    more: Set[str] = OF_TLS if parts[0] == "tls" else frozenset()
    assert problems(path.read_text(encoding="utf-8"), len(parts), more) == []


def test_every_room_is_looked_at() -> None:
    rooms = {path.relative_to(CORE).parts[0] for path in SOURCES if path.parent != CORE}
    assert {"messages", "framing", "units", "client", "server", "gateway", "tls"} <= rooms


def test_relative_imports_stay_inside_core_at_every_depth() -> None:
    assert problems("from ..errors import ModbusError", depth=1)
    assert not problems("from ..errors import ModbusError", depth=2)
    assert problems("from ...other import name", depth=2)


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import os.path",
        "from socket import socket",
        "import modwire",
        "from modwire.errors import ModbusError",
        "import collections, threading",
        "def late():\n    import asyncio",
        "from typing_extensions import Self",
        "if TYPE_CHECKING:\n    import random",
        "if TYPE_CHECKING:\n    pass\nelse:\n    import select",
        "from .. import other",
        "print(1)",
    ],
)
def test_the_check_itself_sees_what_it_looks_for(source: str) -> None:
    assert len(problems(source, depth=1)) == 1


def test_only_the_room_of_tls_may_import_ssl() -> None:
    assert problems("import ssl", depth=2)
    assert not problems("import ssl", depth=2, more=OF_TLS)


def test_importing_core_loads_nothing_that_waits_or_is_slow_to_load() -> None:
    """A program that embeds core must not load threads, sockets or dataclasses with it."""
    script = (
        "import sys; before = set(sys.modules); import modwire, modwire.tls;"
        "print(*set(sys.modules) - before)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = set(result.stdout.split())
    assert "modwire" in loaded
    assert not loaded & {
        "asyncio",
        "dataclasses",
        "inspect",
        "logging",
        "random",
        "select",
        "selectors",
        "socket",
        "ssl",
        "subprocess",
        "threading",
    }

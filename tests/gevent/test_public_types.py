"""gevent has no types of its own, so nothing that a user's type checker sees may need them.

A strict project without types-gevent gets no errors from modwire_gevent: mypy and pyright see the
public names, whose annotations are those of the standard library and of the core.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

import modwire_gevent
from modwire_gevent import sniffing

PUBLIC = [getattr(modwire_gevent, name) for name in modwire_gevent.__all__]
PUBLIC.append(sniffing.SerialSniffer)


def names_of_gevent(module: ModuleType) -> set[str]:
    """The names that a module imports from gevent, or from greenlet."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            ("gevent", "greenl")
        ):
            found |= {each.asname or each.name for each in node.names}
        elif isinstance(node, ast.Import):
            names = [each.asname or each.name for each in node.names]
            found |= {each for each in names if each.startswith(("gevent", "greenlet"))}
    return found


def annotated(public: Any) -> Iterator[tuple[str, str, ModuleType]]:
    """Yield the annotations that a checker sees: each with its place and its module."""
    members: list[tuple[str, Any]] = [(public.__name__, public)]
    if isinstance(public, type):
        for base in public.__mro__:
            members += [(f"{base.__name__}.{name}", each) for name, each in vars(base).items()]
            module = inspect.getmodule(base)
            for name, text in vars(base).get("__annotations__", {}).items():
                if not name.startswith("_") and module is not None:
                    yield f"{base.__name__}.{name}", str(text), module
    for place, member in members:
        name = place.rpartition(".")[2]
        member = member.fget if isinstance(member, property) else member
        member = inspect.unwrap(getattr(member, "__func__", member))
        if inspect.isfunction(member) and (not name.startswith("_") or name == "__init__"):
            module = inspect.getmodule(member)
            if module is not None and module.__name__.startswith("modwire"):
                for argument, text in member.__annotations__.items():
                    yield f"{place}({argument})", str(text), module


@pytest.mark.parametrize("public", PUBLIC, ids=lambda each: each.__name__)
def test_public_annotations_need_no_types_of_gevent(public: Any) -> None:
    found = list(annotated(public))
    assert found
    for place, text, module in found:
        used = set(re.findall(r"\w+", text))
        assert not used & names_of_gevent(module), f"{place}: {text}"


def test_the_check_sees_names_of_gevent() -> None:
    from modwire_gevent.servers import base

    assert {"Greenlet", "Event", "gevent"} <= names_of_gevent(base)

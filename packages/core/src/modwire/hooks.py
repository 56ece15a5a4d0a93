"""Functions of the user that the core calls: checked when they are given, not when they are due."""

from __future__ import annotations

from types import CodeType
from typing import TypeVar

HookT = TypeVar("HookT")

_CO_COROUTINE = 0x80  # flag in the code object of an `async def`


def is_coroutine_function(function: object) -> bool:
    """Return True if `function` was defined by `async def`."""
    code = getattr(function, "__code__", None)
    return isinstance(code, CodeType) and bool(code.co_flags & _CO_COROUTINE)


def check_methods(cls: type, base: type, awaited: str = "") -> None:
    """Raise TypeError if `cls` overrides a method of `base`, but `awaited`, with an `async def`.

    Nothing would await it: a write would be answered, but never be done.
    """
    for name, method in vars(cls).items():
        if is_coroutine_function(method) and hasattr(base, name) and name != awaited:
            raise TypeError(
                f"{cls.__name__}.{name}() must not be async: nothing awaits it; a unit that waits "
                "is an AsyncUnit with an async execute()"
            )


def check_hook(usage: str, hook: HookT) -> HookT:
    """Return `hook`; raise TypeError unless it is None or a function that need not be awaited."""
    if hook is not None and not callable(hook):
        raise TypeError(f"{usage} must be a function or None, got {hook!r}")
    if is_coroutine_function(hook):
        # Nothing would await it, and a coroutine is true, so it would authorize every request.
        raise TypeError(f"{usage} must not be a coroutine function, got {hook!r}")
    return hook

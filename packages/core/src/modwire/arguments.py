"""Errors for wrong arguments of our constructors and functions: they name what the user called.

Python would name a base class of ours, and neither the allowed arguments nor the nearest name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from types import FunctionType
from typing import ParamSpec, TypeVar

_CO_VARKEYWORDS = 0x08  # flag in the code object of a function with **arguments

P = ParamSpec("P")
T = TypeVar("T")

# What users call an argument, by the names of other programs or of another of our interfaces.
_OTHER_NAMES = {
    "response_timeout": "timeout",
    "timeout": "response_timeout",
    "unit_id": "unit",
    "device_id": "unit",
    "slave": "unit",
    "slave_id": "unit",
    "databits": "bytesize",
    "data_bits": "bytesize",
    "host": "address",
    "port": "address",
}


def explained(function: Callable[P, T]) -> Callable[P, T]:
    """Let `function`, perhaps a constructor, explain arguments that do not fit its signature."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except TypeError as error:
            # Python raises it in this frame if the arguments do not fit, otherwise in a deeper one.
            is_ours = error.__traceback__ is not None and error.__traceback__.tb_next is None
            text = _explanation(function, args, kwargs) if is_ours else ""
            if not text:
                raise
        raise TypeError(text)

    return call


def keyword_defaults(function: object) -> Mapping[str, object]:
    """Return the arguments of an explained function that have to be named, and their defaults."""
    function = getattr(function, "__wrapped__", function)
    return getattr(function, "__kwdefaults__", None) or {}


def check_arguments(
    owner: str, given: Iterable[str], allowed: Iterable[str], uses: Mapping[str, str]
) -> None:
    """Raise TypeError for an argument in `given` that is not allowed.

    `owner` is the class that the user called; `uses` has what options of other classes are for.
    """
    names = list(allowed)
    for name in given:
        if name not in names:
            use = f", which is for {uses[name]}" if name in uses else ""
            hint = "" if use else did_you_mean(names, name)
            rest = "" if use or hint else f"; it has {', '.join(names)}"
            raise TypeError(f"{owner} has no argument {name!r}{use}{hint}{rest}")


def did_you_mean(allowed: list[str], name: str) -> str:
    """Return the end of an error text: the allowed name that is nearest to `name`, or ""."""
    from difflib import get_close_matches  # here, because only errors need it

    other = _OTHER_NAMES.get(name, "")
    if other in allowed:
        return f"; did you mean {other!r}?"
    close = get_close_matches(name, allowed, 1) or [each for each in allowed if name in each]
    return f"; did you mean {close[0]!r}?" if close else ""


def _explanation(
    function: Callable[..., object], args: tuple[object, ...], kwargs: Mapping[str, object]
) -> str:
    """Return what is wrong with a call, or "" if nothing is."""
    if not isinstance(function, FunctionType):
        return ""
    code = function.__code__
    is_method = code.co_varnames[:1] == ("self",) and bool(args)
    owner = type(args[0]).__name__ if function.__name__ == "__init__" else function.__name__
    if function.__name__ == "__call__":
        owner = repr(args[0])
    positional = code.co_varnames[is_method : code.co_argcount]
    named = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    given = args[is_method:]
    if not code.co_flags & _CO_VARKEYWORDS:
        try:
            check_arguments(owner, kwargs, (*positional, *named), {})
        except TypeError as error:
            return str(error)
    if len(given) > len(positional):
        is_open = bool(code.co_flags & _CO_VARKEYWORDS)
        return _too_many(owner, positional, () if is_open else named, given)
    twice = [name for name in positional[: len(given)] if name in kwargs]
    if twice:
        return f"{owner} got the argument {twice[0]!r} twice, without its name and with it"
    needed = (*positional[: len(positional) - len(function.__defaults__ or ())],)
    missing = [name for name in needed[len(given) :] if name not in kwargs]
    missing += [name for name in named if name not in {**(function.__kwdefaults__ or {}), **kwargs}]
    them = f"the arguments {', '.join(needed)}: " if len(needed) > 1 else "an argument: "
    return f"{owner} needs {them}{missing[0]!r} is missing"


def _too_many(
    owner: str, positional: tuple[str, ...], named: tuple[str, ...], given: tuple[object, ...]
) -> str:
    place, extra = given[len(positional) - 1] if positional else None, given[len(positional)]
    if isinstance(place, str) and isinstance(extra, int) and positional[-1] == "address":
        return f"{owner} takes the address as one argument, the pair ({place!r}, {extra!r})"
    names = f"only {', '.join(positional)} " if positional else "nothing "
    rest = f", one of {', '.join(named)}" if named else ""
    return f"{owner} takes {names}without a name, got {extra!r} too: give it by its name{rest}"

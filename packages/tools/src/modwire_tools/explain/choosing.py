"""`choose`: the functions that a user names, by name or by code."""

from __future__ import annotations

from collections.abc import Iterable

from ..values.numbers import parse_int
from .kinds import KINDS, Kind


def choose(words: Iterable[str]) -> list[Kind]:
    """Return the kinds for names or function codes, in order; all kinds if there are no words.

    A name is the name of a kind or of a message class; a code is 3, 0x03, 8/11 or 43/14. Raises
    ValueError, which says what is allowed.
    """
    words = list(words)
    if not words:
        return list(KINDS)
    found: list[Kind] = []
    for word in words:
        fitting = [kind for kind in KINDS if _fits(kind, word)]
        if not fitting:
            raise ValueError(_unknown(word))
        found += [kind for kind in fitting if kind not in found]
    return found


def _fits(kind: Kind, word: str) -> bool:
    code, slash, sub_code = word.strip().partition("/")
    if _as_code(code) is not None and (not slash or _as_code(sub_code) is not None):
        return kind.code == _as_code(code) and (not slash or kind.sub_code == _as_code(sub_code))
    plain = "".join(letter for letter in word.lower() if letter.isalnum())
    names = {kind.name.replace("_", "")}
    if kind.code == 8:
        names.add("diagnostics")
    return plain in names or any(
        plain == name + ending for name in names for ending in ("request", "response")
    )


def _as_code(text: str) -> int | None:
    try:
        return parse_int(text)
    except ValueError:
        return None


def _unknown(word: str) -> str:
    from difflib import get_close_matches  # here, because only errors need it

    every = ["diagnostics", *(kind.name for kind in KINDS)]
    close = get_close_matches(word.lower().replace("-", "_").replace(" ", "_"), every, 3, 0.8)
    if close:
        return f"there is no function {word!r}, did you mean {' or '.join(close)}?"
    codes = ", ".join(dict.fromkeys([str(kind.code) for kind in KINDS]))
    names = ", ".join([kind.name for kind in KINDS if kind.code != 8])
    return (
        f"a function must be a code ({codes}, or 8/11, 43/14) or a name ({names}, diagnostics or "
        f"one of its sub-functions such as return_query_data), got {word!r}; --pdu takes any other"
    )

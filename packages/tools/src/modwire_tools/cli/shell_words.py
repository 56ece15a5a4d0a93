"""Words of a command line that is not finished, as bash reads them: for completion."""

from __future__ import annotations

from typing import NamedTuple

_SPACES = " \t\n"
_NEXT_COMMAND = "|&;()"
_ESCAPED_IN_QUOTES = '$`"\\\n'
_QUOTED = frozenset("\t \"'$`\\!*?[]{}()<>|&;#~")


class Typed(NamedTuple):
    """The last word of a line, at the cursor: as it was typed, its value, and its open quote."""

    raw: str = ""
    value: str = ""
    quote: str = ""


def split(line: str) -> tuple[list[str], Typed]:
    """Return the values of the whole words of the last command in `line`, and the word at its end.

    That word is empty behind a space.
    """
    words: list[str] = []
    raw = value = quote = ""
    is_word = False
    at = 0
    while at < len(line):
        piece = line[at]
        is_escape = piece == "\\" and quote != "'"
        following = line[at + 1 : at + 2]
        if is_escape and (not quote or (following and following in _ESCAPED_IN_QUOTES)):
            raw, value, is_word = raw + piece + following, value + following, True
            at += 2
            continue
        at += 1
        if not quote and piece in _SPACES + _NEXT_COMMAND:
            if is_word:
                words.append(value)
            if piece in _NEXT_COMMAND:
                words = []
            raw, value, is_word = "", "", False
            continue
        raw, is_word = raw + piece, True
        if quote:
            if piece == quote:
                quote = ""
            else:
                value += piece
        elif piece in "'\"":
            quote = piece
        else:
            value += piece
    return words, Typed(raw, value, quote)


def unquoted(raw: str) -> str:
    """Return the value of one word as it was typed, also if a quote in it is open."""
    return split(raw)[1].value


def quoted(value: str, quote: str) -> str:
    """Return `value` as a user would type it inside an open `quote`; "" is outside of quotes."""
    if quote == "'":
        return value.replace("'", "'\\''")
    special = _ESCAPED_IN_QUOTES if quote else _QUOTED
    return "".join(f"\\{each}" if each in special else each for each in value)

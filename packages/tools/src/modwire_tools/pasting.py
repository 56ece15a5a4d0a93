"""`for_shell`: words that can be pasted into a shell; all that shows commands uses this module."""

from __future__ import annotations

import os
import re
import shlex

_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,-][A-Za-z0-9_./:@%+,=-]*")
_SPECIAL_IN_QUOTES = frozenset('"$`\\!')


def for_shell(text: str) -> str:
    """Return `text` as one word: as it is, or in quotes if a shell would change it.

    Double quotes mean the same in bash, zsh, fish, PowerShell and cmd, but not around each
    character.
    """
    if _PLAIN.fullmatch(text):
        return text
    if os.name == "nt" or not _SPECIAL_IN_QUOTES & set(text):
        return f'"{text}"'
    return shlex.quote(text)


def command_line(*words: object) -> str:
    """Return a `modwire` command with these words."""
    return " ".join(["modwire", *(for_shell(str(word)) for word in words)])


def command(*words: object) -> str:
    """Return a `modwire` command between the quotes for code, as a part of a sentence."""
    return f"`{command_line(*words)}`"

"""`Arguments`: the values that a user gives for the fields of messages, as text.

`modwire generate` fills them from its options. Errors are ValueError with one sentence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..values.numbers import parse_int

_SEPARATORS = re.compile(r"[\s,]+")
_ON = {"1": True, "on": True, "true": True, "0": False, "off": False, "false": False}


class Arguments:
    """Texts by the name of their argument; `used` has the names that a message has needed."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self.given = dict(given)
        self.used: set[str] = set()

    def text(self, name: str) -> str | None:
        """Return the text of an argument; None if it was not given."""
        self.used.add(name)
        return self.given.get(name)

    def number(self, name: str, default: int) -> int:
        """Return a number; the message checks its range."""
        text = self.text(name)
        return default if text is None else parse_number(name, text)

    def numbers(self, name: str) -> list[int] | None:
        """Return numbers with commas or spaces between them."""
        text = self.text(name)
        return None if text is None else parse_numbers(name, text)

    def bits(self, name: str) -> list[bool] | None:
        """Return states: 1 or on, and 0 or off; a word such as 1011 has one state per digit."""
        text = self.text(name)
        if text is None:
            return None
        words = [word for word in _SEPARATORS.split(text.strip().lower()) if word]
        if len(words) == 1 and len(words[0]) > 1 and not words[0].strip("01"):
            words = list(words[0])
        for word in words:
            if word not in _ON:
                raise ValueError(f"--{name} must be 1 or on, or 0 or off, for each, got {word!r}")
        return [_ON[word] for word in words]

    def bytes(self, name: str) -> bytes | None:
        """Return text, or hexadecimal digits after 0x, as bytes."""
        text = self.text(name)
        return None if text is None else parse_bytes(name, text)

    def switch(self, name: str, default: bool) -> bool:
        """Return True for on and False for off."""
        text = self.text(name)
        if text is None:
            return default
        if text.lower() not in _ON:
            raise ValueError(f"--{name} must be on or off, got {text!r}")
        return _ON[text.lower()]

    def groups(self, name: str) -> list[str] | None:
        """Return the parts between semicolons."""
        text = self.text(name)
        if text is None:
            return None
        return [part.strip() for part in text.split(";") if part.strip()]


def parse_number(name: str, text: str) -> int:
    """Return a decimal number, or a hexadecimal one after 0x."""
    try:
        return parse_int(text)
    except ValueError:
        raise ValueError(
            f"--{name} must be a number such as 16 or 0x10, got {text.strip()!r}"
        ) from None


def parse_numbers(name: str, text: str) -> list[int]:
    """Return numbers with commas or spaces between them."""
    return [parse_number(name, word) for word in _SEPARATORS.split(text.strip()) if word]


def parse_bytes(name: str, text: str) -> bytes:
    """Return text, or hexadecimal digits after 0x with or without spaces, as bytes."""
    if not text.lower().startswith("0x"):
        return text.encode()
    try:
        return bytes.fromhex(text[2:])
    except ValueError:
        raise ValueError(
            f"--{name} must be text, or pairs of hexadecimal digits behind 0x, got {text!r}"
        ) from None


def numbers_of(name: str, text: str, form: str, count: int) -> Sequence[int]:
    """Return `count` numbers with colons between them, such as those of a file record."""
    words = text.split(":")
    if len(words) != count:
        raise ValueError(f"--{name} must be {form}, got {text!r}")
    return [parse_number(name, word) for word in words]

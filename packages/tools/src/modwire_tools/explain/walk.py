"""`Walk`: splits the bytes of a message into fields, even if bytes are missing.

Its caller need not check for missing bytes: the first missing one ends the walk by CutOffError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Field(NamedTuple):
    """Some bytes of a message: their offset, their name and their meaning."""

    start: int
    data: bytes
    name: str  # "function code", "quantity", "CRC-16"
    meaning: str  # "3, read holding registers"; "10 registers"; "0BB0, low byte first: right"


class CutOffError(Exception):
    """Raised if bytes are missing; the walk already has a field that says so."""


class Walk:
    """The fields of `data`, whose first byte is at `start` of the message."""

    def __init__(self, data: bytes, start: int = 0) -> None:
        self.fields: list[Field] = []
        self._data = data
        self._at = 0
        self._start = start

    @property
    def left(self) -> int:
        """Number of remaining bytes."""
        return len(self._data) - self._at

    def take(self, size: int, name: str, meaning: Callable[[bytes], str] | str) -> bytes:
        """Take a field of `size` bytes. Raises CutOffError if there are fewer."""
        data = self._data[self._at : self._at + size]
        if len(data) < size:
            lack = f"cut off: {count(size, 'byte')} due, {len(data)} there"
            if not data:
                lack = f"missing: {count(size, 'byte')} due"
            self._add(data, name, lack)
            raise CutOffError
        self._add(data, name, meaning if isinstance(meaning, str) else meaning(data))
        return data

    def rest(self, name: str, meaning: Callable[[bytes], str] | str) -> bytes:
        """Take all remaining bytes, if there are any."""
        return self.take(self.left, name, meaning) if self.left else b""

    def peek(self, size: int) -> bytes:
        """Return the next `size` bytes, or all remaining ones, without taking them."""
        return self._data[self._at : self._at + size]

    def amend(self, name: str, meaning: str) -> None:
        """Replace the meaning of the field `name`, which has been taken."""
        for index, field in enumerate(self.fields):
            if field.name == name:
                self.fields[index] = field._replace(meaning=meaning)

    def _add(self, data: bytes, name: str, meaning: str) -> None:
        self.fields.append(Field(self._start + self._at, data, name, meaning))
        self._at += len(data)


def count(number: int, what: str) -> str:
    """Return a number and a noun: "1 byte", "2 bytes"."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"

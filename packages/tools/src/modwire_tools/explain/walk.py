"""`Walk`: takes one field after the other off the bytes of a message, also where bytes are missing.

What explains a function is written as if all bytes were there; the first one that is not ends it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Field(NamedTuple):
    """Some bytes of a message: from `start` on, what they are called, and what they say."""

    start: int
    data: bytes
    name: str  # "function code", "quantity", "CRC-16"
    meaning: str  # "3, read holding registers"; "10 registers"; "0BB0, low byte first: right"


class CutOffError(Exception):
    """The bytes end where a field should be; the field that tells it is already there."""


class Walk:
    """The fields of `data`, whose first byte is at `start` of the message.

    `request` is the PDU that is answered by `data`, "" where there is none or it is not known.
    """

    def __init__(self, data: bytes, start: int = 0, request: bytes = b"") -> None:
        self.fields: list[Field] = []
        self.request = request
        self._data = data
        self._at = 0
        self._start = start

    @property
    def left(self) -> int:
        """How many bytes were not taken yet."""
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

    def byte(self, name: str, meaning: Callable[[int], str] | None = None) -> int:
        """Take a field of one byte. Raises CutOffError if there is none."""
        return self._number(1, name, meaning)

    def word(self, name: str, meaning: Callable[[int], str] | None = None) -> int:
        """Take a field of two bytes, high byte first. Raises CutOffError if there are fewer."""
        return self._number(2, name, meaning)

    def _number(self, size: int, name: str, meaning: Callable[[int], str] | None) -> int:
        def tell(data: bytes) -> str:
            number = int.from_bytes(data, "big")
            return str(number) if meaning is None else meaning(number)

        return int.from_bytes(self.take(size, name, tell), "big")

    def echo(self, size: int, name: str, meaning: Callable[[int], str]) -> int:
        """Take a number that repeats what the request has at the same place."""
        due = self.request[self._at : self._at + size]

        def tell(number: int) -> str:
            text = meaning(number)
            if len(due) == size and number != int.from_bytes(due, "big"):
                text += f"; wrong, the request had {int.from_bytes(due, 'big')}"
            return text

        return self._number(size, name, tell)

    def rest(self, name: str, meaning: Callable[[bytes], str] | str) -> bytes:
        """Take all that is left, if anything is."""
        return self.take(self.left, name, meaning) if self.left else b""

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, or those that are left, without taking them."""
        return self._data[self._at : self._at + size]

    def amend(self, name: str, meaning: str) -> None:
        """Say something else of the field `name`, which was taken already."""
        for index, field in enumerate(self.fields):
            if field.name == name:
                self.fields[index] = field._replace(meaning=meaning)

    def _add(self, data: bytes, name: str, meaning: str) -> None:
        self.fields.append(Field(self._start + self._at, data, name, meaning))
        self._at += len(data)


def count(number: int, what: str) -> str:
    """ "1 byte", "2 bytes"."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"

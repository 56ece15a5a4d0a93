"""`Section`: a table of a device file, with checked access to its values.

An error names the file, the place in it and what is allowed: "meter.toml: unit 1, point 2
(voltage), type must be one of ..."
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import TypeVar

import msgspec

from ...addresses import Place, parse_place
from ...values.numbers import parse_seconds
from ..devices import SILENCE
from ..expressions import shortened
from ..fields import fields_of

T = TypeVar("T")
_SILENCE = "silence"
_HEX = "hex:"

_MOST_SHOWN = 1000  # characters


class DeviceFileError(ValueError):
    """Raised for a mistake in a device file; says where it is, and what is allowed.

    A long text is cut: it may quote a value of megabytes. `path` has the tables around the mistake,
    such as ("unit 1", "point 2"), and `key` the key in the innermost of them, or "".
    """

    def __init__(self, text: str, *, path: Sequence[str] = (), key: str = "") -> None:
        super().__init__(text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}...")
        self.path = tuple(path)
        self.key = key


class Section:
    """The table at `place` in a file; `allowed` are the keys that it may have.

    With None, `wrong_keys` looks for others later. `path` has the tables of `place` one by one;
    `whole` is what the file describes.
    """

    def __init__(
        self,
        values: Mapping[str, object],
        allowed: Sequence[str] | None,
        file: str,
        place: str = "",
        path: Sequence[str] = (),
        *,
        whole: str = "the device",
    ) -> None:
        self._whole = whole
        self._values = values
        self._file = file
        self.place = place
        self.path = tuple(path)
        for error in () if allowed is None else self.wrong_keys(allowed):
            raise error

    def wrong_keys(self, allowed: Sequence[str]) -> Iterator[DeviceFileError]:
        """Return an error for each key that is not one of `allowed`."""
        for key in self._values:
            if key not in allowed:
                close = get_close_matches(key, allowed, 1)
                hint = f"; did you mean {close[0]}?" if close else ""
                text = f"may have {', '.join(allowed)}, got {_shown(key)}{hint}"
                yield DeviceFileError(f"{self._where('')} {text}", path=self.path, key=key)

    def error(self, key: str, text: str) -> DeviceFileError:
        """Return an error about `key`; `text` follows its place, as in "must be ..."."""
        return DeviceFileError(f"{self._where(key)} {text}", path=self.path, key=key)

    def failure(self, key: str, error: Exception | str) -> DeviceFileError:
        """Return an error about `key`, made from another error or a whole sentence."""
        return DeviceFileError(f"{self._where(key)}: {error}", path=self.path, key=key)

    def _where(self, key: str) -> str:
        place = ", ".join(part for part in (self.place, key) if part) or self._whole
        return f"{self._file}: {place}"

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def keys(self) -> Iterator[str]:
        """Return the keys of the table."""
        return iter(self._values)

    def get(self, key: str) -> object:
        """Return the value of a key; raises `DeviceFileError` if it is missing."""
        if key not in self._values:
            raise self.error(key, "is missing")
        return self._values[key]

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text."""
        if default is not None and key not in self._values:
            return default
        value = self.get(key)
        if not isinstance(value, str):
            raise self.error(key, f"must be a text, got {_shown(value)}")
        return value

    def one_of(self, key: str, allowed: Sequence[str], default: str) -> str:
        """Return a text that is one of `allowed`."""
        value = self.text(key, default)
        if value not in allowed:
            raise self.error(key, f"must be one of {', '.join(allowed)}, got {_shown(value)}")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """Return true or false."""
        value = self._values.get(key, default)
        if not isinstance(value, bool):
            raise self.error(key, f"must be true or false, got {_shown(value)}")
        return value

    def integer(self, key: str, least: int, most: int, default: int | None = None) -> int:
        """Return an integer, `least` to `most`."""
        value = self.get(key) if default is None else self._values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.error(key, f"must be {least}..{most}, got {_shown(value)}")
        return value

    def number(self, key: str, default: float | None = None, *, above: float = -math.inf) -> float:
        """Return a finite number, more than `above`."""
        value = self.get(key) if default is None else self._values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.error(key, f"must be a number, got {_shown(value)}")
        if value != default and not (_is_finite(value) and value > above):
            bound = f" more than {above:g}" if above > -math.inf else ", and finite"
            raise self.error(key, f"must be a number{bound}, got {_shown(value)}")
        return value

    def seconds(self, key: str, default: float | None = None) -> float:
        """Return a time above 0 in seconds, from a number or a text such as "500ms"."""
        if default is not None and key not in self._values:
            return default
        value = self.get(key)
        if not isinstance(value, str):
            return self.number(key, above=0.0)
        try:
            return float(parse_seconds(value))
        except ValueError as error:
            raise self.error(key, str(error)) from None

    def address(self, key: str = "at") -> Place:
        """Return an address in a table."""
        value = self.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 0xFFFFF:
            value = f"{value:05}"  # a reference without quotes, such as 40001
        if not isinstance(value, str):
            raise self.error(key, f"must be a place such as hr:16, got {_shown(value)}")
        try:
            return parse_place(value)
        except ValueError as error:
            raise self.failure(key, error) from None

    def code(self, key: str) -> int:
        """Return an exception code, or `SILENCE`."""
        value = self.get(key)
        if value == _SILENCE:
            return SILENCE
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 255:
            raise self.error(
                key, f'must be an exception code 1..255 or "silence", got {_shown(value)}'
            )
        return value

    def data(self, key: str, most: int) -> bytes:
        """Return bytes, from a text (as UTF-8), or from "hex:" and hexadecimal digits."""
        text = self.text(key)
        if text.startswith(_HEX):
            try:
                found = bytes.fromhex(text[len(_HEX) :])
            except ValueError:
                raise self.error(
                    key, f"must have pairs of hexadecimal digits behind hex:, got {_shown(text)}"
                ) from None
        else:
            found = text.encode()
        if len(found) > most:
            raise self.error(key, f"must have at most {most} bytes, got {len(found)}")
        return found

    def registers(self, key: str, *, has_bits: bool = False) -> tuple[int, ...]:
        """Return registers or bits, from a list of numbers or from a text.

        The text has registers of four hexadecimal digits each, or bits as 0 and 1.
        """
        value = self.get(key)
        if isinstance(value, str):
            return self._parse_values(key, value, has_bits)
        most = 1 if has_bits else 0xFFFF
        allowed = "0, 1, true or false" if has_bits else "0..65535"
        if not isinstance(value, list):
            raise self.error(key, f"must be a list of {allowed} or a text, got {_shown(value)}")
        items: list[object] = value  # pyright: ignore[reportUnknownVariableType]
        numbers: list[int] = []
        for number, item in enumerate(items):
            fits = isinstance(item, int) and (has_bits or not isinstance(item, bool))
            if not isinstance(item, int) or not fits or not 0 <= item <= most:
                raise self.error(
                    key, f"must be {allowed}, got {_shown(item)} as number {number + 1}"
                )
            numbers.append(int(item))
        return tuple(numbers)

    def _parse_values(self, key: str, text: str, has_bits: bool) -> tuple[int, ...]:
        if has_bits:
            digits = "".join(text.split())
            if digits.strip("01"):
                raise self.error(key, f"must be 0 and 1, got {_shown(text)}")
            return tuple(map(int, digits))
        words = text.split()
        for word in words:
            if len(word) != 4 or word.strip("0123456789abcdefABCDEF"):
                raise self.error(
                    key, f"must be registers of four hexadecimal digits each, got {_shown(word)}"
                )
        return tuple(int(word, 16) for word in words)

    def section(self, key: str, allowed: Sequence[str] | None) -> Section:
        """Return a table inside this one."""
        return Section(self._mapping(key, self.get(key)), allowed, self._file, *self._inner(key))

    def model(self, key: str, kind: type[T], defaults: Mapping[str, object]) -> T:
        """Return a table as a dataclass; `defaults` has values for missing required fields."""
        fields = fields_of(kind)
        section = self.section(key, tuple(fields))
        found = dict(defaults)
        for name, field in fields.items():
            if name in section:
                try:
                    found[name] = field.check(section.get(name))
                except ValueError as error:
                    raise section.error(name, str(error)) from None
            elif field.required and name not in defaults:
                raise section.error(name, "is missing")
        return msgspec.convert(found, kind)

    def shortened(self, key: str, main: str) -> Section:
        """Return a table whose key `main` is the value of `key`, as for `copy = "a"`."""
        return Section({main: self.get(key)}, (main,), self._file, *self._inner(key))

    def mapping(self, key: str, allowed: Callable[[str], T | None], what: str) -> dict[T, Section]:
        """Return the keys of a table, converted by `allowed`, each with the table itself.

        `allowed` returns None for a wrong key; `what` is the text for the allowed keys.
        """
        if key not in self._values:
            return {}
        values = self._mapping(key, self.get(key))
        inner = Section(values, list(values), self._file, *self._inner(key))
        found: dict[T, Section] = {}
        for name in values:
            turned = allowed(name)
            if turned is None:
                raise inner.error("", f"may have {what}, got {_shown(name)}")
            found[turned] = inner
        return found

    def sections(self, key: str, allowed: Sequence[str] | None, name: str = "") -> list[Section]:
        """Return the tables in a list; in errors, the value of key `name` identifies them."""
        value = self._values.get(key, [])
        if not isinstance(value, list):
            raise self.error(key, f"must be a list, [[{key}]] in TOML, got {_shown(value)}")
        items: list[object] = value  # pyright: ignore[reportUnknownVariableType]
        found: list[Section] = []
        for number, item in enumerate(items, 1):
            values = self._mapping(f"{key} {number}", item)
            known = f" ({_named(values[name])})" if name in values else ""
            place, _ = self._inner(f"{key} {number}{known}")
            _, path = self._inner(f"{key} {number}")
            found.append(Section(values, allowed, self._file, place, path))
        return found

    def _inner(self, key: str) -> tuple[str, Sequence[str]]:
        """Return the place and the path of a table inside this one."""
        return f"{self.place}, {key}" if self.place else key, (*self.path, key)

    def _mapping(self, key: str, value: object) -> Mapping[str, object]:
        if not isinstance(value, dict):
            raise self.error(key, f"must be a table, got {_shown(value)}")
        found: dict[str, object] = value  # pyright: ignore[reportUnknownVariableType]
        return found


def _is_finite(number: float) -> bool:
    """Return True if a float can hold the number: a file may have integers of any length."""
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def _shown(value: object) -> str:
    """Return a value for an error message, cut if it is long."""
    try:
        return shortened(repr(value))
    except (RecursionError, ValueError):  # for an integer of thousands of digits
        return "something too large"


def _named(value: object) -> str:
    """Return the name of a table for an error message, without control characters."""
    return shortened(value) if isinstance(value, str) and value.isprintable() else _shown(value)


def quoted_data(data: bytes) -> str:
    """Return bytes as `Section.data` reads them."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = _HEX
    if text.startswith(_HEX) or not text.isprintable():
        return f"{_HEX}{data.hex()}"
    return text


def named_code(code: int) -> int | str:
    """Return a code as `Section.code` reads it."""
    return _SILENCE if code == SILENCE else code

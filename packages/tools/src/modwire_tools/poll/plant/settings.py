"""`Settings`: the table of a sink, with secrets from the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...simulator.fields import shown
from ...simulator.files.sections import DeviceFileError, Section
from ...values.numbers import parse_seconds

_SECRET = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kMGT]?)i?B?")
_FACTORS = {"": 1, "k": 1000, "M": 10**6, "G": 10**9, "T": 10**12}


class Settings:
    """The values of a table by key. Texts may have `${NAME}`, a variable of the environment.

    Each method raises `DeviceFileError`, which says what is allowed, and never shows a variable.
    `folder` is that of the plant file, from which relative paths begin.
    """

    def __init__(self, section: Section, environment: Mapping[str, str], folder: Path) -> None:
        self.section = section
        self.folder = folder
        self._environment = environment

    def __contains__(self, key: str) -> bool:
        return key in self.section

    def error(self, key: str, text: str) -> DeviceFileError:
        """Return an error about `key`; `text` follows its place, as in "must be ..."."""
        return self.section.error(key, text)

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text with its variables; `$$` is a dollar."""
        return self._filled(key, self.section.text(key, default))

    def _filled(self, key: str, text: str) -> str:
        def value(found: re.Match[str]) -> str:
            if found[0] == "$$":
                return "$"
            if found[1] is None:
                raise self.error(key, "must have $$ for a dollar, or ${NAME} for a variable")
            if found[1] not in self._environment:
                raise self.error(key, f"needs {found[1]} in the environment, and it is not there")
            return self._environment[found[1]]

        return _SECRET.sub(value, text)

    def one_of(self, key: str, allowed: Sequence[str], default: str) -> str:
        """Return a text that is one of `allowed`."""
        return self.section.one_of(key, allowed, default)

    def flag(self, key: str, default: bool) -> bool:
        """Return true or false."""
        return self.section.flag(key, default)

    def integer(self, key: str, least: int, most: int, default: int | None = None) -> int:
        """Return an integer, `least` to `most`."""
        return self.section.integer(key, least, most, default)

    def seconds(self, key: str, default: float | None = None) -> float:
        """Return a time above 0 in seconds, from a number or a text such as "500ms" or "7d"."""
        if key in self.section and isinstance(days := self.section.get(key), str):
            if re.fullmatch(r"\d+(\.\d+)?d", days):
                return float(parse_seconds(f"{float(days[:-1]) * 24:.12f}h"))
        return self.section.seconds(key, default)

    def size(self, key: str, default: int) -> int:
        """Return a number of bytes, at least 1000, from a number or a text such as "100MB"."""
        if key not in self.section:
            return default
        value = self.section.get(key)
        found = _SIZE.fullmatch(str(value).strip()) if not isinstance(value, bool) else None
        number = float(found[1]) * _FACTORS[found[2]] if found is not None else 0.0
        if not 1000 <= number <= 10**15:
            raise self.error(key, f"must be a size such as 100MB, at least 1kB, got {shown(value)}")
        return int(number)

    def path(self, key: str) -> Path:
        """Return a path; a relative one begins at the folder of the plant file."""
        text = self.text(key)
        if not text or "\0" in text:
            raise self.error(key, f"must be the name of a file, got {self.section.text(key)!r}")
        return self.folder / text

    def values(self) -> dict[str, object]:
        """Return all values, with their variables, to compare this table with another one."""
        found = {key: self.section.get(key) for key in self.section.keys()}  # noqa: SIM118
        return {
            key: self._filled(key, value) if isinstance(value, str) else value
            for key, value in found.items()
        }

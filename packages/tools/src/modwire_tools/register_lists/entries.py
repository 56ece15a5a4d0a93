"""`Entry`: a table of a register list, with its line if the format has lines."""

from __future__ import annotations

from collections.abc import Sequence

from ..simulator.fields import shown
from ..simulator.files.sections import DeviceFileError, Section
from ..values.numbers import parse_float, parse_int


class Located(dict[str, object]):
    """A table and the line that it begins in, 1 for the first."""

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line


class Tagged:
    """A value of YAML that another program must resolve, such as `!secret`."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def table_of(value: object) -> dict[str, object] | None:
    """Return a table, None for anything else."""
    return value if isinstance(value, dict) else None  # pyright: ignore[reportUnknownVariableType]


def list_of(value: object) -> list[object] | None:
    """Return a list, None for anything else."""
    return value if isinstance(value, list) else None  # pyright: ignore[reportUnknownVariableType]


class Entry(Section):
    """A section of a register list; its errors and notes name the line.

    Numbers may be texts, as in Home Assistant and in CSV.
    """

    def __init__(self, value: object, allowed: Sequence[str], file: str, place: str = "") -> None:
        line = getattr(value, "line", 0)
        self._whole_file = file
        self.where = ", ".join(
            part for part in (f"{file}, line {line}" if line else file, place) if part
        )
        values = table_of(value)
        if values is None:
            raise DeviceFileError(f"{self.where}: must be a table, got {shown(value)}")
        super().__init__(values, allowed, f"{file}, line {line}" if line else file, place)

    def entry(self, key: str, allowed: Sequence[str]) -> Entry:
        """Return a table inside this one."""
        return Entry(self._table(key), allowed, self._whole_file, self._inner(key)[0])

    def free(self, key: str) -> Entry:
        """Return a table inside this one, whose keys are names of the user."""
        values = self._table(key)
        return Entry(values, tuple(values), self._whole_file, self._inner(key)[0])

    def names(self) -> list[str]:
        """Return the keys of the table."""
        return list(self.keys())

    def entries(self, key: str, allowed: Sequence[str], name: str = "name") -> list[Entry]:
        """Return the tables in a list, [] without it; errors identify them by key `name`."""
        found: list[Entry] = []
        for number, item in enumerate(self.listed(key), 1):
            known = (table_of(item) or {}).get(name)
            known = f" ({known})" if isinstance(known, str) and known.isprintable() else ""
            place, _ = self._inner(f"{key} {number}{known}")
            found.append(Entry(item, allowed, self._whole_file, place))
        return found

    def listed(self, key: str) -> list[object]:
        """Return the items of a list, [] without it; YAML may have nothing behind a key."""
        value = self.get(key) if key in self else None
        items = [] if value is None else list_of(value)
        if items is None:
            raise self.error(key, f"must be a list, got {shown(value)}")
        return items

    def whole(self, key: str, least: int, most: int, default: int | None = None) -> int:
        """Return a whole number, `least` to `most`, which may be a text such as "0x10"."""
        value = self.get(key) if key in self or default is None else default
        if isinstance(value, str):
            try:
                value = parse_int(value)
            except ValueError as error:
                raise self.error(key, f"{error}; {least}..{most} are allowed") from None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.error(key, f"must be {least}..{most}, got {shown(value)}")
        return value

    def decimal(self, key: str, default: float) -> float:
        """Return a finite number, which may be a text."""
        value = self.get(key) if key in self else default
        if isinstance(value, str):
            try:
                value = parse_float(value)
            except ValueError as error:
                raise self.error(key, str(error)) from None
        number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
        if number is None or number != number or abs(number) > 1e300:
            raise self.error(key, f"must be a finite number, got {shown(value)}")
        return number

    def option(self, key: str, allowed: Sequence[str], default: str) -> str:
        """Return a text that is one of `allowed`; "" and nothing count as `default`."""
        if key not in self or self.get(key) in ("", None):
            return default
        return self.one_of(key, allowed, default)

    def label(self, key: str, default: str | None = None) -> str:
        """Return a text; a number counts as its digits, because YAML needs no quotes."""
        value = self.get(key) if key in self or default is None else default
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return str(value)
        if not isinstance(value, str) or not value:
            raise self.error(key, f"must be a text, got {shown(value)}")
        return value

    def _table(self, key: str) -> dict[str, object]:
        value = table_of(self.get(key))
        if value is None:
            raise self.error(key, f"must be a table, got {shown(self.get(key))}")
        return value

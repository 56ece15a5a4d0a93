"""Behaviours in device files: `value = { sine = { around = 230, ... } }`."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from ...values.numbers import parse_float
from ..behaviours import Behaviour, Choice, Copy, Counter, Ramp, RandomWalk, Replay, Sine
from ..expressions import Expression
from ..fields import fields_of, is_list, shown
from .limits import LARGEST_RECORDING, find_recording
from .sections import DeviceFileError, Section

_MISSING = object()


def _choice(value: Section, folder: Path) -> Behaviour:
    values = value.get("values")
    if not is_list(values) or not values:
        raise value.error("values", f"must be a list of at least one value, got {shown(values)}")
    items: list[int | float | str] = []
    for item in values:
        if not isinstance(item, (int, float, str, bool)):
            raise value.error(
                "values", f"must be numbers, texts or true and false, got {shown(item)}"
            )
        items.append(item)
    return Choice(
        tuple(items), value.number("interval", 1.0, above=0), value.flag("at_random", False)
    )


def _copy(value: Section, folder: Path) -> Behaviour:
    return Copy(value.text("point"))


def _expression(value: Section, folder: Path) -> Behaviour:
    try:
        return Expression(value.text("text"))
    except DeviceFileError:
        raise
    except ValueError as error:
        raise value.failure("", error) from None


def _replay(value: Section, folder: Path) -> Behaviour:
    file, column = value.text("file"), value.text("column")
    time_column = value.text("time_column", "time")
    try:
        times, values = read_recording(find_recording(file, folder), column, time_column)
    except (ValueError, csv.Error) as error:
        raise value.failure("file", error) from None
    except OSError as error:
        raise value.failure("file", f"cannot read {file}: {error.strerror}") from None
    return Replay(
        file,
        column,
        time_column,
        value.flag("loop", True),
        value.flag("interpolate", False),
        times,
        values,
    )


def _random_walk(table: Section, name: str, folder: Path) -> Behaviour:
    walk = table.model(name, RandomWalk, {"start": 0.0, "step": 1.0})
    if not walk.low <= walk.start <= walk.high:
        text = f"start must be {walk.low:g}..{walk.high:g}, got {walk.start:g}"
        raise table.failure(name, text)
    return walk


class _Kind(NamedTuple):
    """Reads a behaviour. A file may have the text of setting `main` instead of a table."""

    type: type[Behaviour]
    settings: Sequence[str]
    main: str
    make: Callable[[Section, str, Path], Behaviour]


def _plain(kind: type[Sine | Ramp | Counter], **defaults: float) -> _Kind:
    """Return the kind of a behaviour whose settings are the fields of its class."""

    def read(table: Section, name: str, folder: Path) -> Behaviour:
        return table.model(name, kind, defaults)

    return _Kind(kind, tuple(fields_of(kind)), "", read)


def _own(
    kind: type[Behaviour],
    settings: Sequence[str],
    make: Callable[[Section, Path], Behaviour],
    main: str = "",
) -> _Kind:
    """Return the kind of a behaviour with its own reader."""

    def read(table: Section, name: str, folder: Path) -> Behaviour:
        if main and isinstance(table.get(name), str):
            return make(table.shortened(name, main), folder)
        return make(table.section(name, settings), folder)

    return _Kind(kind, settings, main, read)


BEHAVIOURS = {
    "sine": _plain(Sine, around=0.0, amplitude=1.0, period=60.0),
    "ramp": _plain(Ramp, start=0.0, period=60.0),
    "random_walk": _Kind(RandomWalk, tuple(fields_of(RandomWalk)), "", _random_walk),
    "counter": _plain(Counter),
    "choice": _own(Choice, ("values", "interval", "at_random"), _choice),
    "copy": _own(Copy, ("point",), _copy, "point"),
    "expression": _own(Expression, ("text",), _expression, "text"),
    "replay": _own(Replay, ("file", "column", "time_column", "loop", "interpolate"), _replay),
}


def read_behaviour(point: Section, folder: Path) -> Behaviour:
    """Return the behaviour in the table `value` of a point; recordings are in `folder`."""
    table = point.section("value", tuple(BEHAVIOURS))
    names = list(table.keys())
    if len(names) != 1:
        raise table.error("", f"must be one of {', '.join(BEHAVIOURS)}, got {len(names)} of them")
    return BEHAVIOURS[names[0]].make(table, names[0], folder)


def behaviour_values(behaviour: Behaviour) -> dict[str, object]:
    """Return a behaviour as `read_behaviour` reads it, without settings that are default."""
    for name, kind in BEHAVIOURS.items():
        if isinstance(behaviour, kind.type):
            if isinstance(behaviour, Expression):
                return {name: behaviour.expression}
            if kind.main:
                return {name: getattr(behaviour, kind.main)}
            values: dict[str, object] = {}
            for setting in kind.settings:
                value: object = getattr(behaviour, setting)
                if value == getattr(kind.type, setting, _MISSING):
                    continue  # a dataclass has its defaults as attributes
                if isinstance(value, float) and value.is_integer():
                    value = int(value)
                values[setting] = list(value) if isinstance(value, tuple) else value  # pyright: ignore[reportUnknownArgumentType]
            return {name: values}
    raise ValueError(f"a device file has no behaviour {type(behaviour).__name__}")


def read_recording(
    path: Path, column: str, time_column: str
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the times, from 0.0, and the values in a column of a CSV file with a header line.

    Times are seconds or ISO 8601. Raises OSError, and ValueError with the number of a wrong line.
    No error shows the content: who names a file in a device file need not be who may read it.
    """
    times: list[float] = []
    values: list[float] = []
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is no file")  # a folder, or a device that could be read for ever
    if path.stat().st_size > LARGEST_RECORDING:
        raise ValueError(f"{path} must have at most {LARGEST_RECORDING} bytes")
    try:
        _read_rows(path, column, time_column, times, values)
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no text in UTF-8") from None
    if not times:
        raise ValueError(f"{path} has no line of values")
    first = times[0]
    return tuple(time - first for time in times), tuple(values)


def _read_rows(
    path: Path, column: str, time_column: str, times: list[float], values: list[float]
) -> None:
    with path.open(newline="", encoding="utf-8-sig") as file:
        sample = file.read(4096)
        file.seek(0)
        delimiter = ";" if sample.partition("\n")[0].count(";") else ","
        rows = csv.DictReader(file, delimiter=delimiter)
        names = list(rows.fieldnames or ())
        for name in (column, time_column):
            if name not in names:
                raise ValueError(f"{path} has no column {name!r} in its first line")
        for row in rows:
            line = rows.line_num
            times.append(_time(row[time_column] or "", path, line))
            values.append(_number(row[column] or "", path, line))
            if len(times) > 1 and times[-1] <= times[-2]:
                raise ValueError(f"{path}, line {line}: times must ascend")


def _number(text: str, path: Path, line: int) -> float:
    try:
        number = parse_float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{path}, line {line}: a value must be a finite number")
    return number


def _time(text: str, path: Path, line: int) -> float:
    try:
        number = parse_float(text)
    except ValueError:
        try:
            # Python before 3.11 does not know Z.
            number = datetime.fromisoformat(text.strip().replace("Z", "+00:00")).timestamp()
        except (ValueError, OverflowError, OSError):  # the last two for years such as 1
            number = math.nan
    if not math.isfinite(number):
        raise ValueError(
            f"{path}, line {line}: a time must be seconds or such as 2026-01-31T12:00:00"
        )
    return number

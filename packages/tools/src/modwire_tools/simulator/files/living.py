"""How device files write values that live: `value = { sine = { around = 230, ... } }`."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from ..behaviours import (
    Behaviour,
    Choice,
    Copy,
    Counter,
    Ramp,
    RandomWalk,
    Replay,
    Sine,
)
from ..expressions import Expression
from .sections import DeviceFileError, Section

_MISSING = object()
_THEN = ("repeat", "bounce", "once")


def _sine(value: Section, folder: Path) -> Behaviour:
    return Sine(
        value.number("around", 0.0),
        value.number("amplitude", 1.0),
        value.number("period", 60.0, above=0),
        value.number("phase", 0.0),
        value.number("noise", 0.0),
    )


def _ramp(value: Section, folder: Path) -> Behaviour:
    return Ramp(
        value.number("start", 0.0),
        value.number("end"),
        value.number("period", 60.0, above=0),
        value.one_of("then", _THEN, "repeat"),
    )


def _random_walk(value: Section, folder: Path) -> Behaviour:
    walk = RandomWalk(
        value.number("start", 0.0),
        value.number("step", 1.0, above=0),
        value.number("interval", 1.0, above=0),
        value.number("low", -math.inf),
        value.number("high", math.inf),
    )
    if not walk.low <= walk.start <= walk.high:
        raise value.error("start", f"must be {walk.low}..{walk.high}, got {walk.start}")
    return walk


def _counter(value: Section, folder: Path) -> Behaviour:
    return Counter(
        value.number("start", 0.0),
        value.number("rate", 1.0),
        value.number("step", above=0) if "step" in value else 0.0,
        value.number("modulo", above=0) if "modulo" in value else None,
    )


def _choice(value: Section, folder: Path) -> Behaviour:
    values = value.get("values")
    if not isinstance(values, list) or not values:
        raise value.error("values", f"must be a list of at least one value, got {values!r}")
    items: list[object] = values  # pyright: ignore[reportUnknownVariableType]
    for item in items:
        if not isinstance(item, (int, float, str, bool)):
            raise value.error("values", f"must be numbers, texts or true and false, got {item!r}")
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
        times, values = read_recording(folder / file, column, time_column)
    except (ValueError, csv.Error) as error:
        raise value.failure("file", error) from None
    except OSError as error:
        raise value.failure("file", f"cannot read {folder / file}: {error.strerror}") from None
    return Replay(
        file,
        column,
        time_column,
        value.flag("loop", True),
        value.flag("interpolate", False),
        times,
        values,
    )


# The settings of each behaviour, and the one that may stand for all of them.
BEHAVIOURS: dict[
    str, tuple[type[Behaviour], tuple[str, ...], str, Callable[[Section, Path], Behaviour]]
] = {
    "sine": (Sine, ("around", "amplitude", "period", "phase", "noise"), "", _sine),
    "ramp": (Ramp, ("start", "end", "period", "then"), "", _ramp),
    "random_walk": (RandomWalk, ("start", "step", "interval", "low", "high"), "", _random_walk),
    "counter": (Counter, ("start", "rate", "step", "modulo"), "", _counter),
    "choice": (Choice, ("values", "interval", "at_random"), "", _choice),
    "copy": (Copy, ("point",), "point", _copy),
    "expression": (Expression, ("text",), "text", _expression),
    "replay": (
        Replay,
        ("file", "column", "time_column", "loop", "interpolate"),
        "",
        _replay,
    ),
}


def read_behaviour(point: Section, folder: Path) -> Behaviour:
    """The behaviour that the table `value` of a point has; replays are looked for in `folder`."""
    table = point.section("value", tuple(BEHAVIOURS))
    names = list(table.keys())
    if len(names) != 1:
        raise table.error("", f"must be one of {', '.join(BEHAVIOURS)}, got {len(names)} of them")
    _, settings, main, make = BEHAVIOURS[names[0]]
    if main and isinstance(table.get(names[0]), str):
        return make(table.shortened(names[0], main), folder)
    return make(table.section(names[0], settings), folder)


def behaviour_values(behaviour: Behaviour) -> dict[str, object]:
    """What `read_behaviour` reads as `behaviour`; what is at its default is left out."""
    for name, (kind, settings, main, _) in BEHAVIOURS.items():
        if isinstance(behaviour, kind):
            if isinstance(behaviour, Expression):
                return {name: behaviour.expression}
            if main:
                return {name: getattr(behaviour, main)}
            values: dict[str, object] = {}
            for setting in settings:
                value: object = getattr(behaviour, setting)
                if value == getattr(kind, setting, _MISSING):
                    continue  # a dataclass has its defaults as attributes
                values[setting] = list(value) if isinstance(value, tuple) else value  # pyright: ignore[reportUnknownArgumentType]
            return {name: values}
    raise ValueError(f"a device file has no behaviour {type(behaviour).__name__}")


def read_recording(
    path: Path, column: str, time_column: str
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Times, from 0.0, and values of a column of a CSV file with a line of names.

    Times are seconds or ISO 8601. Raises OSError, and ValueError with the line that is wrong.
    """
    times: list[float] = []
    values: list[float] = []
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is no file")  # but a folder, or a device that never ends
    with path.open(newline="", encoding="utf-8-sig") as file:
        sample = file.read(4096)
        file.seek(0)
        delimiter = ";" if sample.partition("\n")[0].count(";") else ","
        rows = csv.DictReader(file, delimiter=delimiter)
        names = list(rows.fieldnames or ())
        for name in (column, time_column):
            if name not in names:
                raise ValueError(f"{path} has no column {name!r}; it has {', '.join(names)}")
        for row in rows:
            line = rows.line_num
            times.append(_time(row[time_column] or "", path, line))
            values.append(_number(row[column] or "", path, line))
            if len(times) > 1 and times[-1] <= times[-2]:
                raise ValueError(f"{path}, line {line}: times must ascend")
    if not times:
        raise ValueError(f"{path} has no line of values")
    first = times[0]
    return tuple(time - first for time in times), tuple(values)


def _number(text: str, path: Path, line: int) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{path}, line {line}: a value must be a finite number, got {text!r}")
    return number


def _time(text: str, path: Path, line: int) -> float:
    try:
        number = float(text)
    except ValueError:
        try:
            # Python before 3.11 does not know Z.
            number = datetime.fromisoformat(text.strip().replace("Z", "+00:00")).timestamp()
        except ValueError:
            number = math.nan
    if not math.isfinite(number):
        raise ValueError(
            f"{path}, line {line}: a time must be seconds or such as 2026-01-31T12:00:00, "
            f"got {text!r}"
        )
    return number

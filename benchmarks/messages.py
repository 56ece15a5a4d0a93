"""Three ways to make a message class: frozen dataclass, plain class with slots, tuple.

Each has the request and the response of function 1, with the same checks, equality, hash and repr.
The core uses the second way; README.md says why.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import repeat
from statistics import median

from rounds import FLOOR, OURS, Loop, Row, Settings, cpu_sample, quartiles, time_row

FAMILY_SIZE = 40  # classes that a process defines: about as many as the specification needs

_HEAD = """
from time import perf_counter
from modwire.messages.checks import check_span
started = perf_counter()
"""
_TAIL = """
for _ in range({copies}):
    define()
print((perf_counter() - started) * 1e3)
"""

DATACLASS = """
from dataclasses import dataclass

def define():
    @dataclass(frozen=True, slots=True)
    class ReadCoilsRequest:
        address: int
        count: int = 1

        def __post_init__(self):
            check_span(1, self.address, self.count, 2000, "bits")

    @dataclass(frozen=True, slots=True)
    class ReadCoilsResponse:
        count: int
        data: bytes

    return ReadCoilsRequest, ReadCoilsResponse
"""

SLOTS = """
from modwire.messages.base import Message, set_field

def define():
    class ReadCoilsRequest(Message):
        __slots__ = ("address", "count")
        __match_args__ = ("address", "count")

        def __init__(self, address, count=1):
            check_span(1, address, count, 2000, "bits")
            set_field(self, "address", address)
            set_field(self, "count", count)

    class ReadCoilsResponse(Message):
        __slots__ = ("count", "data")
        __match_args__ = ("count", "data")

        def __init__(self, count, data):
            set_field(self, "count", count)
            set_field(self, "data", data)

    return ReadCoilsRequest, ReadCoilsResponse
"""

TUPLES = """
from operator import itemgetter

class Message(tuple):
    __slots__ = ()

    def __eq__(self, other):
        return type(self) is type(other) and tuple.__eq__(self, other)

    def __ne__(self, other):
        return not self == other

    def __hash__(self):
        return hash((type(self), tuple(self)))

    def __repr__(self):
        return f"{type(self).__name__}{tuple(self)!r}"

new = tuple.__new__

def define():
    class ReadCoilsRequest(Message):
        __slots__ = ()
        address = property(itemgetter(0))
        count = property(itemgetter(1))

        def __new__(cls, address, count=1):
            check_span(1, address, count, 2000, "bits")
            return new(cls, (address, count))

    class ReadCoilsResponse(Message):
        __slots__ = ()
        count = property(itemgetter(0))
        data = property(itemgetter(1))

        def __new__(cls, count, data):
            return new(cls, (count, data))

    return ReadCoilsRequest, ReadCoilsResponse
"""

WAYS = {"frozen dataclass": DATACLASS, OURS: SLOTS, "tuple": TUPLES}
DATA = bytes(250)


def _import_time(source: str) -> float:
    """Return the milliseconds to define `FAMILY_SIZE` classes in a new process."""
    program = _HEAD + source + _TAIL.format(copies=FAMILY_SIZE // 2)
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True
    )
    return float(done.stdout)


def _define(source: str) -> Sequence[Callable[..., object]]:
    names: dict[str, Callable[[], Sequence[Callable[..., object]]]] = {}
    exec(_HEAD + source, names)
    return names["define"]()


def _construction(classes: Sequence[Callable[..., object]]) -> Loop:
    request, response = classes

    def loop(count: int) -> None:
        for _ in repeat(None, count):
            request(100, 2000)
            response(2000, DATA)

    return loop


def run(settings: Settings) -> list[Row]:
    """Return the time to define 40 classes, and to construct a request and its response."""
    samples = {
        name: cpu_sample(_construction(_define(source)), settings.sample)
        for name, source in WAYS.items()
    }
    # Ratios need a base; here it is the dataclass.
    samples = {FLOOR if name == "frozen dataclass" else name: s for name, s in samples.items()}
    rows = [
        time_row(
            "messages",
            "construct request and response (floor: frozen dataclass)",
            samples,
            settings.rounds,
        )
    ]
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(max(3, settings.rounds // 5)):
        for name, source in WAYS.items():
            times[name].append(_import_time(source))
    base = times.pop("frozen dataclass")
    against = {
        name: [each / of for each, of in zip(found, base, strict=True)]
        for name, found in times.items()
    }
    rows.append(
        Row(
            "messages",
            f"define {FAMILY_SIZE} classes (floor: frozen dataclass)",
            "ms",
            {FLOOR: median(base), **{name: median(found) for name, found in times.items()}},
            median(against[OURS]),
            quartiles(against[OURS]),
            None,
            True,
            {"tuple": median(against["tuple"])},
        )
    )
    return rows

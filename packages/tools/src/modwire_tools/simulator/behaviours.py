"""Behaviours: how values change over time. Each is a plain description; `begin` makes its `Source`.

All times are seconds of the device's own time, and are passed in: nothing here reads a clock.
The same seed and the same time give the same value, however often it is computed.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, Protocol

from msgspec import Meta

_MASK = (1 << 64) - 1
_MOST_STEPS = 2000  # steps of a random walk in one read; a long pause skips the others

Positive = Annotated[float, Meta(gt=0)]

Lookup = Callable[[str, float], object]
"""Returns the value of another point of the unit at a time; raises LookupError."""


class Source(Protocol):
    """A changing value, computed when it is read."""

    def value(self, time: float, /) -> object:
        """Return the value at `time`, which must not be less than in an earlier call."""
        ...

    def resume(self, value: object, time: float, /) -> bool:
        """Continue from `value`, written at `time`. Return False if that is impossible."""
        ...


class Behaviour(Protocol):
    """A description of how a value changes."""

    @property
    def text(self) -> str:
        """The behaviour in words: "sine around 230, 60 s"."""
        ...

    def begin(self, seed: int, lookup: Lookup) -> Source:
        """Return the source of one point's values. Each `seed` gives different noise."""
        ...


def noise(seed: int, step: int) -> float:
    """Return a pseudo-random number, 0.0 up to 1.0, that depends on the arguments only."""
    # The mixing of SplitMix64 needs no state and no earlier steps.
    mixed = (seed + step * 0x9E3779B97F4A7C15) & _MASK
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _MASK
    return ((mixed ^ mixed >> 31) >> 11) / (1 << 53)


def as_number(value: object) -> float | None:
    """Return `value` if it is a finite number, else None; bits are 0 and 1."""
    if isinstance(value, (int, float)) and math.isfinite(value):
        return value
    return None


def short(number: float) -> str:
    """Return a number as people write it: 60, not 60.0."""
    return f"{number:.10g}"


class _Fixed:
    """A source that cannot continue from a written value."""

    def __init__(self, function: Callable[[float], object]) -> None:
        self.value = function

    def resume(self, value: object, time: float) -> bool:
        return False


@dataclass(frozen=True)
class Sine:
    """A sine wave of `amplitude` around a middle, one period in `period` seconds.

    `phase` is its start, 0.0 to 1.0 of a period; `noise` is the largest random deviation.
    """

    around: float
    amplitude: float
    period: Positive
    phase: float = 0.0
    noise: float = 0.0

    @property
    def text(self) -> str:
        noise_text = f", noise {short(self.noise)}" if self.noise else ""
        return f"sine around {short(self.around)}, {short(self.period)} s{noise_text}"

    def begin(self, seed: int, lookup: Lookup) -> Source:
        around, amplitude, phase = self.around, self.amplitude, self.phase
        frequency, deviation = 1 / self.period, self.noise

        def value(time: float) -> float:
            found = around + amplitude * math.sin(math.tau * (time * frequency + phase))
            if deviation:
                found += deviation * (2 * noise(seed, int(time * 10)) - 1)
            return found

        return _Fixed(value)


@dataclass(frozen=True)
class Ramp:
    """A straight line from `start` to `end` in `period` seconds.

    Then it restarts ("repeat"), returns and restarts ("bounce") or stays at the end ("once").
    """

    start: float
    end: float
    period: Positive
    then: Literal["repeat", "bounce", "once"] = "repeat"

    @property
    def text(self) -> str:
        then = {"repeat": "again and again", "bounce": "and back", "once": "once"}[self.then]
        return f"ramp {short(self.start)} to {short(self.end)}, {short(self.period)} s, {then}"

    def begin(self, seed: int, lookup: Lookup) -> Source:
        return _Ramping(self)


class _Ramping:
    def __init__(self, ramp: Ramp) -> None:
        self._ramp = ramp
        self._shift = 0.0

    def value(self, time: float) -> float:
        ramp = self._ramp
        part = (time + self._shift) / ramp.period
        if ramp.then == "once":
            part = min(part, 1.0)
        elif ramp.then == "bounce":
            part %= 2.0
            part = 2.0 - part if part > 1.0 else part
        else:
            part %= 1.0
        return ramp.start + (ramp.end - ramp.start) * part

    def resume(self, value: object, time: float) -> bool:
        number = as_number(value)
        ramp = self._ramp
        if number is None or ramp.start == ramp.end:
            return False
        part = (number - ramp.start) / (ramp.end - ramp.start)
        if not 0 <= part <= 1:
            return False
        self._shift = part * ramp.period - time
        return True


@dataclass(frozen=True)
class RandomWalk:
    """A random step of at most `step`, up or down, every `interval` seconds, within bounds."""

    start: float
    step: Positive
    interval: Positive = 1.0
    low: float = -math.inf
    high: float = math.inf

    @property
    def text(self) -> str:
        ends = [short(end) if math.isfinite(end) else "" for end in (self.low, self.high)]
        bounds = f" within {ends[0]}..{ends[1]}" if any(ends) else ""
        return f"random walk by {short(self.step)} every {short(self.interval)} s{bounds}"

    def begin(self, seed: int, lookup: Lookup) -> Source:
        return _Walking(self, seed)


class _Walking:
    def __init__(self, walk: RandomWalk, seed: int) -> None:
        self._walk = walk
        self._seed = seed
        self._at = walk.start
        self._done = 0

    def value(self, time: float) -> float:
        walk = self._walk
        due = int(time / walk.interval)
        if due - self._done > _MOST_STEPS:
            self._done = due - _MOST_STEPS
        at = self._at
        while self._done < due:
            self._done += 1
            by = walk.step * (2 * noise(self._seed, self._done) - 1)
            # A step beyond the bounds is taken in the other direction.
            at = at + by if walk.low <= at + by <= walk.high else at - by
            at = min(max(at, walk.low), walk.high)
        self._at = at
        return at

    def resume(self, value: object, time: float) -> bool:
        number = as_number(value)
        if number is None or not self._walk.low <= number <= self._walk.high:
            return False
        self._done = int(time / self._walk.interval)
        self._at = number
        return True


@dataclass(frozen=True)
class Counter:
    """A counter with `rate` counts per second, in steps of `step`; wraps to 0 at `modulo`."""

    start: float = 0.0
    rate: float = 1.0
    step: Positive = 0.0
    modulo: Positive | None = None

    @property
    def text(self) -> str:
        wraps = f", modulo {short(self.modulo)}" if self.modulo is not None else ""
        return f"counter by {short(self.rate)}/s{wraps}"

    def begin(self, seed: int, lookup: Lookup) -> Source:
        return _Counting(self)


class _Counting:
    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._from = counter.start
        self._since = 0.0

    def value(self, time: float) -> float:
        counter = self._counter
        counted = counter.rate * (time - self._since)
        if counter.step:
            # The small term is for rounding: 0.3 / 0.1 is 2.9999999999999996.
            counted = math.floor(counted / counter.step + 1e-9) * counter.step
        value = self._from + counted
        return value if counter.modulo is None else value % counter.modulo

    def resume(self, value: object, time: float) -> bool:
        number = as_number(value)
        if number is None:
            return False
        self._from, self._since = number, time
        return True


@dataclass(frozen=True)
class Choice:
    """One of several values; it changes every `interval` seconds, in order or at random."""

    values: Sequence[object]
    interval: float = 1.0
    at_random: bool = False

    @property
    def text(self) -> str:
        how = "at random" if self.at_random else "in turn"
        return f"one of {len(self.values)} values {how}, {short(self.interval)} s"

    def begin(self, seed: int, lookup: Lookup) -> Source:
        values, interval, at_random = self.values, self.interval, self.at_random
        count = len(values)

        def value(time: float) -> object:
            step = int(time / interval)
            return values[int(noise(seed, step) * count) if at_random else step % count]

        return _Fixed(value)


@dataclass(frozen=True)
class Copy:
    """The value of another point of the unit."""

    point: str

    @property
    def text(self) -> str:
        return f"copy of {self.point}"

    def begin(self, seed: int, lookup: Lookup) -> Source:
        name = self.point
        return _Fixed(lambda time: lookup(name, time))


@dataclass(frozen=True)
class Replay:
    """A recording: `values` at `times`, which ascend from 0.0; repeated if `loop`.

    `file`, `column` and `time_column` are the source of the recording in a device file.
    """

    file: str
    column: str
    time_column: str = "time"
    loop: bool = True
    interpolate: bool = False
    times: Sequence[float] = field(default=(), repr=False)
    values: Sequence[float] = field(default=(), repr=False)

    @property
    def text(self) -> str:
        return f"replay of {self.column} in {self.file}"

    def begin(self, seed: int, lookup: Lookup) -> Source:
        return _Fixed(self.at)

    def at(self, time: float) -> float:
        """Return the value at `time`."""
        times, values = self.times, self.values
        # The last value holds for as long as the one before it, then the loop restarts.
        last = times[-1]
        length = last + (last - times[-2] if len(times) > 1 else 1.0)
        if self.loop:
            time %= length
        index = bisect_right(times, time) - 1
        if index < 0:
            return values[0]
        if self.interpolate and index + 1 < len(times):
            part = (time - times[index]) / (times[index + 1] - times[index])
            return values[index] + (values[index + 1] - values[index]) * part
        return values[index]

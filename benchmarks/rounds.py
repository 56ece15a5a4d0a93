"""Interleaved rounds: every candidate is timed briefly in each round, in rotating order.

The result is the median of the ratios within single rounds, so that a machine that is busy for a
second slows down both sides of the ratio.
"""

from __future__ import annotations

import gc
import os
import re
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import NamedTuple

FLOOR, OURS = "floor", "modwire"

# One sample: seconds for each operation.
Sample = Callable[[], float]
# Does an operation the given number of times.
Loop = Callable[[int], object]


class Lead(NamedTuple):
    """The wanted ratio of modwire's rate to a peer's rate, and the measured ratio."""

    peer: str
    wanted: float
    ratio: float  # median of the rounds

    @property
    def holds(self) -> bool:
        """True if the wanted ratio is reached."""
        return self.ratio >= self.wanted


class Row(NamedTuple):
    """One line of the table. `target` is the limit of ours / floor, or None."""

    family: str
    name: str
    unit: str  # "µs" or "1/s" or "ms" or "MB"
    values: dict[str, float]  # candidate -> median in `unit`
    ratio: float  # modwire's, median of the rounds
    quartiles: tuple[float, float]
    target: float | None
    at_most: bool  # True if the target is a maximum
    peers: dict[str, float]  # peer -> its ratio
    lead: Lead | None = None  # a second target

    @property
    def meets_target(self) -> bool:
        """True if the target is met, or if there is none."""
        if self.target is None:
            return True
        return self.ratio <= self.target if self.at_most else self.ratio >= self.target

    @property
    def holds(self) -> bool:
        """True if every target is met."""
        return self.meets_target and (self.lead is None or self.lead.holds)


class Settings(NamedTuple):
    """The number of rounds, and the length of one sample in seconds."""

    rounds: int
    sample: float


FULL = Settings(rounds=101, sample=0.004)
QUICK = Settings(rounds=3, sample=0.0005)


def cpu_sample(loop: Loop, seconds: float) -> Sample:
    """Return a sample of `loop` in processor time, of about `seconds`.

    Processor time, because other processes on the machine should not count.
    """
    count = 1
    while True:
        started = process_time()
        loop(count)
        took = process_time() - started
        if took >= seconds / 4:
            break
        count *= 2
    count = max(1, int(count * seconds / took))

    def sample() -> float:
        started = process_time()
        loop(count)
        return (process_time() - started) / count

    return sample


def wall_sample(loop: Loop, count: int) -> Sample:
    """Return a sample of `count` operations in wall-clock time: for all that wait for a peer."""

    def sample() -> float:
        started = perf_counter()
        loop(count)
        return (perf_counter() - started) / count

    return sample


def measure(samples: dict[str, Sample], rounds: int) -> dict[str, list[float]]:
    """Return the times of every candidate, one for each round."""
    names = list(samples)
    times: dict[str, list[float]] = {name: [] for name in names}
    was_enabled = gc.isenabled()
    for turn in range(rounds):
        # Otherwise the garbage of one candidate would be collected in the sample of another.
        gc.collect()
        gc.disable()
        at = turn % len(names)
        for name in names[at:] + names[:at]:
            times[name].append(samples[name]())
        if was_enabled:
            gc.enable()
    return times


def ratios(times: Sequence[float], floor: Sequence[float]) -> list[float]:
    """Return the ratio of each round."""
    return [each / base for each, base in zip(times, floor, strict=True)]


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """Return the first and the third quartile."""
    if len(values) < 2:
        return values[0], values[0]
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return first, third


def time_row(
    family: str,
    name: str,
    samples: dict[str, Sample],
    rounds: int,
    target: float | None = None,
    ours: str = OURS,
) -> Row:
    """Return a row of times in µs and their ratios to the floor's: lower is better."""
    times = measure(samples, rounds)
    against = {each: ratios(times[each], times[FLOOR]) for each in times if each != FLOOR}
    return Row(
        family,
        name,
        "µs",
        {each: statistics.median(times[each]) * 1e6 for each in times},
        statistics.median(against[ours]),
        quartiles(against[ours]),
        target,
        True,
        {each: statistics.median(against[each]) for each in against if each != ours},
    )


def rate_row(
    family: str,
    name: str,
    samples: dict[str, Sample],
    rounds: int,
    target: float | None = None,
    least: tuple[str, float] | None = None,
) -> Row:
    """Return a row of operations per second and their ratios to the floor's: higher is better.

    `least` is a peer and the wanted multiple of its rate; it is used if the peer is measured.
    """
    times = measure(samples, rounds)
    against = {
        each: [1 / ratio for ratio in ratios(times[each], times[FLOOR])]
        for each in times
        if each != FLOOR
    }
    lead = None
    if least is not None and least[0] in times:
        peer, wanted = least
        lead = Lead(peer, wanted, statistics.median(ratios(times[peer], times[OURS])))
    return Row(
        family,
        name,
        "1/s",
        {each: 1 / statistics.median(times[each]) for each in times},
        statistics.median(against[OURS]),
        quartiles(against[OURS]),
        target,
        False,
        {each: statistics.median(against[each]) for each in against if each != OURS},
        lead,
    )


# The processors that pin_to_one_core() leaves free.
spare_processors: set[int] = set()


def pin_to_one_core() -> None:
    """Stay on one processor, if the system supports that; child processes inherit it."""
    if hasattr(os, "sched_setaffinity"):
        allowed = os.sched_getaffinity(0)
        own = {max(allowed)}
        os.sched_setaffinity(0, own)
        spare_processors.update(allowed - own)


def markdown(rows: Sequence[Row]) -> str:
    """Return the rows as a table for README.md."""
    peers = list(dict.fromkeys(peer for row in rows for peer in row.peers))
    lines = [
        "| | floor | modwire | ratio (quartiles) | target | " + "".join(f"{p} | " for p in peers),
        "|---|---:|---:|---:|---:|" + "---:|" * len(peers),
    ]
    for row in rows:
        ours = OURS if OURS in row.values else next(n for n in row.values if n != FLOOR)
        cells = [
            row.name,
            _value(row.values.get(FLOOR), row.unit),
            _value(row.values[ours], row.unit),
            f"{row.ratio:.2f} ({row.quartiles[0]:.2f}..{row.quartiles[1]:.2f})",
            _targets(row),
            *(f"{row.peers[peer]:.2f}" if peer in row.peers else "" for peer in peers),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(line.rstrip() for line in lines)


def write_table(page: Path, program: str, text: str) -> None:
    """Put `text` between the two marks of `program` in a page, such as README.md."""
    marks = re.compile(rf"(<!-- {program} --readme -->\n).*?(<!-- end of {program} -->)", re.DOTALL)
    written, count = marks.subn(
        lambda found: f"{found[1]}\n{text}\n\n{found[2]}", page.read_text(encoding="utf-8")
    )
    if count != 1:
        raise RuntimeError(f"{page} must have the two marks of {program} once")
    page.write_text(written, encoding="utf-8")


def _targets(row: Row) -> str:
    parts = []
    if row.target is not None:
        missed = "" if row.meets_target else " **missed**"
        parts.append(f"{'≤' if row.at_most else '≥'} {row.target:g}{missed}")
    if row.lead is not None:
        missed = "" if row.lead.holds else " **missed**"
        parts.append(f"≥ {row.lead.wanted:g} times {row.lead.peer}: {row.lead.ratio:.1f}{missed}")
    return ", ".join(parts)


def _value(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return f"{value:,.0f} {unit}" if unit == "1/s" else f"{value:.3g} {unit}"

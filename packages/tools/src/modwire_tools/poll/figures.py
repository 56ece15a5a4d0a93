"""`figures` and `health`: how a poller does, for Prometheus and for whoever restarts services."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ..metrics.text import Family
from .sample import GOOD
from .schedule import LATENESS

if TYPE_CHECKING:
    from .delivery import Backlog, Delivery
    from .reader import DeviceFigures, LineFigures, Reader


def figures(
    version: str, started: float, reader: Reader, deliveries: Iterable[Delivery],
    backlog: Backlog, reloads: Mapping[str, int],
) -> str:  # fmt: skip
    """Return the figures of a poller in the text format of Prometheus."""
    info = Family("modwire_info", "gauge", "Version of modwire-tools")
    info.add(1, version=version)
    start = Family(
        "modwire_start_time_seconds", "gauge", "Start of the command, in seconds since the epoch"
    )
    start.add(started)
    loads = Family("modwire_poll_reloads_total", "counter", "Times that the plant file was read")
    for outcome, count in reloads.items():
        loads.add(count, outcome=outcome)
    families = [info, start, loads]
    families += _of_devices(reader.devices())
    families += _of_lines(reader.lines())
    families += _of_sinks(deliveries)
    if backlog.store is not None:
        spool = Family("modwire_poll_spool_bytes", "gauge", "Bytes of the readings in the spool")
        spool.add(backlog.store.size)
        failing = Family("modwire_poll_spool_failing", "gauge", "1 if the spool cannot be written")
        failing.add(int(backlog.is_failing))
        families += [spool, failing]
    return "".join(map(str, families))


def _of_devices(devices: Sequence[DeviceFigures]) -> list[Family]:
    up = Family("modwire_poll_up", "gauge", "1 if the device answers")
    requests = Family("modwire_poll_requests_total", "counter", "Requests to the device")
    errors = Family(
        "modwire_poll_errors_total", "counter", "Requests without a response, or with an exception"
    )
    readings = Family("modwire_poll_readings_total", "counter", "Readings that were made")
    missed = Family(
        "modwire_poll_missed_total", "counter", "Readings that were left out: no time, or no answer"
    )
    seconds = Family(
        "modwire_poll_response_seconds", "gauge", "Time of the last request until its answer"
    )
    answered = Family(
        "modwire_poll_answer_time_seconds", "gauge", "Last answer, in seconds since the epoch"
    )
    for each in devices:
        name = each.name
        up.add(int(not each.failures and each.answered_at > 0), device=name)
        requests.add(each.requests, device=name)
        errors.add(each.errors, device=name)
        readings.add(each.readings, device=name)
        missed.add(each.missed, device=name)
        seconds.add(each.seconds, device=name)
        answered.add(each.answered_at, device=name)
    return [up, requests, errors, readings, missed, seconds, answered]


def _of_lines(lines: Sequence[LineFigures]) -> list[Family]:
    busy = Family(
        "modwire_poll_line_busy_seconds_total", "counter", "Time that requests were on the line"
    )
    late = Family("modwire_poll_late_seconds", "histogram", "Time by which readings began too late")
    counts, total = [0] * (len(LATENESS) + 1), 0.0
    for line in lines:
        busy.add(line.seconds, line=line.name)
        counts = [one + other for one, other in zip(counts, line.lateness, strict=True)]
        total += line.late
    late.add_histogram(LATENESS, counts, total)
    return [busy, late]


def _of_sinks(deliveries: Iterable[Delivery]) -> list[Family]:
    up = Family("modwire_poll_sink_up", "gauge", "1 if the sink takes values")
    failures = Family("modwire_poll_sink_failures_total", "counter", "Times that the sink failed")
    waiting = Family("modwire_poll_sink_waiting", "gauge", "Values that the sink has not taken yet")
    taken = Family("modwire_poll_sink_taken_total", "counter", "Values that the sink has taken")
    again = Family(
        "modwire_poll_sink_repeated_total", "counter", "Values that were handed out once more"
    )
    dropped = Family(
        "modwire_poll_sink_dropped_total", "counter", "Values that were dropped, oldest first"
    )
    for each in deliveries:
        up.add(int(not each.problem), sink=each.name)
        failures.add(each.failures, sink=each.name)
        cursor = each.cursor
        if cursor is not None:
            waiting.add(cursor.waiting, sink=each.name)
            taken.add(cursor.taken, sink=each.name)
            again.add(cursor.again, sink=each.name)
            dropped.add(cursor.dropped, sink=each.name)
    return [up, failures, waiting, taken, again, dropped]


def health(
    reader: Reader, deliveries: Iterable[Delivery], backlog: Backlog
) -> tuple[bool, dict[str, object]]:
    """Return True if at least one device answers, each sink takes values, and the disk works.

    The second value is the same in plain values: the devices that do not answer, each with the
    reason, the sinks that take nothing, and the number of values by quality.
    """
    devices = reader.devices()
    dead = {each.name: each.reason for each in devices if each.failures}
    problems = {each.name: each.problem for each in deliveries if each.problem}
    qualities: dict[str, int] = {}
    for _, samples in reader.samples():
        for sample in samples:
            quality = "unknown" if sample is None else sample.quality
            qualities[quality] = qualities.get(quality, 0) + 1
    is_well = len(dead) < len(devices) and not problems and not backlog.is_failing
    return is_well, {
        "status": "ok" if is_well else "failing",
        "devices": {"number": len(devices), "without answer": dead},
        "sinks": {"failing": problems},
        "values": {GOOD: 0, **qualities},
        "spool": "failing" if backlog.is_failing else "ok" if backlog.store else "none",
    }

"""`check_plant`: what a plant file would read, in how many requests, and what does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modwire.planner import PlanLimits, Span, plan

if TYPE_CHECKING:
    from .plant.spec import Plant, PlantDevice

_FULL = 0.8  # of a line; above, a few lost answers make readings late


@dataclass
class GroupCheck:
    """Points of a device with one interval: their requests, and the seconds that these take."""

    interval: float
    points: int
    requests: Sequence[Span]
    seconds: float


@dataclass
class DeviceCheck:
    """A device and its groups."""

    device: PlantDevice
    groups: list[GroupCheck]


@dataclass
class LineCheck:
    """A line: its devices, its requests per second, and the part of its time that they take.

    `load` is None if the speed of the line is not known: on a network, and behind a gateway.
    `problems` says what does not fit.
    """

    name: str
    devices: list[DeviceCheck] = field(default_factory=list[DeviceCheck])
    rate: float = 0.0
    load: float | None = None
    problems: list[str] = field(default_factory=list[str])


def check_plant(plant: Plant) -> list[LineCheck]:
    """Return the lines of a plant, in the order of their first devices."""
    lines: dict[object, LineCheck] = {}
    for device in plant.devices:
        endpoint = device.endpoint
        place = endpoint.path or f"{endpoint.host}:{endpoint.port}"
        line = lines.setdefault(device.line, LineCheck(f"{endpoint.transport} {place}"))
        line.devices.append(_device(device))
    for line in lines.values():
        _sum_up(line)
    return list(lines.values())


def request_rate(device: PlantDevice) -> float:
    """Return the requests per second that a device needs."""
    return sum(len(each.requests) / each.interval for each in _device(device).groups)


def _device(device: PlantDevice) -> DeviceCheck:
    by_interval: dict[float, list[Span]] = {}
    for point in device.points:
        by_interval.setdefault(point.interval, []).append(point.item.span)
    groups: list[GroupCheck] = []
    for interval, spans in sorted(by_interval.items()):
        requests = plan(spans, limits=device.limits)
        seconds = _seconds(device, requests)
        groups.append(GroupCheck(interval, len(spans), requests, seconds))
    return DeviceCheck(device, groups)


def _seconds(device: PlantDevice, requests: Sequence[Span]) -> float:
    """Return the time that requests need on a serial line; 0 if its speed is not known."""
    endpoint = device.endpoint
    if endpoint.transport != "serial":
        return 0.0
    # An ASCII frame has two characters for each byte.
    speed = endpoint.baudrate if endpoint.framing == "rtu" else endpoint.baudrate // 2
    pause = endpoint.options.get("pause", 0.0)
    pauses = len(requests) * (pause if isinstance(pause, (int, float)) else 0.0)
    return PlanLimits.for_line(max(1, speed)).cost(requests) + pauses


def _sum_up(line: LineCheck) -> None:
    is_serial = line.devices[0].device.endpoint.transport == "serial"
    load = 0.0
    for each in line.devices:
        for group in each.groups:
            line.rate += len(group.requests) / group.interval
            load += group.seconds / group.interval
            if group.seconds > group.interval:
                line.problems.append(
                    f"{each.device.name}: {len(group.requests)} requests need "
                    f"{group.seconds:.2g} s, which is longer than their interval, "
                    f"{group.interval:g} s"
                )
    if not is_serial:
        return
    line.load = load
    if load > 1:
        line.problems.append(
            f"{line.name}: the requests need {load:.0%} of the line's time: choose longer "
            "intervals, a higher baud rate, or fewer points"
        )
    elif load > _FULL:
        line.problems.append(
            f"{line.name}: the requests need {load:.0%} of the line's time: a device that does "
            "not answer makes the others late"
        )

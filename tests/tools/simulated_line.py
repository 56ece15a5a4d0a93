"""`Simulated`: a line of `modwire poll` without a clock, a device, or waiting."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from modwire import (
    Endpoint,
    ExceptionResponse,
    ExceptionResponseError,
    ModbusError,
    ResponseTimeoutError,
    SequentialBlock,
    Unit,
)
from modwire.planner import PlanLimits
from modwire_tools.addresses import parse_place
from modwire_tools.client.points import item_of
from modwire_tools.poll.plant import PlantDevice, PlantPoint
from modwire_tools.poll.sample import Sample
from modwire_tools.poll.schedule import Schedule
from modwire_tools.simulator.devices import PointSpec

TIMEOUT = 1.0
WALL = 1_700_000_000.0


def device(
    name: str,
    *intervals: float,
    at: Sequence[str] = (),
    retry: float = 60.0,
    stale: float = 0.0,
    limits: PlanLimits | None = None,
    **settings: object,
) -> PlantDevice:
    """A device on the line with a point for each interval, or one at each address in `at`."""
    places = at or [f"hr:{10 * number}" for number in range(len(intervals))]
    steps = intervals if len(intervals) == len(places) else intervals * len(places)
    points = [
        PlantPoint(
            f"p{number}", item_of(PointSpec(f"p{number}", parse_place(place), "uint16")), step,
            **settings,  # type: ignore[arg-type]
        )
        for number, (place, step) in enumerate(zip(places, steps, strict=True))
    ]  # fmt: skip
    endpoint = Endpoint.parse("rtu:///dev/ttyUSB0")
    return PlantDevice(
        name, endpoint, 1, points, limits or PlanLimits(), {"hall": "3"}, stale, retry
    )


@dataclass
class Simulated:
    """A line on which a request takes `seconds(device)`, and fails with `failing[device]`."""

    schedule: Schedule = field(default_factory=Schedule)
    now: float = 1000.0
    seconds: Callable[[str], float] = lambda name: 0.01
    failing: dict[str, ModbusError] = field(default_factory=dict)
    unit: Unit = field(default_factory=lambda: Unit(holding_registers=SequentialBlock(0, [7] * 50)))
    begun: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    samples: list[Sample] = field(default_factory=list)

    def add(self, *specs: PlantDevice) -> None:
        for spec in specs:
            self.schedule.add(spec, self.now)

    def step(self, until: float) -> bool:
        """Send one request, or wait for the next; return False at `until`."""
        (line,) = self.schedule.lines.values()
        ask = line.next(self.now)
        if ask is None:
            wake = line.wake(self.now)
            assert wake is not None
            self.now = max(self.now, min(wake, until))
            return wake < until
        name = ask.device.spec.name
        self.begun[name].append(self.now)
        error = self.failing.get(name)
        self.now += TIMEOUT if isinstance(error, ResponseTimeoutError) else self.seconds(name)
        wall = WALL + self.now
        if error is not None:
            self.samples += line.failed(ask, error, self.now, wall)
            return self.now < until
        response = self.unit.execute(ask.request)
        if isinstance(response, ExceptionResponse):
            refusal = ExceptionResponseError.for_code(ask.request, response.exception_code)
            self.samples += line.failed(ask, refusal, self.now, wall)
        else:
            self.samples += line.answered(ask, response, self.now, wall)
        return self.now < until

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while self.step(until):
            pass

    def take(self) -> list[Sample]:
        taken, self.samples = self.samples, []
        return taken

    def state(self, name: str):  # type: ignore[no-untyped-def]
        return next(each for each in self.schedule.devices() if each.spec.name == name)


def timeout() -> ModbusError:
    return ResponseTimeoutError("no answer from unit 1 within 1 s")

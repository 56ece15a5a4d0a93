"""`LocalReader`: the lines of a plant, run in this process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from .line_runner import LineRunner
from .reader import DeviceFigures, LineFigures, Take
from .schedule import Schedule
from .tasks import Tasks

if TYPE_CHECKING:
    from ..values.item_texts import Assignment
    from .plant.spec import LineKey, PlantDevice
    from .sample import Sample
    from .schedule import DeviceState

_LOOK = 1.0  # seconds between two looks for stale values
_ANSWERS = 2.0  # seconds for the answers that are on their way at the end


class LocalReader:
    """A `Reader` in the loop of the poller; `take` gets the values of each reading."""

    def __init__(self, take: Take) -> None:
        self.schedule = Schedule()
        self._take = take
        self._lines: dict[LineKey, LineRunner] = {}
        self._tasks = Tasks(self._fail)
        self._failed: asyncio.Future[None] | None = None
        self._is_ending = False

    async def start(self, devices: Sequence[PlantDevice], *, once: bool = False) -> None:
        """Begin with these devices; with `once`, read each point once."""
        self._failed = asyncio.get_running_loop().create_future()
        self._add(devices)
        if once:
            self.schedule.read_once(time.monotonic())

    async def run(self) -> None:
        """Read until cancelled, then close the lines."""
        assert self._failed is not None
        try:
            while not self._failed.done():
                await asyncio.wait([self._failed], timeout=_LOOK)
                if not self._is_ending:
                    self._look_for_stale_values()
            self._failed.result()
        finally:
            await self._tasks.cancel_all()

    def _fail(self, error: BaseException) -> None:
        if self._failed is not None and not self._failed.done():
            self._failed.set_exception(error)

    def _look_for_stale_values(self) -> None:
        by_device: dict[str, list[Sample]] = {}
        for sample in self.schedule.turn_stale(time.monotonic()):
            by_device.setdefault(sample.device, []).append(sample)
        for samples in by_device.values():
            self._take(samples)

    async def change(self, gone: Sequence[PlantDevice], come: Sequence[PlantDevice]) -> None:
        """Read some devices no longer, then others; all the rest go on undisturbed."""
        for each in gone:
            self.schedule.remove(each)
        unused = [key for key in self._lines if key not in self.schedule.lines]
        for key in unused:
            del self._lines[key]
        await self._tasks.cancel(unused)
        self._add(come)

    def _add(self, devices: Sequence[PlantDevice]) -> None:
        states: list[DeviceState] = []
        for spec in devices:
            states.append(self.schedule.add(spec, time.monotonic()))
            runner = self._lines.get(spec.line)
            if runner is not None:
                runner.wake()
                continue
            line = self.schedule.lines[spec.line]
            runner = LineRunner(line, spec.endpoint, self._take, time.monotonic, time.time)
            self._lines[spec.line] = runner
            self._tasks.start(spec.line, runner.run())
        # To make thousands of clients takes a second, by which the first ones would be late.
        now = time.monotonic()
        for state in states:
            state.start(now)

    async def finish(self) -> None:
        """Begin no more readings, and hand on those that were begun."""
        self._is_ending = True
        for runner in self._lines.values():
            runner.finish()
        await self._tasks.wait(_ANSWERS)

    async def write(self, device: PlantDevice, assignment: Assignment) -> None:
        """Write a value now, and let the point be read again. Raises ModbusError, ValueError."""
        runner = self._lines.get(device.line)
        if runner is None:
            raise ValueError(f"{device.name} is not read now: the plant is being changed")
        await runner.write(device, assignment)

    def devices(self) -> Sequence[DeviceFigures]:
        """Return the figures of all devices."""
        return [_figures(each) for each in self.schedule.devices()]

    def lines(self) -> Sequence[LineFigures]:
        """Return the figures of all lines."""
        return [
            LineFigures(name_of(key), line.seconds, tuple(line.lateness), line.late)
            for key, line in self.schedule.lines.items()
        ]

    def samples(self) -> Iterable[tuple[str, Sequence[Sample | None]]]:
        """Return the devices, each with the latest values of its points, None before the first."""
        for state in self.schedule.devices():
            yield state.spec.name, [each.sample for each in state.points]


def name_of(line: LineKey) -> str:
    """Return the name of a line: that of the port, or the address."""
    transport, host, port, path = line
    return path or f"{transport}://{host}:{port}"


def _figures(state: DeviceState) -> DeviceFigures:
    return DeviceFigures(
        state.spec.name,
        state.failures,
        state.reason,
        state.requests,
        state.errors,
        sum(group.readings for group in state.groups),
        state.missed,
        state.late,
        state.latest,
        state.answered_at,
        state.seconds,
        state.is_tried,
    )

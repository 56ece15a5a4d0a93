"""`Poller`: reads the devices of a plant, and delivers their values, until it is stopped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from .. import __version__
from ..values.item_texts import Assignment
from .delivery import Backlog, Delivery, Store
from .figures import figures, health
from .local_reader import LocalReader
from .reader import ReadingEndedError
from .sinks.base import Surroundings
from .tasks import Tasks

if TYPE_CHECKING:
    from .plant.spec import Plant, PlantDevice, SinkSpec
    from .reader import Reader, Take
    from .sample import Sample

_GRACE = 5.0  # seconds that sinks have at the end
_READER = "reader"  # the key of its task; those of sinks are pairs


class Poller:
    """A plant that is polled. `report` is called with sentences for whoever watches over it.

    `make_reader` makes what reads the devices; by default, this process does.
    Raises OSError if the spool cannot be opened, or another process uses it.
    """

    def __init__(
        self,
        plant: Plant,
        report: Callable[[str], None],
        make_reader: Callable[[Take], Reader] = LocalReader,
    ) -> None:
        self.plant = plant
        self.deliveries: dict[str, Delivery] = {}
        self.reloads = {"taken": 0, "refused": 0}
        self._report = report
        self._started = time.time()
        # Ages in the spool are those of a clock that does not jump while the poller runs.
        self._steady = self._started - time.monotonic()
        self.backlog = self._open_backlog()
        self.reader = make_reader(self.backlog.append)
        self._tasks = Tasks(self._fail)
        self._ended: asyncio.Future[None] | None = None
        self._surroundings = Surroundings(
            lambda: self.plant, self.write, report, self.latest, self.figures, self.health
        )

    def _open_backlog(self) -> Backlog:
        spool = self.plant.spool
        if spool is None:
            return Backlog(self._report, self._clock)
        store = Store(spool.file, is_synced=spool.is_synced)
        return Backlog(self._report, self._clock, store, size=spool.size, age=spool.age)

    def _clock(self) -> float:
        return self._steady + time.monotonic()

    # Running.

    async def run(self, *, once: bool = False) -> None:
        """Poll until `stop` is called, with `once` until each point was read or has failed.

        Then the sinks have a few seconds for what they have not taken yet, also if nothing can be
        read any more, and it raises ReadingEndedError.
        """
        self._ended = asyncio.get_running_loop().create_future()
        try:
            for sink in self.plant.sinks:
                self._start_sink(sink)
            self.backlog.keep_only([each.name for each in self.plant.sinks])
            await self.reader.start(self.plant.devices, once=once)
            self._tasks.start(_READER, self.reader.run())
            while not self._ended.done():
                await asyncio.wait([self._ended], timeout=0.02 if once else None)
                if once and all(device.is_tried for device in self.reader.devices()):
                    break
            error = self._ended.exception() if self._ended.done() else None
            if error is None or isinstance(error, ReadingEndedError):
                await self._finish()
            if error is not None:
                raise error
        finally:
            await self._tasks.cancel_all()
            self.backlog.close()

    def stop(self) -> None:
        """Let `run` return soon."""
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    async def _finish(self) -> None:
        """Take the answers that are on their way, and give the sinks time for all values."""
        await self.reader.finish()
        await self._tasks.cancel([_READER])
        waiting = time.monotonic() + _GRACE
        # There are several queues, each with an event of its own.
        while time.monotonic() < waiting and any(  # noqa: ASYNC110
            map(_is_waiting, self.deliveries.values())
        ):
            await asyncio.sleep(0.01)
        left = sum(each.cursor.waiting for each in self.deliveries.values() if each.cursor)
        if left and self.backlog.store is None:
            self._report(f"{left} values were not delivered, and there is no spool for them")

    def _fail(self, error: BaseException) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_exception(error)

    def _start_sink(self, spec: SinkSpec) -> None:
        cursor = self.backlog.cursor(spec.name) if spec.sink.is_queued else None
        delivery = Delivery(spec.name, spec.sink, cursor, self._report)
        self.deliveries[spec.name] = delivery
        self._tasks.start(("sink", spec.name), delivery.run(self._surroundings))

    # While it runs.

    async def reload(self, plant: Plant) -> str:
        """Take a plant that was read again; return in words what has changed.

        Devices and sinks that are the same go on undisturbed.
        """
        old = {each.name: each for each in self.plant.devices}
        new = {each.name: each for each in plant.devices}
        gone = [each for name, each in old.items() if new.get(name) != each]
        come = [each for name, each in new.items() if old.get(name) != each]
        sinks = {each.name: each for each in plant.sinks}
        lost = [each for each in self.plant.sinks if sinks.get(each.name) != each]
        kept = {each.name: each for each in self.plant.sinks if each not in lost}
        if plant.spool != self.plant.spool:
            self._report("the spool is that of the start: a change of it needs a restart")
            plant = replace(plant, spool=self.plant.spool)
        await self._tasks.cancel([("sink", each.name) for each in lost])
        for sink in lost:
            del self.deliveries[sink.name]
        self.plant = replace(plant, sinks=[kept.get(each.name, each) for each in plant.sinks])
        for sink in self.plant.sinks:
            if sink.name not in kept:
                self._start_sink(sink)
        self.backlog.keep_only(list(sinks))
        await self.reader.change(gone, come)
        self.reloads["taken"] += 1
        parts = [f"{len(new) - len(come)} devices as before"]
        parts += [f"new or changed: {_names(come)}"] * bool(come)
        left_out = [each for each in gone if each.name not in new]
        parts += [f"no longer read: {_names(left_out)}"] * bool(left_out)
        fresh = [each for each in self.plant.sinks if each.name not in kept]
        parts += [f"sinks opened anew: {_names(fresh)}"] * bool(fresh)
        return "; ".join(parts)

    async def write(self, device: str, point: str, text: str) -> object:
        """Write a value as `modwire write` does; return it as the device has it now.

        Raises ValueError for a wrong name or value, and ModbusError.
        """
        spec = next((each for each in self.plant.devices if each.name == device), None)
        if spec is None:
            raise ValueError(f"there is no device {device!r}")
        found = next((each for each in spec.points if each.name == point), None)
        if found is None:
            raise ValueError(f"{device} has no point {point!r}")
        item = found.item
        if not item.place.is_writable:
            table = item.place.table.replace("_", " ")
            raise ValueError(f"{point} cannot be written, it is one of the {table}")
        encoded = item.encode(text)
        await self.reader.write(spec, Assignment(item, text, encoded))
        return item.decode(encoded)

    def latest(self) -> Iterator[Sample]:
        """Yield the latest value of each point that was read or has failed."""
        for _, samples in self.reader.samples():
            yield from (each for each in samples if each is not None)

    def figures(self) -> str:
        """Return the figures in the text format of Prometheus."""
        return figures(
            __version__,
            self._started,
            self.reader,
            self.deliveries.values(),
            self.backlog,
            self.reloads,
        )

    def health(self) -> tuple[bool, dict[str, object]]:
        """Return True if all is well, and the same in plain values."""
        return health(self.reader, self.deliveries.values(), self.backlog)


def _is_waiting(delivery: Delivery) -> bool:
    return delivery.cursor is not None and delivery.cursor.waiting > 0 and not delivery.problem


def _names(specs: Sequence[PlantDevice] | Sequence[SinkSpec]) -> str:
    return ", ".join(each.name for each in specs)

"""`LineActor`: a group of lines on a node of a cluster, while the driver asks for their values."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from modwire import ModbusError

from ... import __version__
from ...values.item_texts import Assignment
from ..delivery.packing import pack
from ..local_reader import LocalReader
from .batch import HOLD, LEASE, Batch

if TYPE_CHECKING:
    from ..plant.spec import PlantDevice
    from ..reader import DeviceFigures, LineFigures
    from ..sample import Sample

_GATHER = 0.05  # seconds in which values are gathered for one batch
_FIGURES = 1.0  # seconds between figures

FiguresT = TypeVar("FiguresT", "DeviceFigures", "LineFigures")


class LineActor:
    """An actor of Ray: its methods are called from the driver, and run in one event loop."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._life = uuid.uuid4().hex
        self._reader: LocalReader | None = None
        self._running: asyncio.Task[None] | None = None
        self._specs: dict[str, PlantDevice] = {}
        self._revision = 0
        self._is_once = False
        self._last = 0
        self._outbox: deque[tuple[int, bytes]] = deque()
        self._arrived = asyncio.Event()
        self._lease: asyncio.TimerHandle | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()
        self._forget_what_was_sent()

    def _forget_what_was_sent(self) -> None:
        self._sent: dict[str, DeviceFigures | LineFigures] = {}
        self._known: dict[tuple[str, str], Sample] = {}
        self._next_figures = 0.0

    async def hello(self) -> tuple[str, str, str]:
        """Return the version of modwire-tools, the life, and the id of the node."""
        return __version__, self._life, self._node

    async def set_devices(self, revision: int, devices: Sequence[PlantDevice], once: bool) -> int:
        """Read these devices, and no others; those that are read already go on undisturbed.

        Returns the number of the last reading before: no later one is of a device that is gone.
        """
        async with self._changing:
            new = {each.name: each for each in devices}
            if self._reader is None:
                self._forget_what_was_sent()
                self._reader = LocalReader(self._take)
                self._is_once = once
                await self._reader.start(devices, once=once)
                self._running = asyncio.get_running_loop().create_task(self._reader.run())
            else:
                old = self._specs
                gone = [each for name, each in old.items() if new.get(name) != each]
                come = [each for name, each in new.items() if old.get(name) != each]
                await self._reader.change(gone, come)
            self._specs, self._revision = new, revision
            self._renew()
            return self._last

    async def collect(self, life: str, taken: int) -> Batch:
        """Return the readings after number `taken` of this life, which may go on until then.

        Waits a moment if there are none. Raises an error of the reader, which is a bug.
        """
        self._renew()
        outbox = self._outbox
        if life == self._life:
            while outbox and outbox[0][0] <= taken:
                outbox.popleft()
        if not outbox:
            self._arrived.clear()
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), HOLD)
                await asyncio.sleep(_GATHER)
        if self._running is not None and self._running.done():
            self._running.result()
        batch = Batch(self._life, self._revision, self._last, [data for _, data in outbox])
        now = asyncio.get_running_loop().time()
        reader = self._reader
        if reader is None or (now < self._next_figures and not self._is_once):
            return batch
        self._next_figures = now + _FIGURES
        return batch._replace(
            devices=self._changed(reader.devices()),
            lines=self._changed(reader.lines()),
            latest=self._not_passed_on(reader),
        )

    def _changed(self, figures: Sequence[FiguresT]) -> list[FiguresT]:
        """Return the figures that are not those that were sent last."""
        sent = self._sent
        found = [each for each in figures if sent.get(each.name) != each]
        sent.update((each.name, each) for each in found)
        return found

    def _not_passed_on(self, reader: LocalReader) -> list[bytes]:
        found: list[bytes] = []
        for name, samples in reader.samples():
            fresh = [
                each
                for each in samples
                if each is not None and self._known.get((name, each.point)) is not each
            ]
            if fresh:
                self._know(fresh)
                found.append(pack(fresh))
        return found

    def _know(self, samples: Sequence[Sample]) -> None:
        self._known.update(((each.device, each.point), each) for each in samples)

    def _take(self, samples: Sequence[Sample]) -> None:
        self._know(samples)
        self._last += 1
        self._outbox.append((self._last, pack(samples)))
        self._arrived.set()

    def _renew(self) -> None:
        loop = asyncio.get_running_loop()
        if self._lease is not None:
            self._lease.cancel()
        self._lease = loop.call_later(LEASE, self._expire)

    def _expire(self) -> None:
        self._lease = None
        self._stopping = asyncio.get_running_loop().create_task(self._stop())

    async def _stop(self) -> None:
        """Read no more, and close the lines: the driver is away, or has given this actor up."""
        async with self._changing:
            if self._lease is not None:
                return  # the driver has set devices, which took long
            running, self._running = self._running, None
            self._reader, self._revision = None, 0
            if running is not None:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    async def finish(self) -> None:
        """Begin no more readings; those that were begun are handed over within two seconds."""
        if self._reader is not None:
            await self._reader.finish()

    async def write(self, device: str, point: str, text: str) -> Exception | None:
        """Write a value that the driver has checked; return the error of the device, or None."""
        spec = self._specs.get(device)
        if self._reader is None or spec is None:
            return ValueError(f"{device} is not read now: its node has just started")
        item = next(each.item for each in spec.points if each.name == point)
        try:
            await self._reader.write(spec, Assignment(item, text, item.encode(text)))
        except (ModbusError, ValueError) as error:
            return error
        return None

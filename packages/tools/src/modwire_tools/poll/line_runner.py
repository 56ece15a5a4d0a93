"""`LineRunner`: sends the requests of a line through a client, when the schedule says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

from modwire import Endpoint, ModbusError
from modwire.maps.transfer import send_write
from modwire.planner import WriteFunctions
from modwire_asyncio import connect

from ..client.writing import plan_write
from ..values.item_texts import Assignment
from .schedule import Line
from .sleeper import Sleeper

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from modwire.messages.base import AnyRequest, Response

    from .plant.spec import PlantDevice
    from .sample import Sample

Clock = Callable[[], float]


class LineRunner:
    """A line and its client; `take` gets the values of each reading.

    `now` and `wall` are the clocks, in seconds, monotonic and since 1970.
    """

    def __init__(
        self,
        line: Line,
        endpoint: Endpoint,
        take: Callable[[Sequence[Sample]], None],
        now: Clock,
        wall: Clock,
    ) -> None:
        self.line = line
        self._take = take
        self._now = now
        self._wall = wall
        # Each request names its unit and its timeout.
        self._client = connect(endpoint.replace(unit=None, timeout=None))
        options = self._client.options
        if endpoint.framing != "tcp":
            window = options.late_reply_window
            line.late_window = options.response_timeout if window is None else window
        self._sleepers = [Sleeper() for _ in range(options.max_in_flight)]

    async def run(self) -> None:
        """Poll until cancelled or finished, then close the link."""
        tasks = [asyncio.create_task(self._poll(each)) for each in self._sleepers]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._client.aclose()

    def wake(self) -> None:
        """Look for the next request now: the schedule was changed."""
        for sleeper in self._sleepers:
            sleeper.wake()

    def finish(self) -> None:
        """Begin no more readings; `run` ends when those that were begun have their values."""
        self.line.is_ending = True
        self.wake()

    async def _poll(self, sleeper: Sleeper) -> None:
        """Send one request after the other; as many of these run as requests may be in flight."""
        line, now = self.line, self._now
        while True:
            ask = line.next(now())
            if ask is None:
                if line.is_ending:
                    return
                wake = line.wake(now())
                await sleeper.sleep(None if wake is None else wake - now())
                continue
            try:
                response = await self._client.call(ask.request, unit=ask.unit, timeout=ask.timeout)
            except ModbusError as error:
                samples = line.failed(ask, error, now(), self._wall())
            else:
                samples = line.answered(ask, response, now(), self._wall())
            if samples:
                self._take(samples)
            if len(self._sleepers) > 1:
                self.wake()  # a device that was asked here may be asked by another task next

    async def write(self, device: PlantDevice, assignment: Assignment) -> None:
        """Write a value now, and let the point be read again. Raises ModbusError."""
        functions = WriteFunctions.ALL
        for request in plan_write(assignment, functions).requests:
            await send_write(functions, request, partial(self._call, device))
        state = self.line.devices.get(device.name)
        if state is not None:
            state.hasten(assignment.item.name, self._now())
            self.wake()

    def _call(self, device: PlantDevice, request: AnyRequest) -> Awaitable[Response]:
        timeout = device.endpoint.timeout
        return cast(
            "Awaitable[Response]",
            self._client.call(request, unit=device.unit, timeout=timeout),
        )

"""`Trends`: the latest values of the points that a user looks at, one per second."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import trio

from .behaviours import as_number
from .live_device import LiveDevice

_MOST_VALUES = 600
_MOST_TRENDS = 64  # points recorded at the same time
_INTERVAL = 1.0  # seconds

Key = tuple[int, int, str]


class Trends:
    """Records each point from the first `latest` for it."""

    def __init__(
        self,
        devices: Sequence[LiveDevice],
        now: Callable[[], float],
        wall_clock: Callable[[], float],
    ) -> None:
        self._devices = devices
        self._now = now
        self._wall_clock = wall_clock
        self._values: dict[Key, deque[tuple[float, float]]] = {}
        self._wanted = trio.Event()

    def latest(self, device: int, unit: int, name: str) -> list[tuple[float, float]]:
        """Return the recorded values of an existing point, and record it from now on."""
        key = (device, unit, name)
        found = self._values.pop(key, None)
        values: deque[tuple[float, float]]
        if found is not None:
            values = found
        else:
            values = deque(maxlen=_MOST_VALUES)
            while len(self._values) >= _MOST_TRENDS:
                del self._values[next(iter(self._values))]
        self._values[key] = values  # moves it to the end: the first ones are evicted
        if not values:
            self._sample(key)
        self._wanted.set()
        return list(values)

    def sample(self) -> None:
        """Record the current values."""
        for key in self._values:
            self._sample(key)

    def _sample(self, key: Key) -> None:
        device, unit, name = key
        point = self._devices[device].simulated[unit].points[name]
        number = as_number(point.value(self._now()))
        if number is not None:
            self._values[key].append((self._wall_clock(), float(number)))

    async def run(self) -> None:
        """Record once per second, until cancelled."""
        await self._wanted.wait()
        while True:
            await trio.sleep(_INTERVAL)
            self.sample()

"""`Silences`: which units behind a gateway did not answer, and when they may be asked again.

`GatewayLine` goes by it. Many devices are silent to functions that they do not know, instead of
refusing them. So a function that was never answered is backed off by itself, as long as the unit
answers others: who asks for it takes the unit from nobody else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..client.link import Backoff


class Silence:
    """A unit, or one function of it, that did not answer.

    `probe` is what is being asked to find out whether it answers again.
    """

    __slots__ = ("backoff", "probe")

    def __init__(self, backoff: Backoff) -> None:
        self.backoff = backoff
        self.probe: object = None

    def lasts(self, now: float) -> bool:
        """Whether nothing is to be asked now."""
        return self.probe is not None or self.backoff.wait(now) > 0


class Silenced(NamedTuple):
    """What must not be asked from now on: `function` of `unit`, or None for all of them."""

    unit: int
    function: int | None

    def covers(self, unit: int, function: int) -> bool:
        """Whether a request is among it."""
        return unit == self.unit and self.function in (None, function)


class _Device:
    """What is known of one unit."""

    __slots__ = ("answered", "is_alive", "silences")

    def __init__(self) -> None:
        self.answered: set[int] = set()  # functions, ever
        self.is_alive = False  # it answered what it was asked last
        self.silences: dict[int | None, Silence] = {}  # by function, None is the whole unit


class Silences:
    """The units on one line.

    A unit that does not answer is not asked for `pause` seconds, doubled each time up to
    `longest_pause`; the first answer ends that. `on_change` gets a text when a silence begins,
    and when that of a unit ends.
    """

    def __init__(
        self, pause: float, longest_pause: float, on_change: Callable[[str], None]
    ) -> None:
        self._pause = pause
        self._longest_pause = longest_pause
        self._on_change = on_change
        self._devices: dict[int, _Device] = {}

    def concerning(self, unit: int, function: int) -> list[Silence]:
        """The silences that keep `function` of `unit` from being asked, while they last."""
        device = self._devices.get(unit)
        if device is None:
            return []
        found = (device.silences.get(None), device.silences.get(function))
        return [each for each in found if each is not None]

    def answered(self, unit: int, function: int) -> None:
        """An answer came."""
        device = self._devices.get(unit)
        if device is None:
            device = self._devices[unit] = _Device()
        device.answered.add(function)
        device.is_alive = True
        if device.silences.pop(None, None) is not None:
            self._on_change(f"unit {unit} answers again")
        device.silences.pop(function, None)

    def unanswered(
        self, unit: int, function: int, probed: list[Silence], now: float
    ) -> Silenced | None:
        """None came; `probed` are the silences that the request was to end.

        What is silent only from now on is given; None where that was known already.
        """
        device = self._devices.get(unit)
        if device is None:
            device = self._devices[unit] = _Device()
        was_alive, device.is_alive = device.is_alive, False
        # An answer to what was asked before may have ended some of them meanwhile.
        lasting = [each for each in probed if each in device.silences.values()]
        if lasting:
            for each in lasting:
                each.backoff.failed(now)
            return None
        if None in device.silences or function in device.silences:
            return None  # it was asked before that was known
        is_whole = not was_alive or function in device.answered
        silenced = Silenced(unit, None if is_whole else function)
        backoff = Backoff(self._pause, self._longest_pause, forgiven=0)
        backoff.failed(now)
        device.silences[silenced.function] = Silence(backoff)
        what = "" if is_whole else f" to function {function}"
        self._on_change(f"unit {unit} does not answer{what}: it is not asked for {self._pause:g} s")
        return silenced

"""`Silences`: the back-off of the units behind a gateway that do not answer.

`GatewayLine` uses it. Many devices do not answer functions that they do not support, instead of
refusing them. So a function that was never answered has its own back-off while the unit answers
others: requests for it do not block the unit for other clients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..client.link import Backoff


class Silence:
    """A unit, or one function of it, that did not answer.

    `probe` is the request under way that tests if it answers again, or None.
    """

    __slots__ = ("backoff", "probe")

    def __init__(self, backoff: Backoff) -> None:
        self.backoff = backoff
        self.probe: object = None

    def lasts(self, now: float) -> bool:
        """True if no request may be sent now."""
        return self.probe is not None or self.backoff.wait(now) > 0


class Silenced(NamedTuple):
    """Requests to refuse from now on: `function` of `unit`, or None for all its functions."""

    unit: int
    function: int | None

    def covers(self, unit: int, function: int) -> bool:
        """True if it includes this `function` of `unit`."""
        return unit == self.unit and self.function in (None, function)


class _Device:
    """The state of one unit."""

    __slots__ = ("answered", "is_alive", "silences")

    def __init__(self) -> None:
        self.answered: set[int] = set()  # functions that it has answered at any time
        self.is_alive = False  # it answered the last request
        self.silences: dict[int | None, Silence] = {}  # by function, None is the whole unit


class Silences:
    """The back-offs of the units on one line.

    A unit that does not answer gets no request for `pause` seconds, doubled each time up to
    `longest_pause`; the first answer ends that. `on_change` gets a text, and the time, when a
    silence begins, and when that of a whole unit ends.
    """

    def __init__(
        self, pause: float, longest_pause: float, on_change: Callable[[str, float], None]
    ) -> None:
        self._pause = pause
        self._longest_pause = longest_pause
        self._on_change = on_change
        self._devices: dict[int, _Device] = {}

    def concerning(self, unit: int, function: int) -> list[Silence]:
        """Return the silences that, while they last, apply to `function` of `unit`."""
        device = self._devices.get(unit)
        if device is None:
            return []
        found = (device.silences.get(None), device.silences.get(function))
        return [each for each in found if each is not None]

    def answered(self, unit: int, function: int, now: float) -> None:
        """Record an answer: it ends the silences of the unit and of the function."""
        device = self._devices.get(unit)
        if device is None:
            device = self._devices[unit] = _Device()
        device.answered.add(function)
        device.is_alive = True
        if device.silences.pop(None, None) is not None:
            self._on_change(f"unit {unit} answers again", now)
        device.silences.pop(function, None)

    def unanswered(
        self, unit: int, function: int, probed: list[Silence], now: float
    ) -> Silenced | None:
        """Record that no answer came; `probed` are the silences that the request tested.

        Returns the requests to refuse from now on, or None if this silence was known before.
        """
        device = self._devices.get(unit)
        if device is None:
            device = self._devices[unit] = _Device()
        was_alive, device.is_alive = device.is_alive, False
        # The answer to an earlier request may have ended some of them meanwhile.
        lasting = [each for each in probed if each in device.silences.values()]
        if lasting:
            for each in lasting:
                each.backoff.failed(now)
            return None
        if None in device.silences or function in device.silences:
            return None  # the request was sent before that was known
        is_whole = not was_alive or function in device.answered
        silenced = Silenced(unit, None if is_whole else function)
        backoff = Backoff(self._pause, self._longest_pause, forgiven=0)
        backoff.failed(now)
        device.silences[silenced.function] = Silence(backoff)
        what = "" if is_whole else f" to function {function}"
        text = f"unit {unit} does not answer{what}: it is not asked for {self._pause:g} s"
        self._on_change(text, now)
        return silenced

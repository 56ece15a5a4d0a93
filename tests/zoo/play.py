"""`Play`: one device on one link, asked by one player; `play_all` runs many at once.

Most of a play is waiting, so many of them run in threads of one process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from modwire import (
    ExceptionResponseError,
    GatewayPathUnavailableError,
    GatewayTargetFailedError,
    ModbusError,
)

from .asks import Ask, Found, Said
from .device import Device, Fails, On, Outcome
from .line import serving
from .players import PLAYERS, Place, Player

GENEROUS: Final = 10.0
"""Seconds for an answer that comes."""

SHORT: Final = (0.3, 1.5, 6.0)
"""Seconds for an answer that does not come.

A busy machine looks like a slow device, so an outcome that is not the declared one is tried again
with a longer time, and a device that has a time of its own with the same. A wrong value is a fault
at once.
"""

THREADS: Final = 24
"""Plays at once in one process."""


@dataclass(frozen=True)
class Play:
    """A device on a link, asked by a player, without options or with those of its declaration."""

    device: Device
    on: On
    player: Player
    with_setting: bool

    def __str__(self) -> str:
        options = "with its options" if self.with_setting else "without options"
        return f"{self.device.name} on {self.on}, {self.player.name}, {options}"

    @property
    def asks(self) -> Sequence[Ask]:
        """The asks of this play."""
        device = self.device
        return device.then_asks if self.with_setting and device.then_asks else device.asks

    @property
    def setting(self) -> Mapping[str, Any]:
        """Options of the client."""
        setting = {**self.device.given, **(self.device.setting if self.with_setting else {})}
        return {name: value for name, value in setting.items() if name != "scheme"}

    @property
    def outcome(self) -> Outcome:
        """The declared outcome."""
        return self.device.then if self.with_setting else self.device.without

    @property
    def reason(self) -> str:
        """Text of an open fault; "" if the outcome is to be the declared one."""
        device, player = self.device, self.player.name
        if self.with_setting != device.can_be_helped:
            return ""
        keys = ("all", player, self.on, f"{self.on}-{player}")
        return next((device.broken[key] for key in keys if key in device.broken), "")

    @property
    def is_possible(self) -> bool:
        """True if the player can ask this."""
        only = self.device.only
        return (not only or self.player.name in only) and self.player.can_play(
            self.asks, self.setting
        )

    def run(self) -> tuple[str, list[Found]]:
        """Play; return what is wrong, "" for nothing, and what came."""
        device, outcome = self.device, self.outcome
        timeout = device.setting.get("response_timeout") if self.with_setting else device.timeout
        times: Sequence[float] = SHORT if timeout is None else (timeout,) * 3
        if not isinstance(outcome, Fails) and timeout is None:
            times = (GENEROUS,)
        scheme = device.endpoint or self.on
        if self.with_setting:
            scheme = device.setting.get("scheme", scheme)
        fault, found = "", list[Found]()
        for time in times:
            is_taken = device.is_taken and not self.with_setting
            with serving(device, self.on, is_taken=is_taken) as served:
                place = Place(scheme, served.place, self.setting, time)
                keeps_on = device.keeps_on or not isinstance(outcome, Fails)
                found = self.player.play(place, self.asks, keeps_on=keeps_on)
            fault = _wrong_value(self.asks, found)
            if fault:
                break
            fault = self._difference(found)
            if not fault:
                break
        return fault, found

    def checked(self) -> str:
        """Play; return what is wrong as a line of text, "" for nothing."""
        try:
            fault, _ = self.run()
        except Exception as error:  # noqa: BLE001 - it has to be told which play it was
            fault = f"{type(error).__name__}: {error}"
        if not self.reason:
            return f"{self}: {fault}" if fault else ""
        return "" if fault else f"{self}: right, although it is declared broken: {self.reason}"

    def _difference(self, found: Sequence[Found]) -> str:
        """Return how the outcome differs from the declared one; "" if it does not."""
        outcome = self.outcome
        errors = [each for each in found if isinstance(each, (ModbusError, Said))]
        if not isinstance(outcome, Fails):
            is_right = not errors and len(found) == len(_parts(self.asks))
            return "" if is_right else f"not {outcome}: {found!r}"
        if outcome.times and len(errors) != outcome.times:
            return f"it must raise {outcome.times} errors, but: {found!r}"
        if any(self._is_error(each, outcome) for each in errors):
            return ""
        is_command = self.player.name == "command"
        if is_command and self.device.then_asks and not self.with_setting and not errors:
            return ""  # it does by itself what the table advises
        return f"it must raise {outcome.error.__name__} with {outcome.text!r}, but: {found!r}"

    def _is_error(self, error: ModbusError | Said, outcome: Fails) -> bool:
        if isinstance(error, Said):
            return outcome.is_said_in(error)
        if self.player.name != "gateway" or issubclass(outcome.error, ExceptionResponseError):
            return isinstance(error, outcome.error) and outcome.is_said_in(str(error))
        if outcome.at_client:
            return isinstance(error, outcome.error)
        return isinstance(error, (GatewayTargetFailedError, GatewayPathUnavailableError))


def _parts(asks: Iterable[Ask]) -> list[Ask]:
    return list(chain.from_iterable(ask.parts() for ask in asks))


def _wrong_value(asks: Sequence[Ask], found: Sequence[Found]) -> str:
    """Return which answer is not the right one, whatever else is allowed to happen."""
    faults = (ask.fault(each) for ask, each in zip(_parts(asks), found, strict=False))
    return next(filter(None, faults), "")


def plays_of(devices: Iterable[Device]) -> list[Play]:
    """Return each device on each of its links with each of its players."""
    found = [
        Play(device, on, player, with_setting)
        for device in devices
        for with_setting in ((False, True) if device.can_be_helped else (False,))
        for on in device.on
        for player in PLAYERS.values()
    ]
    return [each for each in found if each.is_possible]


def play_all(plays: Sequence[Play]) -> list[str]:
    """Play them all, many at once; return what is wrong, a line for each."""
    with ThreadPoolExecutor(THREADS) as threads:
        return [text for text in threads.map(Play.checked, plays) if text]

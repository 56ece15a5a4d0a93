"""Declarations of odd devices: `@device` puts a script into the zoo, and `DEVICES` holds them all.

A declaration says how a user meets the device, what happens without any option, what to set, and
what works then. The tests play it, and `docs/devices.md` is made of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from modwire import (
    ModbusError,
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

if TYPE_CHECKING:
    from .line import Line

On = Literal["tcp", "udp", "rtu", "ascii", "rtu+tcp", "ascii+tcp", "rtu+udp"]
"""The scheme of the endpoint at which a user would look for the device."""


class Ask(NamedTuple):
    """A request, and its right response; None if any will do."""

    request: Any
    response: Any
    unit: int | None = None


def read(address: int, count: int = 1, *, unit: int | None = None) -> Ask:
    """Return a read of holding registers; each holds its own address."""
    values = [each & 0xFFFF for each in range(address, address + count)]
    return Ask(
        ReadHoldingRegistersRequest(address, count), ReadHoldingRegistersResponse(values), unit
    )


def holds(address: int, *values: int) -> Ask:
    """Return a read of holding registers that hold these values."""
    return Ask(
        ReadHoldingRegistersRequest(address, len(values)), ReadHoldingRegistersResponse(values)
    )


def write(address: int, value: int) -> Ask:
    """Return a write of one register by function 6; a read has to tell whether it was done."""
    return Ask(WriteSingleRegisterRequest(address, value), None)


def write_several(address: int, *values: int) -> Ask:
    """Return a write of registers by function 16; a read has to tell whether it was done."""
    return Ask(WriteMultipleRegistersRequest(address, values), None)


READS: Final = (read(100, 3), read(2000), read(9007))
"""The usual requests: far apart, so that no planner joins them, and of two lengths."""

RIGHT: Final = "right"
"""The outcome of a device whose requests all get the right response."""


class Fails(NamedTuple):
    """The outcome of a device: one request or more raise `error` with `text` in its message.

    The others are answered right or fail too: a wrong value is never allowed.
    """

    error: type[ModbusError]
    text: str


Outcome = Literal["right"] | Fails


@dataclass(frozen=True)
class Device:
    """A device of the zoo. The fields are the arguments of `device`."""

    script: Callable[[Line], None]
    does: str
    on: Sequence[On]
    symptom: str
    seen_in: str
    without: Outcome
    given: Mapping[str, Any]
    setting: Mapping[str, Any]
    then: Outcome
    advice: str
    asks: Sequence[Ask]
    then_asks: Sequence[Ask]
    timeout: float | None
    keeps_on: bool
    listens: bool
    endpoint: str
    only: Sequence[str]
    broken: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name for tests: that of the script."""
        return self.script.__name__


DEVICES: Final[dict[str, Device]] = {}


def device(
    does: str,
    *,
    on: On | Sequence[On] = "tcp",
    symptom: str,
    seen_in: str,
    without: Outcome | tuple[type[ModbusError], str] = RIGHT,
    given: Mapping[str, Any] | None = None,
    setting: Mapping[str, Any] | None = None,
    then: Outcome | tuple[type[ModbusError], str] = RIGHT,
    advice: str = "",
    asks: Sequence[Ask] = READS,
    then_asks: Sequence[Ask] = (),
    timeout: float | None = None,
    keeps_on: bool = False,
    listens: bool = True,
    endpoint: str = "",
    only: Sequence[str] = (),
    broken: Mapping[str, str] | None = None,
) -> Callable[[Callable[[Line], None]], Device]:
    """Put the device that the decorated script plays into the zoo.

    - `does`, `symptom`, `seen_in`, `advice`: texts of the table: the fault, as a sentence without
      its subject; the experience of the user; the devices known to do so; more to know or to do.
    - `on`: the endpoints at which it is met; the script runs once for each.
    - `without`: the outcome without options: RIGHT, or the error and a part of its text.
    - `given`: options that the user has set rightly, such as the baud rate of the line.
    - `setting`: the options to set; `then`: the outcome with them.
    - `asks`: the requests, in order; `then_asks`: others that go with the setting, or instead of
      one; `keeps_on`: True to go on after the first error if one is expected, to see that no later
      answer is a wrong one.
    - `timeout`: seconds for the outcome without options, if the script depends on them.
    - `listens`: False if the port refuses connections.
    - `endpoint`: the scheme that the user has tried, if it is not that of `on`; the right one is in
      the setting, as "scheme".
    - `only`: the names of the players, if not all can play it.
    - `broken`: name of a player, or "all", and why it does not get the outcome: an open fault.
    """

    def add(script: Callable[[Line], None]) -> Device:
        made = Device(
            script=script,
            does=does,
            on=(on,) if isinstance(on, str) else tuple(on),
            symptom=symptom,
            seen_in=seen_in,
            without=_outcome(without),
            given=dict(given or {}),
            setting=dict(setting or {}),
            then=_outcome(then),
            advice=advice,
            asks=tuple(asks),
            then_asks=tuple(then_asks),
            timeout=timeout,
            keeps_on=keeps_on,
            listens=listens,
            endpoint=endpoint,
            only=tuple(only),
            broken=dict(broken or {}),
        )
        if made.name in DEVICES:
            raise ValueError(f"two devices of the zoo are called {made.name}")
        DEVICES[made.name] = made
        return made

    return add


def _outcome(given: Outcome | tuple[type[ModbusError], str]) -> Outcome:
    return Fails(*given) if isinstance(given, tuple) else given

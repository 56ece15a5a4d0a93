"""Declarations of odd devices: `@device` puts a script into the zoo, and `DEVICES` holds them all.

A declaration says how a user meets the device, what happens without any option, what to set, and
what works then. The tests play it, and `docs/devices.md` is made of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from modwire import ModbusError

from .asks import READS, Ask

if TYPE_CHECKING:
    from .line import Line

On = Literal["tcp", "udp", "rtu", "ascii", "rtu+tcp", "ascii+tcp", "rtu+udp"]
"""The scheme of the endpoint at which a user would look for the device."""

RIGHT: Final = "right"
"""The outcome of a device whose asks all get the right answer."""

WRONG: Final = "a wrong value, and no error"
"""The outcome of a device whose values no client can know to be wrong: `asks` have them."""


class Fails(NamedTuple):
    """The outcome of a device: one ask or more raise `error` with `text` in its message.

    The message has one of the parts of `text` that "or" joins.

    The others are answered right or fail too: a wrong value is never allowed. Behind a gateway the
    error is that of the gateway, 0A or 0B, unless it is found `at_client`, in the values.
    `times` is the number of errors, 0 for any.
    """

    error: type[ModbusError]
    text: str
    at_client: bool = False
    times: int = 0

    def is_said_in(self, text: str) -> bool:
        """True if `text`, a message, has this text."""
        return any(part in text for part in self.text.split(" or "))


Outcome: TypeAlias = "str | Fails"
"""RIGHT, WRONG or a Fails."""

Declared: TypeAlias = (
    "Outcome | tuple[type[ModbusError], str] | tuple[type[ModbusError], str, bool]"
)


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
    declare: str
    is_taken: bool
    broken: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def name(self) -> str:
        """Name for tests: that of the script."""
        return self.script.__name__

    @property
    def file(self) -> str:
        """Name of the file that declares it."""
        return self.script.__module__.rpartition(".")[2]

    @property
    def can_be_helped(self) -> bool:
        """True if there are options to set, or another way to ask."""
        return bool(self.setting or self.then_asks)


DEVICES: Final[dict[str, Device]] = {}


def device(
    does: str,
    *,
    on: On | Sequence[On] = "tcp",
    symptom: str,
    seen_in: str,
    without: Declared = RIGHT,
    given: Mapping[str, Any] | None = None,
    setting: Mapping[str, Any] | None = None,
    then: Declared = RIGHT,
    advice: str = "",
    asks: Sequence[Ask] = READS,
    then_asks: Sequence[Ask] = (),
    timeout: float | None = None,
    keeps_on: bool = False,
    listens: bool = True,
    endpoint: str = "",
    only: Sequence[str] = (),
    declare: str = "",
    is_taken: bool = False,
    broken: Mapping[str, str] | None = None,
) -> Callable[[Callable[[Line], None]], Device]:
    """Put the device that the decorated script plays into the zoo.

    - `does`, `symptom`, `seen_in`, `advice`: texts of the table: the fault, as a sentence without
      its subject; the experience of the user; the devices known to do so; more to know or to do.
    - `on`: the endpoints at which it is met; the script runs once for each.
    - `without`: the outcome without options: RIGHT, WRONG, or the error and a part of its text.
    - `given`: options that the user has set rightly, such as the baud rate of the line.
    - `setting`: the options to set; `then`: the outcome with them.
    - `asks`: what is asked, in order; `then_asks`: others that go with the setting, or instead of
      one; `keeps_on`: True to go on after the first error if one is expected, to see that no later
      answer is a wrong one.
    - `timeout`: seconds for the outcome without options, if the script depends on them.
    - `listens`: False if the port refuses connections.
    - `endpoint`: the scheme that the user has tried, if it is not that of `on`; the right one is in
      the setting, as "scheme".
    - `only`: the names of the players, if not all can play it.
    - `declare`: text of the table: what a point or a map is declared with, in place of options.
    - `is_taken`: True if another program is connected already; with the setting it has ended.
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
            declare=declare,
            is_taken=is_taken,
            broken=dict(broken or {}),
        )
        if made.name in DEVICES:
            raise ValueError(f"two devices of the zoo are called {made.name}")
        DEVICES[made.name] = made
        return made

    return add


def _outcome(given: Declared) -> Outcome:
    return given if isinstance(given, (str, Fails)) else Fails(given[0], given[1])

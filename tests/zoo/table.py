"""`docs/devices.md`, made of the declarations; `python -m tests.zoo` writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from modwire import (
    ConnectionLostError,
    ExceptionResponseError,
    FrameError,
    InvalidResponseError,
    ModbusError,
    Quirks,
    ResponseTimeoutError,
)

from .asks import Ask
from .device import DEVICES, RIGHT, Device, Fails, Outcome
from .texts import query, quirk_names

FILE: Final = Path(__file__).parents[2] / "docs" / "devices.md"

_HEAD = """\
# Odd devices

Each row is a device that breaks a rule of Modbus, or a line that breaks frames, by what its user
sees. Find the message of your error among the headings and in the first column, where the words are
those of the library and of the commands. Look whether your link is among those of the row, and set
what is in the third column: the arguments of `ClientOptions`, what follows the `?` of an endpoint
for `modwire read`, `write`, `gateway` and `connect()`, or what a point of a register map is
declared with. What the options do is under [client options](reference/client-options.md). Devices
that need nothing are here too, at the end.

Every row is a scripted device in `tests/zoo`, on a real socket or a pseudo-terminal. The clients of
all packages, a gateway and the command are tried on each, without and with the options, and every
value that they return is the right one, except where a row says otherwise. `python -m tests.zoo`
writes this file, and a test compares it; `python -m tests.zoo NAME` plays the device with that
name, the last in the second column, and shows what came; `-h` lists the names.

A number names the public report in which the fault was seen; rows without one name the kind of
device that is likely to have it.
"""

_COLUMNS = """\
| you see | the device or the line | set | then |
|---|---|---|---|
"""


def _fails(kind: type[ModbusError], *texts: str) -> Callable[[Device], bool]:
    """Return a test for devices with such an error without options, and one of `texts` in it."""

    def is_one(device: Device) -> bool:
        found = device.without
        if not isinstance(found, Fails) or not issubclass(found.error, kind):
            return False
        return not texts or any(each in found.text for each in texts)

    return is_one


def _needs_nothing(device: Device) -> bool:
    return device.without == RIGHT and not device.can_be_helped and not device.declare


# The headings, each with a test for its devices; a device is under the first that fits.
GROUPS: Final[dict[str, Callable[[Device], bool]]] = {
    "Timeouts: nothing came": _fails(ResponseTimeoutError, "nothing came"),
    "Timeouts: another unit or another request was answered": _fails(
        ResponseTimeoutError, " answered", "another request"
    ),
    "Timeouts: bytes came, but no answer": _fails(ResponseTimeoutError),
    "The connection is refused or lost": _fails(ConnectionLostError),
    "FrameError: MBAP length or MBAP protocol id must be another": _fails(FrameError),
    "InvalidResponseError: answers with wrong contents": _fails(InvalidResponseError),
    "Exceptions: the device or a gateway refuses": _fails(ExceptionResponseError),
    "No error, but wrong values or other effects": lambda device: not _needs_nothing(device),
    "Nothing: with modwire it works": _needs_nothing,
}


def table() -> str:
    """Return the text of the file."""
    groups: dict[str, list[Device]] = {heading: [] for heading in GROUPS}
    for each in DEVICES.values():
        groups[heading_of(each)].append(each)
    return _HEAD + "".join(
        f"\n## {heading}\n\n{_COLUMNS}" + "".join(map(_row, sorted(devices, key=_order)))
        for heading, devices in groups.items()
    )


def heading_of(device: Device) -> str:
    """Return the heading under which a device is."""
    return next(heading for heading, is_one in GROUPS.items() if is_one(device))


def _order(device: Device) -> tuple[int, str, str]:
    """Order by link, first those of networks alone, last those of lines alone; then by symptom."""
    networks = [on in ("tcp", "udp") for on in device.on]
    kind = 0 if all(networks) else 1 if any(networks) else 2
    return kind, device.symptom.lower(), device.does.lower()


def _row(device: Device) -> str:
    return f"| {' | '.join(_cells(device))} |\n"


def _cells(device: Device) -> Iterator[str]:
    """Yield the cells of a row; a cell has several lines."""
    without = outcome_text(device.without, device.asks)
    yield f"{_cell(device.symptom)}<br>{without}"
    links = ", ".join(f"`{each}`" for each in device.on)
    does = f"{device.does[0].upper()}{device.does[1:]}"
    yield f"{_cell(does)}<br>met on: {_cell(device.seen_in)}<br>{links}; `{device.name}`"
    yield setting_text(device)
    then = (
        outcome_text(device.then, device.then_asks or device.asks) if device.can_be_helped else ""
    )
    yield "; ".join(filter(None, (then, _cell(device.advice)))) or "-"


def outcome_text(outcome: Outcome, asks: Sequence[Ask] = ()) -> str:
    """Return an outcome as text: that of `asks`, or the error and a part of its message."""
    if outcome == RIGHT:
        only_writes = asks and all(each.words[:1] == ("write",) for each in asks)
        return "the values are written" if only_writes else "the values are right"
    if not isinstance(outcome, Fails):
        return outcome
    return f"`{outcome.error.__name__}`: {_cell(outcome.text)}"


def setting_text(device: Device) -> str:
    """Return what is declared, or the options as Python and as the end of an endpoint."""
    if not device.setting:
        return _cell(device.declare) or "-"
    if "scheme" in device.setting:
        return f"`{device.setting['scheme']}://` in place of `{device.endpoint}://`"
    words = ", ".join(f"{name}={_value(value)}" for name, value in device.setting.items())
    options = query(device.setting)
    return f"`{words}`" + (f"; `?{options}`" if options else "")


def _value(value: object) -> str:
    if isinstance(value, Quirks):
        return " \\| ".join(f"Quirks.{name}" for name in quirk_names(value, " ").split())
    return repr(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")

"""`docs/devices.md`, made of the declarations; `python -m tests.zoo` writes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from modwire import Quirks

from .device import DEVICES, Device, Fails, Outcome
from .texts import query, quirk_names

FILE: Final = Path(__file__).parents[2] / "docs" / "devices.md"

_HEAD = """\
# Odd devices

Each row is a device that breaks a rule of Modbus, or a line that breaks frames, by what its user
sees. Find your symptom, look whether the error is yours, and set what is in the column "set": the
arguments of `ClientOptions`, what follows the `?` of an endpoint for `modwire read`, `write`,
`gateway` and `connect()`, or what a point of a register map is declared with. Devices that need
nothing are here too.

Every row is a scripted device in [tests/zoo](../tests/zoo), on a real socket or a pseudo-terminal.
The clients of all packages, a gateway and the command are tried on each, without and with the
options, and every value that they return is the right one, except where a row says otherwise.
`python -m tests.zoo` writes this file, and a test compares it; `python -m tests.zoo NAME` plays the
device of that name in tests/zoo/devices, and shows what came.

A number names the public report in which the fault was seen; rows without one name the kind of
device that is likely to have it.

| you see | the device or the line | met on | without options | set | then |
|---|---|---|---|---|---|
"""


def table() -> str:
    """Return the text of the file."""
    rows = sorted(DEVICES.values(), key=lambda each: (each.symptom.lower(), each.does.lower()))
    return _HEAD + "".join(f"| {' | '.join(_cells(each))} |\n" for each in rows)


def _cells(device: Device) -> Iterator[str]:
    links = ", ".join(f"`{each}`" for each in device.on)
    yield _cell(device.symptom)
    yield _cell(f"{device.does[0].upper()}{device.does[1:]} ({links})")
    yield _cell(device.seen_in)
    yield outcome_text(device.without)
    yield setting_text(device)
    then = outcome_text(device.then) if device.can_be_helped else ""
    yield "; ".join(filter(None, (then, _cell(device.advice)))) or "-"


def outcome_text(outcome: Outcome) -> str:
    """Return an outcome as text: itself, or the error and a part of its message."""
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

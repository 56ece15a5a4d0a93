"""`Screen`: the texts and states of a window at one moment, and the labels that never change.

In labels, & precedes the letter that, together with Alt, leads to a field or pushes a button.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..simulator.placing import CONSECUTIVE
from .setup import MOST_DEVICES


@dataclass(frozen=True)
class Column:
    """A column of a list, `width` digits wide; the last one also takes the remaining width."""

    name: str
    width: int
    right: bool = False


@dataclass(frozen=True)
class Row:
    """The texts of a row, one for each column, and a key of `COLOURS`, or ""."""

    texts: Sequence[str]
    mark: str = ""


@dataclass(frozen=True)
class Editor:
    """The field for a new value. While `point` and `text` are the same, the typed text stays."""

    point: tuple[object, ...] = ()
    label: str = "&Value"
    text: str = ""


@dataclass(frozen=True)
class Screen:
    """Everything but the texts of the rows, which `Presenter` gives for the visible ones.

    `device`, `unit` and `point` are the chosen rows, or None.
    """

    title: str
    message: str  # what went wrong, or ""
    heading: str  # the chosen device, where it is served, and its problem
    can_start: bool
    can_stop: bool
    devices: int
    device: int | None
    can_start_device: bool
    can_stop_device: bool
    units: Sequence[str]
    unit: int | None
    points: int
    point: int | None
    editor: Editor
    can_set: bool
    can_hold: bool
    is_held: bool


# As dark as is readable on white, and as light as is readable on the grey of a dark theme.
COLOURS = {"bad": "#c92a2a", "held": "#9a6700", "muted": "#767676"}

DEVICE_COLUMNS = (
    Column("No.", 4, right=True),
    Column("Device", 13),
    Column("Requests", 9, right=True),
    Column("State and addresses", 29),
)
POINT_COLUMNS = (
    Column("Point", 19),
    Column("Value", 13, right=True),
    Column("Unit", 6),
    Column("Address", 9),
    Column("Type", 9),
    Column("Behaviour", 20),
)

FILE = "&Device file"
FILE_HINT = "empty: a small energy meter"
BROWSE = "&Browse..."
CHOOSE_FILE = "Choose a device file"
FILE_KINDS = (("Device files", ("*.toml", "*.json")), ("All files", ("*",)))
HOST = "Starting &address"
PORT = "&Port"
DEVICES = "&Number of devices"
NEXT = "&Each on the next of the"
START, STOP = "S&tart", "St&op"
START_DEVICE, STOP_DEVICE = "Start device", "Stop device"
UNIT = "&Unit"
SET, HOLD, RELEASE = "Set", "&Hold", "&Release"
PORT_LIMITS = (0, 65535)
DEVICE_LIMITS = (1, MOST_DEVICES)
NEXT_CHOICES = CONSECUTIVE

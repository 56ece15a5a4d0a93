"""`menus`: the menus of the window, and their keys, which work wherever the focus is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .. import __version__
from .presenter import Front, Presenter

HELP = """\
The window simulates Modbus devices.

Choose a device file, or leave the field empty for a small energy meter. Enter where the \
first device is served and how many there are, and press Start (F5).

Choose a device to see its values. To change one, choose it, type the new value and press \
Enter; Enter in the list switches a bit. Hold keeps a changing value as it is.

Registers, trends, counters, faults, traffic and clients are on the page of the simulator, \
which the menu Page opens in your browser (Ctrl+1 to Ctrl+6)."""
ABOUT = f"""\
modwire {__version__}

A Modbus library for Python, and its simulator. \
Made by the modwire authors, under the MIT licence."""

PAGES = ("&Registers", "&Trends", "&Counters", "&Faults", "Tra&ffic", "C&lients")
"""The parts of the page that the window has not."""


@dataclass(frozen=True)
class Entry:
    """A menu entry; in its text, & precedes the letter that selects it.

    `keys` is a key with Ctrl or Shift, such as "Ctrl+O", or "".
    """

    text: str
    act: Callable[[], object]
    keys: str = ""


SEPARATOR = None
Menus = Sequence[tuple[str, Sequence[Entry | None]]]


def menus(front: Front, presenter: Presenter) -> Menus:
    """Return the menus, each with a name and its entries."""
    pages = [
        Entry(f"{name}...", _opener(presenter, name.replace("&", "").lower()), f"Ctrl+{number}")
        for number, name in enumerate(PAGES, 1)
    ]
    return (
        (
            "&File",
            (
                Entry("&Choose device file...", front.choose_file, "Ctrl+O"),
                Entry("Built-in &energy meter", lambda: front.set_file("")),
                SEPARATOR,
                Entry("&Quit", presenter.close, "Ctrl+Q"),
            ),
        ),
        (
            "&Simulation",
            (
                Entry("&Start", presenter.start, "F5"),
                Entry("S&top", presenter.stop, "Shift+F5"),
                SEPARATOR,
                Entry("Start chosen &device", presenter.start_device, "F6"),
                Entry("Stop &chosen device", presenter.stop_device, "Shift+F6"),
            ),
        ),
        ("&Page", pages),
        (
            "&Help",
            (
                Entry("&Help", lambda: front.inform("Help", HELP), "F1"),
                Entry("&About", lambda: front.inform("About modwire", ABOUT)),
            ),
        ),
    )


def _opener(presenter: Presenter, name: str) -> Callable[[], None]:
    return lambda: presenter.open_page(name)

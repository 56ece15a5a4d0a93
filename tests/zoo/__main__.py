"""Write `docs/devices.md` anew: `python -m tests.zoo` in the root of the repository.

With names of devices, `python -m tests.zoo NAME...`, play them and show what came.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from difflib import get_close_matches
from textwrap import fill

from . import command, devices
from .device import Device
from .play import plays_of
from .table import FILE, table


def chosen(words: Sequence[str]) -> list[Device]:
    """Return the devices that are named; for a wrong name, say so and exit with 2."""
    parser = ArgumentParser(
        "python -m tests.zoo",
        description="Write docs/devices.md anew, or play the devices that are named.",
        epilog="names:\n" + fill(", ".join(devices.DEVICES), 90, break_on_hyphens=False),
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="device to play, see below")
    names: list[str] = parser.parse_args(words).names
    for name in names:
        if name not in devices.DEVICES:
            close = get_close_matches(name, devices.DEVICES, 1)
            hint = f"did you mean {close[0]}?" if close else "-h lists the names"
            parser.error(f"no device is called {name!r}: {hint}")
    return [devices.DEVICES[name] for name in names]


if __name__ == "__main__":  # a process of the command imports this file
    devices.load()
    if found := chosen(sys.argv[1:]):
        for play in plays_of(found):
            fault, came = play.run()
            print(f"{play}: {fault or 'as declared'}")
            for each in came:
                print(f"    {each if isinstance(each, str) else repr(each)}")
        command.end()
    else:
        FILE.write_text(table(), encoding="utf-8")
        print(f"{FILE}: {len(devices.DEVICES)} devices")

"""Write `docs/devices.md` anew: `python -m tests.zoo` in the root of the repository.

With names of devices, `python -m tests.zoo NAME...`, play them and show what came.
"""

from __future__ import annotations

import sys

from . import command, devices
from .play import plays_of
from .table import FILE, table

if __name__ == "__main__":  # a process of the command imports this file
    devices.load()
    if names := sys.argv[1:]:
        for play in plays_of(devices.DEVICES[name] for name in names):
            fault, found = play.run()
            print(f"{play}: {fault or 'as declared'}")
            for each in found:
                print(f"    {each if isinstance(each, str) else repr(each)}")
        command.end()
    else:
        FILE.write_text(table(), encoding="utf-8")
        print(f"{FILE}: {len(devices.DEVICES)} devices")

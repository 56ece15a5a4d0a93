"""Write `docs/devices.md` anew: `python -m tests.zoo` in the root of the repository."""

from __future__ import annotations

from . import devices
from .table import FILE, table

devices.load()
FILE.write_text(table(), encoding="utf-8")
print(f"{FILE}: {len(devices.DEVICES)} devices")

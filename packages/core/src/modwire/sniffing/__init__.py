"""Listening on a serial line: the frames of all devices, as requests with their responses.

- `sniffer.Sniffer` takes bytes and times, and yields `heard.HeardExchange` and `heard.HeardDamage`.
- `rtu_bus` finds frames where only lengths and checksums separate them, `marked_bus` those with
  start and end characters; `pairing` decides which frame answers which.
- `constructors` has `SerialSnifferBase` for the packages that open ports, with its arguments,
  defaults and checks.
"""

from .heard import DamageKind, HeardDamage, HeardExchange, HeardFrame, HeardOutcome
from .sniffer import Sniffer

__all__ = ["DamageKind", "HeardDamage", "HeardExchange", "HeardFrame", "HeardOutcome", "Sniffer"]

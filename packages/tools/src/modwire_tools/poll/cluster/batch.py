"""`Batch`: values and figures on their way from an actor to the driver; the times of both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..reader import DeviceFigures, LineFigures

LEASE = 1.8
"""Seconds that an actor reads without being asked for values."""

HOLD = 0.3
"""Seconds that a call for values waits for some."""

SILENCE = 3.0
"""Seconds without an answer after which an actor is given up; its lease has ended by then."""

assert HOLD < LEASE < SILENCE


class Batch(NamedTuple):
    """Readings that the driver has not taken yet, oldest first, each packed as in the spool.

    - `life`: names the actor; another one after a restart, which numbers its readings anew.
    - `revision`: that of the devices which are read now, 0 if there are none.
    - `last`: the number of the last reading.
    - `devices`, `lines`: figures that have changed.
    - `latest`: the latest values of points of which nothing was passed on; packed as readings.
    """

    life: str
    revision: int
    last: int
    readings: Sequence[bytes]
    devices: Sequence[DeviceFigures] = ()
    lines: Sequence[LineFigures] = ()
    latest: Sequence[bytes] = ()

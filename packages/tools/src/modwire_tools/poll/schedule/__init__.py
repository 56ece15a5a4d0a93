"""The schedule: which device is asked when, without I/O and without a clock.

Callers pass `now` (seconds, monotonic) and `wall` (seconds since 1970). `Schedule` has a `Line` for
each serial port or connection; `runner` asks a line for the next request, sends it, and hands the
answer back:

    ask = line.next(now)
    samples = line.answered(ask, response, now, wall)    # or line.failed(ask, error, now, wall)
    line.wake(now)                                       # when to ask for the next request again
"""

from .device import DeviceState
from .line import LATENESS, Ask, Line
from .schedule import Schedule

__all__ = ["LATENESS", "Ask", "DeviceState", "Line", "Schedule"]

"""The drivers that the suite runs; a new adapter is one line here beside its file."""

from __future__ import annotations

from .asyncio import AsyncioDriver, UvloopDriver
from .base import Driver
from .gevent import GeventDriver, GeventTimeoutDriver
from .sync import SyncDriver
from .trio import TrioDriver, TrioMemoryDriver

DRIVERS: list[Driver] = [
    SyncDriver(),
    GeventDriver(),
    GeventTimeoutDriver(),
    TrioDriver(),
    TrioMemoryDriver(),
    AsyncioDriver(),
    UvloopDriver(),
]

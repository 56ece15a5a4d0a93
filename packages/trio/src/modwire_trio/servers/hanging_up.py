"""`peer_hung_up`: lets a unit that waits stop as soon as its client has hung up.

The task of a connection sets `watcher` to a function that waits for the end of its peer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar

import trio

watcher: ContextVar[Callable[[], Awaitable[None]] | None] = ContextVar("watcher", default=None)


async def peer_hung_up() -> None:
    """Wait until the client of the calling `AsyncUnit` closes its connection, or its half of it.

    Waits for ever without a connection, or if it cannot report this (UDP, serial lines, TLS). A
    client that has only ended its sending still gets the answer.
    """
    watch = watcher.get()
    if watch is None:
        await trio.sleep_forever()
    else:
        await watch()

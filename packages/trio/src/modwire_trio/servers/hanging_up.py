"""`peer_hung_up`: for units that only wait, which they need not do for a peer that has gone.

A connection says in `watcher` how its task waits for the end of its peer.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Awaitable, Callable
from contextvars import ContextVar

import trio

# Linux tells the end of a stream also where bytes that nobody has read stand before it.
_POLLRDHUP: int = getattr(select, "POLLRDHUP", 0)

watcher: ContextVar[Callable[[], Awaitable[None]] | None] = ContextVar("watcher", default=None)


async def peer_hung_up() -> None:
    """Wait until who asks the `AsyncUnit` that calls this has closed the connection, or its half.

    For ever where there is no connection, or one that does not tell (UDP, serial lines, TLS). One
    who has only ended its sending still gets the answer.
    """
    watch = watcher.get()
    if watch is None:
        await trio.sleep_forever()
    else:
        await watch()


def has_ended(link: socket.socket) -> bool:
    """Whether the peer of an open socket sends no more."""
    if _POLLRDHUP:
        poll = select.poll()
        poll.register(link, _POLLRDHUP)
        return bool(poll.poll(0))
    try:
        return not link.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True

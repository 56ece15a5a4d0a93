"""Pollers, which wait for sockets: epoll where available, otherwise `selectors`; and `Waker`.

`selectors` looks up a key object for each event, which takes noticeable time in a small request.
"""

from __future__ import annotations

import select
import selectors
import socket
from contextlib import suppress
from typing import TypeAlias

Poller: TypeAlias = "select.epoll | SelectorPoller"

# The values of EPOLLIN, EPOLLOUT, EPOLLERR | EPOLLHUP, and EPOLLRDHUP.
READ, WRITE = 1, 4
GONE = 8 | 16
HUNG_UP = 0x2000


class SelectorPoller:
    """The methods of `select.epoll` that the loop uses, based on `selectors`.

    A mask combines READ, WRITE and HUNG_UP, or is 0; HUNG_UP means that the peer sends no more,
    even if unread bytes remain. With epoll, `poll` may add GONE to any mask; this class never
    reports GONE or HUNG_UP.
    """

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def register(self, fd: int, eventmask: int) -> None:
        """Watch a file descriptor that is not watched yet."""
        # `selectors` refuses an empty mask: such a file descriptor is not registered.
        if eventmask & (READ | WRITE):
            self._selector.register(fd, _to_selectors(eventmask))

    def modify(self, fd: int, eventmask: int) -> None:
        """Change the events that a file descriptor is watched for."""
        if fd not in self._selector.get_map():
            self.register(fd, eventmask)
        elif eventmask & (READ | WRITE):
            self._selector.modify(fd, _to_selectors(eventmask))
        else:
            self._selector.unregister(fd)

    def unregister(self, fd: int) -> None:
        """Stop watching a file descriptor; to be called before it is closed."""
        if fd in self._selector.get_map():
            self._selector.unregister(fd)

    def poll(self, timeout: float | None, maxevents: int) -> list[tuple[int, int]]:
        """Return ready descriptors and masks; empty after `timeout` seconds (None: no timeout)."""
        ready = self._selector.select(timeout)
        return [(key.fd, _from_selectors(events)) for key, events in ready]

    def close(self) -> None:
        """Release the operating system's resources."""
        self._selector.close()


def _to_selectors(mask: int) -> int:
    events = selectors.EVENT_READ if mask & READ else 0
    return events | (selectors.EVENT_WRITE if mask & WRITE else 0)


def _from_selectors(events: int) -> int:
    return (READ if events & selectors.EVENT_READ else 0) | (
        WRITE if events & selectors.EVENT_WRITE else 0
    )


def new_poller() -> Poller:
    """Return the fastest poller of this system."""
    epoll = getattr(select, "epoll", None)
    return SelectorPoller() if epoll is None else epoll()


class Waker:
    """A socket pair that ends a `poll` from another thread, or from a signal handler."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._theirs.setblocking(False)

    def fileno(self) -> int:
        """Return the file descriptor to watch for READ."""
        return self._ours.fileno()

    def wake(self) -> None:
        """Make `fileno()` readable."""
        # On an error it is full, so readable already, or closed, so nobody waits any more.
        with suppress(OSError):
            self._theirs.send(b"\0")

    def clear(self) -> None:
        """Read the bytes that `wake` has sent."""
        with suppress(OSError):
            self._ours.recv(4096)

    def close(self) -> None:
        """Close both ends; `wake` has no effect from now on."""
        self._ours.close()
        self._theirs.close()

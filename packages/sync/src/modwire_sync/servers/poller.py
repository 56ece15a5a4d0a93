"""Waiting for sockets: epoll itself where there is one, `selectors` elsewhere; and `Waker`.

`selectors` looks up a key object for each event, a noticeable part of a small request's time.
"""

from __future__ import annotations

import select
import selectors
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

# The numbers of EPOLLIN, EPOLLOUT, EPOLLERR and EPOLLHUP, EPOLLRDHUP.
READ, WRITE = 1, 4
GONE = 8 | 16
HUNG_UP = 0x2000


class Poller(Protocol):
    """Tells which file descriptors are ready, as `select.epoll` does.

    A mask is of READ, WRITE and HUNG_UP, or 0; `poll` may add GONE to any of them. HUNG_UP is told
    where the peer sends no more, whatever there is to be read before that.
    """

    def register(self, fd: int, eventmask: int) -> None:
        """Watch a file descriptor that is not watched yet."""

    def modify(self, fd: int, eventmask: int) -> None:
        """Watch for something else."""

    def unregister(self, fd: int) -> None:
        """Watch it no longer; to be called before it is closed."""

    def poll(self, timeout: float | None, maxevents: int) -> Sequence[tuple[int, int]]:
        """File descriptors and masks; empty after `timeout` seconds, None for ever."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the operating system's resources."""


class SelectorPoller:
    """A `Poller` on whatever `selectors` finds best; it never tells GONE or HUNG_UP."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def register(self, fd: int, eventmask: int) -> None:
        # selectors refuses to watch for nothing: such a file descriptor stays out.
        if eventmask & (READ | WRITE):
            self._selector.register(fd, _to_selectors(eventmask))

    def modify(self, fd: int, eventmask: int) -> None:
        if fd not in self._selector.get_map():
            self.register(fd, eventmask)
        elif eventmask & (READ | WRITE):
            self._selector.modify(fd, _to_selectors(eventmask))
        else:
            self._selector.unregister(fd)

    def unregister(self, fd: int) -> None:
        if fd in self._selector.get_map():
            self._selector.unregister(fd)

    def poll(self, timeout: float | None, maxevents: int) -> Sequence[tuple[int, int]]:
        ready = self._selector.select(timeout)
        return [(key.fd, _from_selectors(events)) for key, events in ready]

    def close(self) -> None:
        self._selector.close()


def _to_selectors(mask: int) -> int:
    events = selectors.EVENT_READ if mask & READ else 0
    return events | (selectors.EVENT_WRITE if mask & WRITE else 0)


def _from_selectors(events: int) -> int:
    return (READ if events & selectors.EVENT_READ else 0) | (
        WRITE if events & selectors.EVENT_WRITE else 0
    )


def new_poller() -> Poller:
    """The fastest poller that this system has."""
    epoll = getattr(select, "epoll", None)
    return SelectorPoller() if epoll is None else epoll()


class Waker:
    """Ends a `poll` from another thread, or from a signal handler."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._theirs.setblocking(False)

    def fileno(self) -> int:
        """What to watch for READ."""
        return self._ours.fileno()

    def wake(self) -> None:
        """Make `fileno()` readable."""
        # Full, so it is readable already; or closed, so nobody waits any longer.
        with suppress(OSError):
            self._theirs.send(b"\0")

    def clear(self) -> None:
        """Take what `wake` has sent."""
        with suppress(OSError):
            self._ours.recv(4096)

    def close(self) -> None:
        """Close both ends; waking does nothing from now on."""
        self._ours.close()
        self._theirs.close()

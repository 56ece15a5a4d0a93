"""`watch`: calls a function while a socket is readable, in any loop."""

from __future__ import annotations

import asyncio
import select
from socket import socketpair
from threading import Event, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

_LOOK = 0.2  # seconds between looks whether a watch has ended


def watch(sock: socket.socket, on_readable: Callable[[], object]) -> Callable[[], object]:
    """Call `on_readable` in this loop whenever `sock` is readable; return what ends that.

    It has to be ended before the socket is closed.
    """
    loop, number = asyncio.get_running_loop(), sock.fileno()
    try:
        loop.add_reader(number, on_readable)
    except NotImplementedError:  # such as the loop of Windows
        return _Watch(loop, sock, on_readable).end
    return lambda: loop.remove_reader(number)


class _Watch:
    """A thread that waits for a socket, for a loop that cannot."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        on_readable: Callable[[], object],
    ) -> None:
        self._loop, self._sock, self._on_readable = loop, sock, on_readable
        self._is_over = False
        self._has_run = Event()
        self._end, self._wake = socketpair()
        self._thread = Thread(target=self._run, name="modwire-watch", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._is_over:
            try:
                ready, _, _ = select.select((self._sock, self._end), (), (), _LOOK)
                if ready and not self._is_over:
                    self._has_run.clear()
                    self._loop.call_soon_threadsafe(self._tell)
                    while not self._has_run.wait(_LOOK) and not self._loop.is_closed():
                        pass
            except (OSError, ValueError, RuntimeError):
                return  # the socket or the loop is closed

    def _tell(self) -> None:
        try:
            if not self._is_over:
                self._on_readable()
        finally:
            self._has_run.set()

    def end(self) -> None:
        """Call the function no more; after it, the system does not use the socket any more."""
        self._is_over = True
        self._has_run.set()
        self._wake.send(b"\0")
        self._thread.join()  # while it waits, a closed listener would go on listening
        self._wake.close()
        self._end.close()

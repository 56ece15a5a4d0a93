"""modwire_gevent for tests: concurrent functions run in greenlets of one hub."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

import gevent
from gevent import select, socket
from gevent.lock import Semaphore

import server_peers
from packages import Package, Task
from server_peers import PATIENCE, Line


class Green:
    """A function in a greenlet of its own."""

    def __init__(self, run: Callable[[], object]) -> None:
        self._run = run
        self._value: object = None
        self._error: BaseException | None = None
        self.greenlet: gevent.Greenlet[..., object] = gevent.spawn(self._catch)

    def _catch(self) -> None:
        # gevent would print an error that leaves a greenlet.
        try:
            self._value = self._run()
        except BaseException as error:  # noqa: BLE001 - raised again by `result`
            self._error = error

    @property
    def is_over(self) -> bool:
        return bool(self.greenlet.dead)

    @property
    def error(self) -> BaseException | None:
        """The error that the function raised, or None."""
        return self._error

    def kill(self, error: type[BaseException] | BaseException = gevent.GreenletExit) -> None:
        """Raise `error` where the function waits, and wait until the greenlet has ended."""
        self.greenlet.kill(error, timeout=PATIENCE)
        assert self.greenlet.dead, "the greenlet is still waiting"

    def result(self) -> Any:
        self.greenlet.join(PATIENCE)
        assert self.greenlet.dead, "the greenlet is still waiting"
        if self._error is not None:
            raise self._error
        return self._value


class GeventPackage(Package):
    name = "gevent"
    sockets = socket

    def start(self, run: Callable[[], object]) -> Task:
        return Green(run)

    def wait_until(self, holds: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < end, "the state never came"
            gevent.sleep(0.001)

    def wait(self, event: threading.Event) -> None:
        self.wait_until(event.is_set)

    def semaphore(self) -> Semaphore:
        return Semaphore(0)

    def line(self) -> AbstractContextManager[Line]:
        return server_peers.line(select.select)

    @contextmanager
    def resolver(self, found: list[Any]) -> Iterator[None]:
        resolver = gevent.get_hub().resolver
        with patch.object(type(resolver), "getaddrinfo", lambda *_, **__: found):
            yield

"""modwire_sync for tests: concurrent functions run in threads."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

import server_peers
from packages import Package, Task
from server_peers import PATIENCE, Line


class Thread:
    """A function in a thread of its own."""

    def __init__(self, run: Callable[[], object]) -> None:
        self._run = run
        self._value: object = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._catch, daemon=True)
        self._thread.start()

    def _catch(self) -> None:
        try:
            self._value = self._run()
        except BaseException as error:  # noqa: BLE001 - raised again by `result`
            self._error = error

    @property
    def is_over(self) -> bool:
        return not self._thread.is_alive()

    def result(self) -> Any:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the thread is still waiting"
        if self._error is not None:
            raise self._error
        return self._value


class SyncPackage(Package):
    name = "sync"
    sockets = socket

    def start(self, run: Callable[[], object]) -> Task:
        return Thread(run)

    def wait_until(self, holds: Callable[[], object]) -> None:
        server_peers.wait_until(lambda: bool(holds()))

    def wait(self, event: threading.Event) -> None:
        assert event.wait(PATIENCE), "the event never came"

    def semaphore(self) -> threading.Semaphore:
        return threading.Semaphore(0)

    def line(self) -> AbstractContextManager[Line]:
        return server_peers.line()

    @contextmanager
    def resolver(self, found: list[Any]) -> Iterator[None]:
        with patch.object(socket, "getaddrinfo", lambda *_, **__: found):
            yield

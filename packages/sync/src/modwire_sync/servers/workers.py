"""The threads that execute calls to units that block, so that the server's thread never waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import get_ident
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor
    from typing import TypeAlias

    from modwire import Call, Response, ServerProtocol, Units

    Done: TypeAlias = Callable[[Call, Response | None], None]


class Workers:
    """At most `count` threads, started when a call is first submitted.

    `wake` is called from them when results are ready; `deliver`, in the server's own thread,
    hands these to whoever submitted the calls.
    """

    def __init__(self, count: int, wake: Callable[[], None]) -> None:
        self._count = count
        self._wake = wake
        self._pool: ThreadPoolExecutor | None = None
        self._results: deque[tuple[Done, Call, Response | None]] = deque()
        self._threads: set[int] = set()
        self.outstanding = 0

    def submit(self, protocol: ServerProtocol, call: Call, units: Units, done: Done) -> None:
        """Execute `call` in a thread; `done(call, response)` comes out of `deliver`."""
        if self._pool is None:
            # Costs more to import than the rest of the package, and most servers never block.
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(self._count, "modwire-unit")
        self.outstanding += 1
        self._pool.submit(self._execute, protocol, call, units, done)

    def _execute(self, protocol: ServerProtocol, call: Call, units: Units, done: Done) -> None:
        self._threads.add(get_ident())
        response: Response | None = None
        try:
            response = protocol.execute(call, units)
        except BaseException as error:  # noqa: BLE001 - SystemExit too: this thread is no program
            response = protocol.failed(call, error)
        finally:
            self._results.append((done, call, response))
            self._wake()

    def run_here(self) -> bool:
        """Whether the caller is in one of the threads."""
        return get_ident() in self._threads

    def deliver(self) -> None:
        """Call `done` for every call that has ended."""
        while self._results:
            done, call, response = self._results.popleft()
            self.outstanding -= 1
            done(call, response)

    def close(self) -> None:
        """Drop the calls that no thread has begun; those that run are left to themselves."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

"""Where calls to units that block are executed, so that the hub never waits."""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, TypeVar

from gevent import GreenletExit, get_hub

if TYPE_CHECKING:
    from gevent.threadpool import ThreadPool

    from modwire import Call, Response, ServerProtocol, Units

T = TypeVar("T")


class Workers:
    """At most `count` threads, started when they are first needed.

    They are not those of the hub, which look up host names too and must not wait for units.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool: ThreadPool | None = None
        self._threads: set[int] = set()

    def execute(self, protocol: ServerProtocol, call: Call, units: Units) -> Response | None:
        """What `units` answer to `call`; lets other greenlets run while it waits.

        Hooks, and units that cooperate, are called in this greenlet.
        """
        unit = None if call.broadcast else protocol.find(call.unit, units)
        if unit is not None and unit.is_async:
            return protocol.execute(call, units)  # which refuses it, and says why
        try:
            return _complete(protocol.execute_async(call, units, self._wait_for))
        except (GreenletExit, KeyboardInterrupt, SystemExit):
            raise  # meant for this greenlet or for the program
        except BaseException as error:  # noqa: BLE001 - such as a gevent.Timeout of the unit's own
            return protocol.failed(call, error)

    async def _wait_for(self, function: Callable[[], T]) -> T:
        return self.run(function)

    def run(self, function: Callable[[], T]) -> T:
        """What `function` gives, or raises, in a thread; other greenlets run meanwhile."""
        if self._pool is None:
            from gevent.threadpool import ThreadPool

            self._pool = ThreadPool(self._count, get_hub())
        values: list[T] = []
        errors: list[BaseException] = []

        def run_in_thread() -> None:
            self._threads.add(get_ident())
            try:
                values.append(function())
            except BaseException as error:  # noqa: BLE001 - raised below; the hub would print it
                errors.append(error)

        self._pool.spawn(run_in_thread).get()
        if not errors:
            return values.pop()
        error = errors.pop()
        if isinstance(error, Exception):
            raise error
        raise RuntimeError(f"a unit raised {error!r} in its thread") from error

    def run_here(self) -> bool:
        """Whether the caller is in one of the threads."""
        return get_ident() in self._threads

    def close(self) -> None:
        """Let the threads end; one that hangs in a unit is left to itself."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        if len(pool):
            from gevent import spawn

            spawn(pool.kill)
        else:
            pool.kill()


def _complete(coroutine: Coroutine[object, None, T]) -> T:
    """What a coroutine gives that waits as greenlets do, in its own calls.

    A unit that is sent a broadcast and awaits something of an event loop is told that there is
    none.
    """
    try:
        coroutine.send(None)
        while True:
            coroutine.throw(TypeError("execute() is async: only async servers can await it"))
    except StopIteration as end:
        value: T = end.value
        return value

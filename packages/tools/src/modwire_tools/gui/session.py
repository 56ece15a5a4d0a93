"""`Session`: starts and stops the simulation of the window, in trio's loop.

`run` is the guest of Tk's loop as long as the window exists. The window calls all other methods in
the same thread.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from ..simulator.problems import described_problems
from ..simulator.simulation import Simulation
from ..simulator.view import View

STOPPED = "stopped"
STARTING = "starting"
RUNNING = "running"
STOPPING = "stopping"


class Session:
    """Calls `changed` at each change of `state`, and `failed` with an error for the user."""

    def __init__(self, changed: Callable[[], None], failed: Callable[[str], None]) -> None:
        self.state = STOPPED
        self.view: View | None = None
        self._changed = changed
        self._failed = failed
        self._closing = False
        self._waiting: Callable[[], Simulation] | None = None  # started when `run` begins
        self._nursery: trio.Nursery | None = None
        self._scope = trio.CancelScope()

    async def run(self) -> None:
        """Serve the simulations that are started, until `close`."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            if self._closing:
                nursery.cancel_scope.cancel()
            if self._waiting is not None:
                nursery.start_soon(self._serve, self._waiting)
            await trio.sleep_forever()

    def start(self, build: Callable[[], Simulation]) -> bool:
        """Serve the simulation that `build` returns. Return False if `state` is not stopped.

        `build` is called in another thread, because thousands of devices take some time. Its
        ValueError or OSError is passed to `failed`.
        """
        if self.state != STOPPED:
            return False
        self._scope = trio.CancelScope()
        self._move(STARTING)
        if self._nursery is not None:
            self._nursery.start_soon(self._serve, build)
        else:
            self._waiting = build
        return True

    def stop(self) -> None:
        """End the simulation; its ports are free once `state` is stopped."""
        if self.state in (STARTING, RUNNING):
            self._move(STOPPING)
            self._scope.cancel()

    def close(self) -> None:
        """End `run`."""
        self._closing = True
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()

    async def _serve(self, build: Callable[[], Simulation]) -> None:
        failure = ""
        try:
            with self._scope:
                simulation = await trio.to_thread.run_sync(build, abandon_on_cancel=True)
                failure = await self._run(simulation)
        except (ValueError, OSError) as error:
            failure = described_error(error)
        finally:
            self.view = None
            self._move(STOPPED)
        if failure:
            self._failed(failure)

    async def _run(self, simulation: Simulation) -> str:
        """Serve until cancelled; return the reason if no device can be served."""
        view = self.view = simulation.view
        self._changed()
        async with trio.open_nursery() as nursery:
            await nursery.start(simulation.run)
            problems = view.problems()
            if len(problems) == view.device_count():
                nursery.cancel_scope.cancel()
                return described_problems(problems)
            view.traffic(most=1)  # begins the recording
            self._move(RUNNING)
            if problems:
                self._failed(described_problems(problems))
        return ""

    def _move(self, state: str) -> None:
        self.state = state
        if not self._closing:
            self._changed()


def described_error(error: Exception) -> str:
    """Return the text of an error, without its number, and without the quotes of a KeyError."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error.args[0]) if isinstance(error, LookupError) and error.args else str(error)

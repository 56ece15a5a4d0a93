"""`Session`: the window's one simulation, which is started and stopped; it lives in trio's loop.

`run` is the guest of Tk's loop for as long as the window is there. All else is called by the
window, in the same thread.
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
    """`changed` is called at each change of `state`, `failed` with a sentence for the user."""

    def __init__(self, changed: Callable[[], None], failed: Callable[[str], None]) -> None:
        self.state = STOPPED
        self.view: View | None = None
        self._changed = changed
        self._failed = failed
        self._closing = False
        self._waiting: Callable[[], Simulation] | None = None  # for `run` to begin
        self._nursery: trio.Nursery | None = None
        self._scope = trio.CancelScope()

    async def run(self) -> None:
        """Wait for simulations to be started, until `close`."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            if self._closing:
                nursery.cancel_scope.cancel()
            if self._waiting is not None:
                nursery.start_soon(self._serve, self._waiting)
            await trio.sleep_forever()

    def start(self, build: Callable[[], Simulation]) -> bool:
        """Serve what `build` makes; False while that cannot be.

        `build` is called in another thread, because thousands of devices take their time. It
        raises ValueError and OSError for what is wrong.
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
        """End the simulation; its ports are free when `state` is stopped again."""
        if self.state in (STARTING, RUNNING):
            self._move(STOPPING)
            self._scope.cancel()

    def close(self) -> None:
        """Let `run` end."""
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
        """Serve until cancelled; returns why it cannot be served at all."""
        view = self.view = simulation.view
        self._changed()
        async with trio.open_nursery() as nursery:
            await nursery.start(simulation.run)
            problems = view.problems()
            if len(problems) == view.device_count():
                nursery.cancel_scope.cancel()
                return described_problems(problems)
            view.traffic(most=1)  # recorded from now on
            self._move(RUNNING)
            if problems:
                self._failed(described_problems(problems))
        return ""

    def _move(self, state: str) -> None:
        self.state = state
        if not self._closing:
            self._changed()


def described_error(error: Exception) -> str:
    """What an error says, without its number, and without the quotes of a KeyError."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error.args[0]) if isinstance(error, LookupError) and error.args else str(error)

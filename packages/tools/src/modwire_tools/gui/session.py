"""`Session`: starts and stops the simulation of the window, and its web page, in trio's loop.

`run` is a guest of the toolkit's loop as long as the window exists. The window calls all other
methods in the same thread.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from ..extras import extra
from ..simulator.problems import described_problems
from ..simulator.simulation import Simulation
from ..simulator.view import View

STOPPED = "stopped"
STARTING = "starting"
RUNNING = "running"
STOPPING = "stopping"


class Session:
    """Calls `changed` at each change of `state`, and `failed` with an error for the user.

    `browse` opens a link in a browser, and returns False if there is none.
    """

    def __init__(
        self,
        changed: Callable[[], None],
        failed: Callable[[str], None],
        browse: Callable[[str], bool],
    ) -> None:
        self.state = STOPPED
        self.view: View | None = None
        self._changed = changed
        self._failed = failed
        self._browse = browse
        self._closing = False
        self._waiting: Callable[[], Simulation] | None = None  # started when `run` begins
        self._nursery: trio.Nursery | None = None
        self._scope = trio.CancelScope()
        self._running: trio.Nursery | None = None  # that of the simulation
        self._link = ""  # to its page
        self._linking = trio.Lock()

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

    def open_page(self, path: str) -> None:
        """Open the page at `path`, such as "#/traffic", in a browser; serve it on first use.

        Raises ValueError if nothing runs, and ImportError if the extra `web` is missing.
        """
        if self._running is None:
            raise ValueError("nothing is simulated: press Start (F5) first")
        with extra("web", "the page"):
            from .. import web as _  # noqa: F401
        self._running.start_soon(self._open_page, self._running, path)

    async def _open_page(self, nursery: trio.Nursery, path: str) -> None:
        from ..web import format_link, serve_page

        async with self._linking:
            if not self._link and self.view is not None:
                try:
                    place = await nursery.start(serve_page, self.view, "127.0.0.1", 0)
                except OSError as error:
                    self._failed(described_error(error))
                    return
                self._link = format_link(*place)
        link = self._link + path
        # Some browsers are waited for.
        if not await trio.to_thread.run_sync(self._browse, link, abandon_on_cancel=True):
            self._failed(f"no browser could be opened; the page is at {link}")

    async def _serve(self, build: Callable[[], Simulation]) -> None:
        failure = ""
        try:
            with self._scope:
                simulation = await trio.to_thread.run_sync(build, abandon_on_cancel=True)
                failure = await self._run(simulation)
        except (ValueError, OSError) as error:
            failure = described_error(error)
        finally:
            self.view = self._running = None
            self._link = ""
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
            view.traffic(most=1)  # begins the recording, for the page
            self._running = nursery
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

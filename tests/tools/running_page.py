"""`ServedPage`: the page of a view, served in a thread; `RunningPage`: with a simulation."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar, cast

import trio

from modwire_tools.addresses import parse_place
from modwire_tools.simulator.behaviours import RandomWalk, Sine
from modwire_tools.simulator.devices import BlockSpec, DeviceSpec, PointSpec, UnitSpec
from modwire_tools.simulator.meter import energy_meter
from modwire_tools.simulator.simulation import Simulation, place
from modwire_tools.simulator.view import ServerView, View
from modwire_tools.web import format_link, serve_page

if TYPE_CHECKING:
    from typing_extensions import Self

_PATIENCE = 30.0  # seconds
_Result = TypeVar("_Result")


def boiler() -> DeviceSpec:
    """Return a device with two units, tables with gaps, and values of many types."""
    points = [
        PointSpec("flow_temperature", parse_place("ir:0"), "float32", unit="°C",
                  behaviour=Sine(62, 6, 90)),
        PointSpec("return_temperature", parse_place("ir:2"), "float32", unit="°C",
                  behaviour=Sine(48, 4, 90, 0.15)),
        PointSpec("pressure", parse_place("ir:4"), "uint16", unit="bar", scale=0.01,
                  behaviour=RandomWalk(1.8, 0.03, low=1.2, high=2.6)),
        PointSpec("setpoint", parse_place("hr:0"), "int16", unit="°C", scale=0.1, value=60.0),
        PointSpec("serial", parse_place("hr:10"), "string", size=12, value="B-20417"),
        PointSpec("burner", parse_place("co:0"), "bool", value=True),
        PointSpec("pump", parse_place("co:1"), "bool", value=True),
    ]  # fmt: skip
    holding = [
        BlockSpec(parse_place("hr:100"), [*range(200)]),
        BlockSpec(parse_place("hr:1000"), [7] * 8),
    ]
    loop = UnitSpec(2, name="heating loop", points=[
        PointSpec("valve", parse_place("hr:0"), "uint16", unit="%", value=35),
    ])  # fmt: skip
    return DeviceSpec("Boiler", [UnitSpec(1, name="burner", points=points, blocks=holding), loop])


class ServedPage:
    """`with ServedPage(view) as page`: serves the page at `link` and `port`.

    `run` is the task of the simulation, started before the page. For `port` 0, the system chooses.
    """

    def __init__(
        self,
        view: ServerView,
        *,
        token: str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        run: Callable[..., Awaitable[object]] | None = None,
    ) -> None:
        self.view = cast("View", view)  # that of own units lacks what tests of them do not use
        self.port = port
        self.link = ""
        self._host = host
        self._token = token
        self._run_before = run
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._trio: trio.lowlevel.TrioToken | None = None
        self._scope: trio.CancelScope | None = None
        self._thread = threading.Thread(target=self._run)

    def do(self, act: Callable[[], _Result]) -> _Result:
        """Call `act` in the loop of the simulation, as a view needs it, and return its result."""
        return trio.from_thread.run_sync(act, trio_token=self._trio)

    def _run(self) -> None:
        try:
            trio.run(self._serve)
        except BaseException as error:  # noqa: BLE001 - raised where the page is used
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        async with trio.open_nursery() as nursery:
            self._scope = nursery.cancel_scope
            self._trio = trio.lowlevel.current_trio_token()
            if self._run_before is not None:
                await nursery.start(self._run_before)
            serve = partial(serve_page, self.view, self._host, self.port, token=self._token)
            host, self.port = await nursery.start(serve)
            self.link = format_link(host, self.port)
            self._ready.set()

    def stop(self) -> None:
        """End the simulation and its page, as Ctrl+C does."""
        if self._scope is not None and self._trio is not None and self._thread.is_alive():
            trio.from_thread.run_sync(self._scope.cancel, trio_token=self._trio)
        self._thread.join(_PATIENCE)
        assert not self._thread.is_alive(), "the page has not ended"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(_PATIENCE), "the page has not begun"
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        if self._failure is not None and kind is None:
            raise self._failure


class RunningPage(ServedPage):
    """A simulation of `count` devices, the energy meter and the boiler in turn, with its page."""

    def __init__(self, count: int = 2, *, token: str | None = None, port: int = 0) -> None:
        self.simulation = Simulation(
            place([energy_meter(), boiler()], ["tcp://127.0.0.1:0"], count=count), seed=1
        )
        view = self.simulation.view
        super().__init__(view, token=token, port=port, run=self.simulation.run)

    @property
    def ports(self) -> list[int]:
        """The ports of the devices."""
        devices = self.do(self.view.devices)
        return [int(each.endpoints[0].rpartition(":")[2]) for each in devices]

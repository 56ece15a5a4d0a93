"""Units that only an event loop can await, behind servers without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modwire import Response, ServerOptions, Unit, Units

from .drivers.all import DRIVERS
from .drivers.base import Driver
from .scenarios.frames import tcp
from .scenarios.server_functions import READ, device
from .scenarios.server_steps import Connect, Expect, Send, ServerScenario, play_server

if TYPE_CHECKING:
    from modwire.messages.base import AnyRequest


class Awaited(Unit):
    async def execute(  # type: ignore[override]
        self, request: AnyRequest, *, broadcast: bool = False
    ) -> Response | None:
        raise AssertionError("it is never awaited")


@pytest.mark.parametrize(
    "driver",
    [each for each in DRIVERS if each.adapter not in ("trio", "asyncio")],
    ids=lambda each: each.name,
)
def test_a_server_that_cannot_await_says_so(driver: Driver, tmp_path: object) -> None:
    reported: list[str] = []
    options = ServerOptions(on_error=lambda peer, request, error: reported.append(str(error)))
    scenario = ServerScenario(
        "an async unit",
        [Connect("a"), Send("a", tcp(READ)), Expect("a", tcp("83 04"))],
        lambda gate: Units({1: Awaited(), 2: device()}),
        arguments={"options": options},
    )
    driver.run(lambda: play_server(driver, scenario, str(tmp_path)))
    assert len(reported) == 1
    assert "only async servers can await it" in reported[0]

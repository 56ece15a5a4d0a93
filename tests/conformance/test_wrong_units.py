"""A unit that returns what is no answer: every server logs that as an error, and answers 04."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from modwire import (
    Block,
    FaultyResponse,
    RawResponse,
    ReadCoilsResponse,
    ServerOptions,
    Unit,
    Units,
)
from modwire.units.unit import AsyncUnit

from .drivers.all import DRIVERS
from .drivers.base import Driver
from .scenarios.frames import tcp
from .scenarios.server_functions import READ, READ_ANSWER, ask, device
from .scenarios.server_steps import Connect, Expect, Send, ServerScenario, play_server

WRONG = {
    "nothing": None,
    "an answer to another request": ReadCoilsResponse([True]),
    "no answer": [5],
    "a class": ReadCoilsResponse,
}


class Sensor(Unit):
    """A unit that returns `value` for every request."""

    value: Any = None

    def execute(self, request: object, *, broadcast: bool = False) -> Any:
        return self.value


class AsyncSensor(AsyncUnit):
    value: Any = None

    async def execute(self, request: object, *, broadcast: bool = False) -> Any:
        return self.value


def sensor(kind: str, value: object) -> Sensor | AsyncSensor:
    unit = AsyncSensor() if kind == "loop" else Sensor(blocking=kind == "thread")
    unit.value = value
    return unit


CASES = [
    pytest.param(driver, kind, id=f"{driver.name}-{kind}")
    for driver in DRIVERS
    for kind in ("memory", "thread", "loop")
    if "threads" not in driver.lacks or kind != "thread"
    if driver.adapter in ("trio", "asyncio") or kind != "loop"
]


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize(("driver", "kind"), CASES)
def test_what_is_no_answer_is_logged_and_answered_04(
    driver: Driver, kind: str, what: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    unit = sensor(kind, WRONG[what])
    scenario = ServerScenario(
        "a wrong unit",
        [Connect("a"), Send("a", tcp(READ)), Expect("a", tcp("83 04"))],
        lambda gate: Units({1: unit, 2: device()}),
    )
    driver.run(lambda: play_server(driver, scenario, str(tmp_path)))
    errors = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert [each.name for each in errors] == ["modwire.server"]
    text = caplog.text
    assert f"{type(unit).__name__}.execute() must return a ReadHoldingRegistersResponse" in text
    assert f"got {WRONG[what]!r}" in text


@pytest.mark.parametrize("value", [FaultyResponse(None), RawResponse(3, b"\x02\x00\x05")])
@pytest.mark.parametrize(("driver", "kind"), CASES)
def test_what_is_wrong_on_purpose_is_no_error(
    driver: Driver, kind: str, value: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reported: list[BaseException] = []
    options = ServerOptions(on_error=lambda peer, request, error: reported.append(error))
    silent = isinstance(value, FaultyResponse)
    scenario = ServerScenario(
        "a unit that is silent, or answers with bytes of its own",
        [
            Connect("a"),
            Send("a", tcp(READ)),
            *([] if silent else [Expect("a", tcp("03 02 00 05"))]),
            *ask(READ, READ_ANSWER, unit=2),
        ],
        lambda gate: Units({1: sensor(kind, value), 2: device()}),
        arguments={"options": options},
    )
    driver.run(lambda: play_server(driver, scenario, str(tmp_path)))
    assert reported == []
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


def test_only_execute_may_be_async() -> None:
    """A coroutine that nothing awaits would be a write that is answered, but never done."""
    with pytest.raises(TypeError, match=r"^Slow.write\(\) must not be async: nothing awaits it"):

        class Slow(Block):
            async def write(self, address: int, values: Any) -> None:  # type: ignore[override]
                raise AssertionError

    with pytest.raises(TypeError, match=r"^Fifo.read_fifo_queue\(\) must not be async"):

        class Fifo(AsyncUnit):
            async def read_fifo_queue(self, address: int) -> Any:
                raise AssertionError


def test_a_block_that_returns_no_values_is_named() -> None:
    class Table(Block):
        def read(self, address: int, count: int) -> Any:
            return None

    with pytest.raises(TypeError, match=r"^Table.read\(\) must return 3 values, got None"):
        Table().read_registers(0, 3)

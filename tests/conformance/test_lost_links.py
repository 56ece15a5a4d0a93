"""The owner of a server reads in the log who was lost and why, and which unit has failed."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest

from modwire import Block, Unit, Units
from server_peers import READ, READ_ANSWER, memory_unit, tcp

from .drivers.all import DRIVERS
from .drivers.base import PATIENCE, Driver

WITH_TCP = [driver for driver in DRIVERS if "tcp" not in driver.lacks]
every = pytest.mark.parametrize("driver", WITH_TCP, ids=lambda driver: driver.name)


class Broken(Block):
    """A block whose code has a bug."""

    def read(self, address: int, count: int) -> Sequence[int]:
        raise ZeroDivisionError("a bug")

    def write(self, address: int, values: Sequence[int]) -> None:
        raise ZeroDivisionError("a bug")


async def logged(driver: Driver, caplog: pytest.LogCaptureFixture, count: int) -> list[str]:
    """Wait for `count` complaints; return them as "LEVEL text"."""
    end = driver.now() + PATIENCE
    while driver.now() < end:
        told = [each for each in caplog.records if each.levelno >= logging.WARNING]
        if len(told) >= count:
            assert {each.name for each in told} == {"modwire.server"}
            return [f"{each.levelname} {each.getMessage()}" for each in told]
        await driver.sleep(0.005)
    raise AssertionError(f"{count} complaints were not logged")


@every
def test_lost_connections_are_warnings(driver: Driver, caplog: pytest.LogCaptureFixture) -> None:
    async def play() -> None:
        serving = await driver.serve("tcp", Units({1: memory_unit()}), None, 5.0, {})
        end = await driver.dial("tcp", serving.address)
        await end.send(READ)
        assert await end.receive(len(READ_ANSWER)) == READ_ANSWER
        end.reset()
        (lost,) = await logged(driver, caplog, 1)
        assert lost.startswith("WARNING connection of 127.0.0.1:")
        assert "lost: " in lost
        assert "reset" in lost
        end = await driver.dial("tcp", serving.address)
        await end.send(b"GET / HTTP/1.1\r\n\r\n")
        assert await end.ends()
        (_, foreign) = await logged(driver, caplog, 2)
        assert foreign.endswith(
            "lost: it sent bytes that are no Modbus frame: MBAP protocol id must be 0, got 21536: "
            "this looks like an HTTP client"
        )
        end.close()
        end = await driver.dial("tcp", serving.address)
        await end.send(READ)
        assert await end.receive(len(READ_ANSWER)) == READ_ANSWER
        end.close()  # in good order
        await driver.finish(serving.stop)
        assert len(await logged(driver, caplog, 2)) == 2

    driver.run(play)


@every
def test_a_failure_of_a_unit_names_it(driver: Driver, caplog: pytest.LogCaptureFixture) -> None:
    units = Units({7: Unit(holding_registers=Broken()), 8: Unit(holding_registers=Broken())})

    async def play() -> None:
        serving = await driver.serve("tcp", units, None, 5.0, {})
        end = await driver.dial("tcp", serving.address)
        for unit in (7, 8):
            await end.send(tcp("0300050001", unit=unit))
            assert await end.receive(9) == tcp("8304", unit=unit)
        told = await logged(driver, caplog, 2)
        end.close()
        await driver.finish(serving.stop)
        for unit, text in zip((7, 8), told, strict=True):
            request = "ReadHoldingRegistersRequest(address=5, count=1)"
            assert text.startswith(f"ERROR unit {unit}: {request} from 127.0.0.1:")
            assert text.endswith(" failed")
        for record in caplog.records:
            if record.levelno == logging.ERROR:
                assert record.exc_info is not None
                assert record.exc_info[0] is ZeroDivisionError

    driver.run(play)

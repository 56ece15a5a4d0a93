"""What blocks of the documentation need around them, by the name in their mark `with`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from modwire import SequentialBlock, Unit
from pytest_modwire import Device

Surrounding = Callable[[], AbstractContextManager[dict[str, str]]]


@contextmanager
def line() -> Iterator[dict[str, str]]:
    """A serial line at /dev/ttyUSB0 with the units 17 and 18."""
    units = {
        number: Unit(
            coils=SequentialBlock(0, [False] * 8),
            holding_registers=SequentialBlock(0, [15, 40, *[0] * 8]),
            input_registers=SequentialBlock(0, [2304, 2311, 2297, *[0] * 8], read_only=True),
        )
        for number in (17, 18)
    }
    with Device(units, "rtu") as device:
        yield {"/dev/ttyUSB0": str(device.path)}


SURROUNDINGS: dict[str, Surrounding] = {"line": line}

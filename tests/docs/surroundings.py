"""Surroundings that blocks of the documentation need, by the name in their mark `with`."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, cast

from modwire import SequentialBlock, Unit
from pytest_modwire import Device

if TYPE_CHECKING:
    from tests.zoo.device import On

ROOT = Path(__file__).parents[2]
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


@contextmanager
def talk() -> Iterator[dict[str, str]]:
    """A serial line at /dev/ttyUSB0 on which others talk; a loop over it ends after three."""
    import tty

    far, near = os.openpty()
    tty.setraw(near)
    is_over = threading.Event()

    def speak() -> None:
        said = ("01 03 00 00 00 01 84 0a", "01 03 02 00 07 f9 86", "01 83 02")
        for each in cycle(said):  # until the port is opened, nobody hears it
            if is_over.wait(0.1):
                return
            os.write(far, bytes.fromhex(each))

    thread = threading.Thread(target=speak)
    thread.start()
    try:
        yield {
            "/dev/ttyUSB0": os.ttyname(near),
            "for heard in line:": "for heard, _ in zip(line, range(3)):",
        }
    finally:
        is_over.set()
        thread.join()
        os.close(far)
        os.close(near)


@contextmanager
def bus() -> Iterator[dict[str, str]]:
    """A serial line at /dev/ttyUSB0 with the units 1 to 10, of which 7 never answers."""
    units = {
        number: Unit(input_registers=SequentialBlock(0, [200 + number, 550]))
        for number in range(1, 11)
    }
    with Device(units, "rtu") as device:
        device.faults.silence(unit=7)
        yield {"/dev/ttyUSB0": str(device.path)}


@contextmanager
def three_rounds() -> Iterator[dict[str, str]]:
    """A loop that runs three times in place of without end, and soon."""
    yield {"while True:": "for _ in range(3):", "PERIOD = 1.0": "PERIOD = 0.01"}


@contextmanager
def clone() -> Iterator[dict[str, str]]:
    """The folders of a clone of the repository."""
    yield {"packages/": f"{ROOT}/packages/"}


@contextmanager
def vendored() -> Iterator[dict[str, str]]:
    """The core in a folder with another name, and no modwire beside it."""
    with TemporaryDirectory() as folder:
        core = ROOT / "packages" / "core" / "src" / "modwire"
        shutil.copytree(core, Path(folder) / "firmware_tool" / "modbus")
        at_first = f"import sys; sys.path.insert(0, {folder!r}); sys.modules['modwire'] = None\n"
        yield {"from firmware_tool": f"{at_first}from firmware_tool"}


@contextmanager
def own_address() -> Iterator[dict[str, str]]:
    """The address 192.168.1.10 of a server, and its network."""
    yield {'"192.168.1.10", 502': '"127.0.0.1", 0', "192.168.1.0/24": "127.0.0.0/8"}


@contextmanager
def zoo(name: str, link: str) -> Iterator[dict[str, str]]:
    """A device of tests/zoo: on a serial link at /dev/ttyUSB0, on a network at 192.0.2.7."""
    from tests.zoo import devices
    from tests.zoo.line import serving  # it needs pseudo-terminals

    devices.load()
    shown = "/dev/ttyUSB0" if link in ("rtu", "ascii") else "192.0.2.7"
    with serving(devices.DEVICES[name], cast("On", link)) as served:
        yield {shown: served.place}


def surrounding(name: str) -> AbstractContextManager[dict[str, str]]:
    """Return what stands around a block by the name in its mark."""
    if name.startswith("zoo."):
        _, device, link = name.split(".")
        return zoo(device, link)
    return SURROUNDINGS[name]()


SURROUNDINGS: dict[str, Surrounding] = {
    "line": line,
    "talk": talk,
    "bus": bus,
    "three_rounds": three_rounds,
    "clone": clone,
    "vendored": vendored,
    "own_address": own_address,
}

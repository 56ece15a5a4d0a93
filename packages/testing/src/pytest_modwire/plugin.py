"""The fixture `modbus_device`, and the section with the requests in the report of a failed test."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from modwire import Decoder

    from .device import Device, Scheme
    from .sources import Source

_DEVICES = pytest.StashKey["list[Device]"]()


class DeviceFactory:
    """The type of the fixture `modbus_device`: a call makes a device, which serves at once."""

    def __init__(self, devices: list[Device], stack: ExitStack) -> None:
        self._devices = devices
        self._stack = stack

    def __call__(
        self, source: Source, scheme: Scheme = "tcp", *, decoder: Decoder | None = None
    ) -> Device:
        """Return a new device; the arguments are those of `Device`."""
        from .device import Device  # so that a run without devices does not load it

        device = self._stack.enter_context(Device(source, scheme, decoder=decoder))
        self._devices.append(device)
        return device


@pytest.fixture
def modbus_device(request: pytest.FixtureRequest) -> Generator[DeviceFactory]:
    """Make Modbus devices that serve until the test ends: `modbus_device(Unit(...), "tcp")`.

    A device is made from a Unit, several units, a RegisterMap or a device file, and serves on a
    loopback port or a pseudo-terminal. It has `endpoint`, `host`, `port`, `path`, tables such as
    `holding_registers`, the log `requests`, and `faults`.
    """
    devices = request.node.stash.setdefault(_DEVICES, [])
    with ExitStack() as stack:
        yield DeviceFactory(devices, stack)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the requests of the test's devices to the report of a failure."""
    report = yield
    if report.failed:
        for device in item.stash.get(_DEVICES, ()):
            report.sections.append((f"Modbus device {device.endpoint}", device.report()))
    return report

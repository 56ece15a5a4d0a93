"""A Modbus device as a pytest fixture: `modbus_device`, its requests and its faults.

pytest loads this package as a plugin. All but the fixture is imported on first use, so that tests
that need no device start without it. `Device` also works alone, with `with`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .plugin import DeviceFactory, modbus_device, pytest_runtest_makereport

if TYPE_CHECKING:
    from .device import Device
    from .faults import Fault, Faults
    from .log import LoggedRequest
    from .values import UnitValues

__version__ = "0.2.0"
__all__ = [
    "Device",
    "DeviceFactory",
    "Fault",
    "Faults",
    "LoggedRequest",
    "UnitValues",
    "modbus_device",
    "pytest_runtest_makereport",
]

_HOMES = {
    "Device": "device",
    "DeviceFactory": "plugin",
    "Fault": "faults",
    "Faults": "faults",
    "LoggedRequest": "log",
    "UnitValues": "values",
    "modbus_device": "plugin",
    "pytest_runtest_makereport": "plugin",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = found
    return found

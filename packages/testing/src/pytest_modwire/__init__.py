"""A Modbus device as a pytest fixture: `modbus_device`, its requests and its faults.

pytest loads this package as a plugin; `Device` also works alone, with `with`.
"""

from .device import Device
from .faults import Fault, Faults
from .log import LoggedRequest
from .plugin import DeviceFactory, modbus_device, pytest_runtest_makereport
from .values import UnitValues

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

"""Device files: `read_device` and `write_device`, in TOML or JSON; docs/device-files.md."""

from .reading import read_device
from .sections import DeviceFileError
from .writing import dump_device, write_device

__all__ = ["DeviceFileError", "dump_device", "read_device", "write_device"]

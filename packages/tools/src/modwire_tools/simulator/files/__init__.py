"""Device files, docs/reference/device-files.md: `read_device` and `write_device`, TOML or JSON."""

from .connection import connection_of, with_connection
from .reading import read_device
from .sections import DeviceFileError
from .writing import dump_device, write_device

__all__ = [
    "DeviceFileError",
    "connection_of",
    "dump_device",
    "read_device",
    "with_connection",
    "write_device",
]

"""Every message of the MODBUS Application Protocol V1.1b3: a class per request and response.

Each module names in its own `__all__` what it gives to this one and to `modwire`.
"""

# ruff: noqa: F403

from .base import *
from .bit_access import *
from .decoder import *
from .device import *
from .device_status import *
from .diagnostics import *
from .encapsulated import *
from .file_access import *
from .register_access import *
from .register_operations import *

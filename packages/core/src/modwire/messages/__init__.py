"""Every message of the MODBUS Application Protocol V1.1b3: a class per request and response.

Each module lists in its own `__all__` the names that this one and `modwire` export.
"""

# ruff: noqa: F403

from .base import *
from .bit_access import *
from .comm_events import *
from .decoder import *
from .device import *
from .device_status import *
from .diagnostics import *
from .encapsulated import *
from .file_access import *
from .modbus_plus import *
from .register_access import *
from .register_operations import *

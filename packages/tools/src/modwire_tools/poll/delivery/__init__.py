"""From readings to sinks: a backlog of values, on disk if wanted, and a task for each sink."""

from .backlog import Backlog, Cursor
from .deliver import Delivery
from .store import Store

__all__ = ["Backlog", "Cursor", "Delivery", "Store"]

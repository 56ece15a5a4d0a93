"""The demonstration: a small energy meter, served, written, read and explained over TCP and RTU."""

from .demonstration import demonstrate

__all__ = ["demonstrate"]

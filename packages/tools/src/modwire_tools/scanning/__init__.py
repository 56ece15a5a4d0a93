"""Finding out what is there: units on a line, what they are, and what of a table can be read.

For `modwire scan`. A scan goes step by step and keeps its state in plain values, so that it can be
stopped after each step and taken up later.
"""

from .state import ScanFile
from .tables import TableScan
from .units import FoundUnit, UnitScan

__all__ = ["FoundUnit", "ScanFile", "TableScan", "UnitScan"]

"""Finding what a device has: units on a line, what they are, and the readable part of a table.

For `modwire scan` and `modwire scrape`. Each works step by step and keeps its state in plain
values, so that it can be stopped after any step and continued another day.
"""

from .state_files import StateFile
from .table_survey import TableSurvey
from .units import FoundUnit, UnitScan

__all__ = ["FoundUnit", "StateFile", "TableSurvey", "UnitScan"]

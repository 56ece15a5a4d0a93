"""Finding the units on a line, their identity, and the readable addresses of a table.

`modwire scan` and `modwire scrape` use it. Each class works step by step and has its state in plain
values, so that a user can stop after any step and continue another day.
"""

from .state_files import StateFile
from .table_survey import TableSurvey
from .units import FoundUnit, UnitScan

__all__ = ["FoundUnit", "StateFile", "TableSurvey", "UnitScan"]

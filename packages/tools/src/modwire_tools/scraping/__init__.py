"""Reading a whole device into a `DeviceSpec`, for `modwire scrape`; `simulator` serves the copy."""

from .scrape import Scrape, ScrapeOptions, find_units
from .state import ScrapeFile
from .table_survey import TableSurvey

__all__ = ["Scrape", "ScrapeFile", "ScrapeOptions", "TableSurvey", "find_units"]

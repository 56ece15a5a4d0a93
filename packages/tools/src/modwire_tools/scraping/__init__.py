"""Reading a whole device into a `DeviceSpec`, for `modwire scrape`; `simulator` serves the copy."""

from .scrape import Scrape, ScrapeOptions, find_units

__all__ = ["Scrape", "ScrapeOptions", "find_units"]

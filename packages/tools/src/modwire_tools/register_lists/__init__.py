"""Register lists of other tools as devices: `read_list`, for `modwire map import`."""

from .findings import Findings, Note
from .reading import FORMATS, read_list

__all__ = ["FORMATS", "Findings", "Note", "read_list"]

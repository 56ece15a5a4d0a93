"""Listening on serial lines: statistics, serial captures, and captures that Wireshark opens."""

from .capture_writer import CaptureWriter
from .guessing import framing_in
from .serial_captures import serial_pieces
from .statistics import LineStatistics, UnitStatistics

__all__ = ["CaptureWriter", "LineStatistics", "UnitStatistics", "framing_in", "serial_pieces"]

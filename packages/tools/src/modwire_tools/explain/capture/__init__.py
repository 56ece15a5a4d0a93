"""Captures of network traffic: the Modbus in pcap and pcapng files, as requests with responses."""

from .conversation import Exchange, Incident
from .exchanges import PORT, Capture
from .inflating import inflated
from .packets import CaptureError, is_capture

__all__ = ["PORT", "Capture", "CaptureError", "Exchange", "Incident", "inflated", "is_capture"]

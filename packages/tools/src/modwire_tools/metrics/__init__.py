"""Counters of the commands that serve, at `/metrics` in the text format of Prometheus."""

from .counting import EndpointCounts, Metrics
from .serving import serve_metrics
from .text import CONTENT_TYPE

__all__ = ["CONTENT_TYPE", "EndpointCounts", "Metrics", "serve_metrics"]

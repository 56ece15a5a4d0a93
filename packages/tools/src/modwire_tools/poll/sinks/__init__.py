"""Sinks: where the values of a plant go. `find_sink` finds them by the key in a plant file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from .base import Sink, Surroundings

__all__ = ["GROUP", "Sink", "Surroundings", "find_sink", "sink_kinds"]

GROUP = "modwire.sinks"
"""The group of entry points in which other packages name their sinks."""

_OWN: Mapping[str, str] = {
    "json": "json_lines:JsonSink",
    "csv": "csv_lines:CsvSink",
    "influx": "influx:InfluxSink",
    "prometheus": "prometheus:PrometheusSink",
    "sql": "sql:SqlSink",
    "mqtt": "mqtt:MqttSink",
}


def sink_kinds() -> list[str]:
    """Return the keys of all sinks, those of other packages last."""
    others = sorted({each.name for each in entry_points(group=GROUP)} - set(_OWN))
    return [*_OWN, *others]


@cache
def find_sink(kind: str) -> type[Sink]:
    """Return the class of a sink by its key, one of `sink_kinds()`.

    Raises ImportError if a package that it needs is not there, or if an entry point names no sink.
    """
    if kind in _OWN:
        module, _, name = _OWN[kind].partition(":")
        found: object = getattr(import_module(f".{module}", __package__), name)
    else:
        (entry,) = entry_points(group=GROUP, name=kind)
        found = entry.load()
    if not (isinstance(found, type) and issubclass(found, Sink)):
        raise ImportError(f"the entry point {kind} in {GROUP} names no subclass of Sink")
    return found

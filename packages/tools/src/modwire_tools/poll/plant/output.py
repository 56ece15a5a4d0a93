"""`output_sink`: the sink of a plant without one: lines of JSON on standard output."""

from __future__ import annotations

from ...simulator.files.sections import Section
from ..sinks.json_lines import JsonSink
from .settings import Settings
from .spec import Plant, SinkSpec


def output_sink(plant: Plant) -> SinkSpec:
    """Return the sink, whose name is "output"."""
    values: dict[str, object] = {"json": "-"}
    section = Section(values, None, str(plant.file))
    return SinkSpec("output", "json", values, JsonSink(Settings(section, {}, plant.file.parent)))

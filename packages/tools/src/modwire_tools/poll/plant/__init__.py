"""Plant files, docs/reference/plant-files.md: devices to poll, and sinks for their values."""

from .mistakes import PlantError
from .reading import read_plant
from .spec import Plant, PlantDevice, PlantPoint, SinkSpec, SpoolSpec

__all__ = [
    "Plant",
    "PlantDevice",
    "PlantError",
    "PlantPoint",
    "SinkSpec",
    "SpoolSpec",
    "read_plant",
]

"""`Discovery`: messages by which Home Assistant finds the points of a plant, and how to show them.

They are those of its MQTT integration, "MQTT discovery": a retained message for each entity.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from zlib import crc32

import msgspec

from .mqtt_link import Message
from .templates import Template

if TYPE_CHECKING:
    from ..plant.spec import Plant, PlantDevice, PlantPoint

_encode = msgspec.json.Encoder().encode


def segment(name: str) -> str:
    """Return a name as one level of a topic: / + # have a meaning in topics."""
    return re.sub(r"[/+#\0]", "_", name)


def _identifier(names: str) -> str:
    """Return names with the characters that Home Assistant allows, and different for others.

    Names in Korean, for instance, have none of them.
    """
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", names)
    return plain if plain == names else f"{plain}_{crc32(names.encode()):08x}"


class Discovery:
    """The messages under `prefix`, usually "homeassistant"; `status` is the topic of the poller."""

    def __init__(
        self, prefix: str, status: str, topic: Template, commands: Template | None, is_json: bool
    ) -> None:
        self._prefix = prefix
        self._status = status
        self._topic = topic
        self._commands = commands
        self._is_json = is_json
        self._announced: set[str] = set()

    def messages(self, plant: Plant) -> list[Message]:
        """Return the messages for a plant; empty ones remove what was there before."""
        found: dict[str, bytes] = {}
        for device in plant.devices:
            for point in device.points:
                topic, entity = self._entity(plant, device, point)
                found[topic] = _encode(entity)
        gone = self._announced - found.keys()
        self._announced = set(found)
        return [*((topic, b"") for topic in gone), *found.items()]

    def _entity(
        self, plant: Plant, device: PlantDevice, point: PlantPoint
    ) -> tuple[str, dict[str, object]]:
        item = point.item
        is_bit = item.place.has_bits or item.is_part
        is_text = item.is_text or item.type.startswith("bits")
        is_writable = self._commands is not None and item.place.is_writable and not is_text
        component = {
            (True, True): "switch",
            (True, False): "binary_sensor",
            (False, True): "number",
            (False, False): "sensor",
        }[is_bit, is_writable]
        names = {"plant": plant.name, "device": device.name, "point": point.name}
        unique = _identifier("_".join(names.values()))
        entity: dict[str, object] = {
            "name": point.name,
            "unique_id": unique,
            "state_topic": self._topic.filled(names, segment),
            "availability_topic": self._status,
            "device": {
                "identifiers": [_identifier(f"{plant.name}_{device.name}")],
                "name": device.name,
            },
        }
        entity.update(self._shape(component, point, names))
        return f"{self._prefix}/{component}/{unique}/config", entity

    def _shape(
        self, component: str, point: PlantPoint, names: dict[str, str]
    ) -> Iterator[tuple[str, object]]:
        """Yield what depends on the kind of the entity."""
        value = "value_json.value" if self._is_json else "value"
        if component in ("switch", "binary_sensor"):
            test = value if self._is_json else f"{value} == 'true'"
            yield "value_template", f"{{{{ 'ON' if {test} else 'OFF' }}}}"
        else:
            yield "value_template", f"{{{{ {value} }}}}"
            if point.item.measure:
                yield "unit_of_measurement", point.item.measure
        if component in ("switch", "number") and self._commands is not None:
            yield "command_topic", self._commands.filled(names, segment)
        if component == "switch":
            yield "state_on", "ON"
            yield "state_off", "OFF"
            yield "payload_on", "on"
            yield "payload_off", "off"
        if component == "number":
            source = point.source
            step = 1.0 if source is None else abs(source.scale)
            yield "mode", "box"
            yield "step", 0.001 if point.item.has_fractions and step == 1.0 else step
            yield "min", -1e9
            yield "max", 1e9
        if component == "sensor" and not (point.item.is_text or point.item.type[:4] == "bits"):
            yield "state_class", "measurement"

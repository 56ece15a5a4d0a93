"""`Commands`: messages that write values, checked as by `modwire write`, and their results.

A message to `plant/meter1/setpoint/set` with the payload `22.5` writes. The answer goes to the same
topic with `/result` behind it: `{"ok": true, "value": 22.5}`, or `{"ok": false, "error": "..."}`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from modwire import ModbusError

from ..schedule.reasons import reason_of
from .base import Surroundings
from .mqtt_discovery import segment
from .mqtt_link import MqttLink
from .templates import Template

if TYPE_CHECKING:
    from paho.mqtt.client import MQTTMessage

_MOST_AT_ONCE = 100
_LONGEST = 1000  # bytes of a payload, characters of a topic
_RESULT = "/result"
_encode = msgspec.json.Encoder().encode


class Commands:
    """Receives messages to `topic`, with names in braces, and answers them."""

    def __init__(self, topic: Template, surroundings: Surroundings, link: MqttLink) -> None:
        self._topic = topic
        self._surroundings = surroundings
        self._link = link
        self._running: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Subscribe to the topics of all devices and points. Raises OSError."""
        plant = segment(self._surroundings.plant().name)
        self._link.on_message = self._received
        values = {"plant": plant, "device": "+", "point": "+"}
        topic = self._topic.filled(values)
        # A wildcard stands for a whole level of a topic, such as that of "meter-{device}/set".
        await self._link.subscribe("/".join("+" if "+" in e else e for e in topic.split("/")))

    async def aclose(self) -> None:
        """Cancel the writes that were not answered."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _received(self, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:  # of a broker that does not check it
            return
        if topic.endswith(_RESULT) or len(topic) > _LONGEST:
            return  # of our own, where the topic of commands ends with a wildcard; or of no point
        error = ""
        if message.retain:
            # It would be executed again after each restart.
            error = "a command must not be retained"
        elif len(message.payload) > _LONGEST:
            error = f"a value must have at most {_LONGEST} bytes"
        elif len(self._running) >= _MOST_AT_ONCE:
            error = f"{_MOST_AT_ONCE} commands wait for their devices"
        if error:
            self._answer(topic, ok=False, error=error)
            return
        text = message.payload.decode("utf-8", "replace").strip()
        task = asyncio.get_running_loop().create_task(self._write(topic, text))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _write(self, topic: str, text: str) -> None:
        try:
            device, point = self._named(topic)
            value = await self._surroundings.write(device, point, text)
        except ModbusError as error:
            self._answer(topic, ok=False, error=reason_of(error))
        except ValueError as error:
            self._answer(topic, ok=False, error=str(error))
        else:
            self._answer(topic, ok=True, value=value)

    def _named(self, topic: str) -> tuple[str, str]:
        """Return the device and the point that a topic names; raises ValueError for none."""
        plant = self._surroundings.plant()
        found = self._topic.pattern().fullmatch(topic)
        parts = {} if found is None else found.groupdict()
        for device in plant.devices:
            if segment(device.name) == parts.get("device"):
                for point in device.points:
                    if segment(point.name) == parts.get("point"):
                        return device.name, point.name
                raise ValueError(f"{device.name} has no point {parts.get('point')!r}")
        raise ValueError(f"there is no device {parts.get('device')!r}")

    def _answer(self, topic: str, **result: object) -> None:
        self._link.send(f"{topic}{_RESULT}", _encode(result))

"""Names in MQTT topics, and odd messages to them, without a broker."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from modwire_tools.poll.plant import PlantError
from modwire_tools.poll.plant.settings import Settings
from modwire_tools.poll.sinks import Surroundings
from modwire_tools.poll.sinks.mqtt_commands import Commands
from modwire_tools.poll.sinks.mqtt_discovery import Discovery
from modwire_tools.poll.sinks.templates import Template
from modwire_tools.simulator.files.sections import Section
from polled_plant import device, plant_of, run


def test_points_may_not_have_one_topic(tmp_path: Path) -> None:
    """Their values could not be told apart, and a command would write to the first of them."""
    text = device("a/b", 5020) + device("a_b", 5021)
    with pytest.raises(PlantError) as raised:
        plant_of(tmp_path, text + '[[sink]]\nmqtt = "mqtt://x"\n')
    (said,) = raised.value.mistakes
    assert said.endswith(
        "sink 1, mqtt: level of a/b and level of a_b have one topic: /, + and # become _ there"
    )
    assert len(plant_of(tmp_path, text + '[[sink]]\njson = "-"\n').devices) == 2


def test_names_that_home_assistant_does_not_allow_stay_different(tmp_path: Path) -> None:
    plant = plant_of(tmp_path, device("전압", 5020) + device("전류", 5021) + device("tank", 5022))
    section = Section({}, None, "plant.toml")
    topic = Template(
        Settings(section, {}, tmp_path), "topic", "{device}/{point}", ("device", "point")
    )
    found = Discovery("ha", "status", topic, None, is_json=True).messages(plant)
    entities = [json.loads(payload) for _, payload in found]
    assert len({topic for topic, _ in found}) == len({each["unique_id"] for each in entities}) == 6
    assert len({each["device"]["identifiers"][0] for each in entities}) == 3
    assert all(re.fullmatch(r"ha/[a-z_]+/[A-Za-z0-9_-]+/config", topic) for topic, _ in found)
    assert entities[-2]["unique_id"] == "plant_tank_level"


class FakeLink:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []

    def send(self, topic: str, payload: bytes) -> None:
        self.sent.append((topic, payload))


class FakeMessage:
    """A message as paho has it: its topic is decoded when it is looked at."""

    retain = False

    def __init__(self, topic: bytes, payload: bytes) -> None:
        self._topic = topic
        self.payload = payload

    @property
    def topic(self) -> str:
        return self._topic.decode()


@pytest.mark.parametrize(
    ("topic", "payload", "answer"),
    [
        (b"p/tank/level/tank/set", b"7", b'{"ok":true,"value":"tank level 7"}'),
        (b"p/tank/level/tank/set", b"x" * 1001, b"a value must have at most 1000 bytes"),
        (b"p/tank/level/tank/set", b"\xff", b'{"ok":true,"value":"tank level \xef\xbf\xbd"}'),
        (b"p/tank/level/pump/set", b"7", b"there is no device None"),
        (b"p/tank/levels/tank/set", b"7", b"tank has no point 'levels'"),
        (b"p/tank/\xff/tank/set", b"7", None),
        (b"p/" + b"-" * 60000 + b"/level/tank/set", b"7", None),
    ],
)
def test_odd_messages_to_the_topics_of_commands(
    topic: bytes, payload: bytes, answer: bytes | None, tmp_path: Path
) -> None:
    """A name may be in the topic twice; what a broker should never send is left out."""
    plant = replace(plant_of(tmp_path, device("tank", 5020)), name="p")
    section = Section({"commands": "{plant}/{device}/{point}/{device}/set"}, None, "plant.toml")
    settings = Settings(section, {}, tmp_path)
    template = Template(settings, "commands", None, ("plant", "device", "point"))
    link = FakeLink()

    async def write(device: str, point: str, text: str) -> object:
        return f"{device} {point} {text}"

    async def test() -> None:
        around = Surroundings(lambda: plant, write, print, list, str, lambda: (True, {}))
        commands = Commands(template, around, link)  # type: ignore[arg-type]
        commands._received(FakeMessage(topic, payload))  # type: ignore[arg-type]
        await asyncio.gather(*commands._running)

    run(test)
    if answer is None:
        assert link.sent == []
    else:
        ((place, data),) = link.sent
        assert place == f"{topic.decode()}/result"
        assert answer in data

"""The MQTT sink of `modwire poll`, with Debian's mosquitto as the broker."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from brokers import INSTALL, MOSQUITTO, Mosquitto, Subscriber
from modwire_tools.poll.plant import PlantError
from plant_pki import Pki
from polled_plant import Polled, device, plant_of, polling, run, serving

pytestmark = pytest.mark.timeout(300)
Peer = Callable[[str, bool, str], None]


@pytest.fixture
def broker(require_peer: Peer) -> Iterator[Mosquitto]:
    require_peer("mosquitto", MOSQUITTO is not None, INSTALL)
    server = Mosquitto()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def subscriber(broker: Mosquitto) -> Iterator[Subscriber]:
    found = Subscriber(broker.port)
    yield found
    found.close()


async def until(subscriber: Subscriber, condition: Callable[[list[Any]], object]) -> None:
    """Wait for messages, while the loop goes on."""
    await asyncio.to_thread(subscriber.until, condition)


def sink(broker: Mosquitto, *lines: str) -> str:
    return "\n".join(["[[sink]]", f'mqtt = "{broker.url}"', *lines, ""])


class LoopWithoutReaders(asyncio.SelectorEventLoop):
    """As that of Windows: its own transports work, and nothing else."""

    def add_reader(self, *arguments: Any) -> None:
        raise NotImplementedError

    add_writer = add_reader  # type: ignore[assignment]


def test_a_loop_that_cannot_wait_for_sockets_leaves_it_to_a_thread(
    broker: Mosquitto, subscriber: Subscriber, tmp_path: Path
) -> None:
    """Values, commands, an outage, the end: all as in other loops."""

    async def test() -> None:
        async with serving() as served:
            text = device("tank", served.port)
            text += sink(broker, 'commands = "plant/{device}/{point}/set"')
            async with polling(plant_of(tmp_path, text)) as polled:
                await until(subscriber, lambda all_: any(e.topic.endswith("level") for e in all_))
                subscriber.client.publish("plant/tank/level/set", "22", 1)
                await until(subscriber, lambda all_: subscriber.topics("set/result"))
                await polled.until_value("tank", "level", 22)
                await asyncio.to_thread(broker.stop)
                await polled.until(lambda: polled.told)
                served.set_level(23)
                await polled.until_value("tank", "level", 23)
                await asyncio.to_thread(broker.start)
                await until(subscriber, lambda all_: any(is_level(e, 23) for e in all_))

    def is_level(message: Any, value: int) -> bool:
        return bool(message.topic == "plant/tank/level" and message.value == value)

    with closing(LoopWithoutReaders()) as loop:
        loop.run_until_complete(test())
    subscriber.until(lambda all_: all_[-1].payload == b"offline")
    # The broker may send it again after its restart.
    (result,) = {each.payload for each in subscriber.topics("set/result")}
    assert json.loads(result) == {"ok": True, "value": 22}
    names = {each.name for each in threading.enumerate()}
    assert not [each for each in names if each.startswith("paho-mqtt-client-modwire")]


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_each_value_is_a_message(
    version: str, broker: Mosquitto, subscriber: Subscriber, tmp_path: Path
) -> None:
    """The last will says that the poller has ended, and its end says so too."""

    async def test() -> None:
        async with serving() as served:
            text = device("tank", served.port) + sink(broker, f'version = "{version}"')
            async with polling(plant_of(tmp_path, text)):
                for level in (1, 2, 3):
                    served.set_level(level)
                    await until(
                        subscriber,
                        lambda all_: any(
                            each.topic == "plant/tank/level" and each.value == level  # noqa: B023
                            for each in all_
                        ),
                    )

    run(test)
    subscriber.until(lambda all_: all_[-1].payload == b"offline")
    assert subscriber.messages[0][:2] == ("plant/status", b"online")
    values = [each.value for each in subscriber.topics("level")]
    assert values == sorted(values)
    first = json.loads(subscriber.topics("level")[0].payload)
    assert (first["quality"], first["unit"], first["time"][-1]) == ("good", "mm", "Z")
    assert len(subscriber.topics("pump")) == 1


def test_a_value_may_be_the_whole_message(
    broker: Mosquitto, subscriber: Subscriber, tmp_path: Path
) -> None:
    async def test() -> None:
        async with serving() as served:
            text = device("ta/nk", served.port)
            text += sink(broker, 'payload = "value"', 'topic = "v/{plant}/{point}/{device}"')
            async with polling(plant_of(tmp_path, text)):
                await until(subscriber, lambda all_: len(all_) > 4)

    run(test)
    assert {each.payload for each in subscriber.topics("v/plant/level/ta_nk")} == {b"0"}
    assert [each.payload for each in subscriber.topics("v/plant/pump/ta_nk")] == [b"false"]


def test_commands_write_and_are_answered(
    broker: Mosquitto, subscriber: Subscriber, tmp_path: Path
) -> None:
    async def test() -> None:
        async with serving() as served:
            text = device("tank", served.port) + device("away", 1)
            text += sink(broker, 'commands = "plant/{device}/{point}/set"')
            async with polling(plant_of(tmp_path, text)):
                await until(subscriber, lambda all_: any(e.topic.endswith("level") for e in all_))

                async def command(topic: str, payload: str, **more: Any) -> dict[str, object]:
                    before = len(subscriber.topics(f"{topic}/result"))
                    subscriber.client.publish(topic, payload, 1, **more)
                    await until(
                        subscriber, lambda all_: len(subscriber.topics(f"{topic}/result")) > before
                    )
                    answer: dict[str, object] = json.loads(
                        subscriber.topics(f"{topic}/result")[-1].payload
                    )
                    return answer

                assert await command("plant/tank/level/set", "22") == {"ok": True, "value": 22}
                registers = served.units.by_id[1].holding_registers
                assert registers is not None
                assert registers.read(0, 1) == (22,)
                assert await command("plant/tank/pump/set", "on") == {"ok": True, "value": True}
                for topic, payload, error in (
                    ("plant/tank/level/set", "x", "uint16 must be a whole number"),
                    ("plant/tank/level/set", "70000", "70000"),
                    ("plant/tank/lever/set", "1", "tank has no point 'lever'"),
                    ("plant/tonk/level/set", "1", "there is no device 'tonk'"),
                    ("plant/away/level/set", "1", "no connection: Connection refused"),
                    ("plant/tank/level/set", "1" * 1001, "must have at most 1000 bytes"),
                ):
                    answer = await command(topic, payload)
                    assert answer["ok"] is False
                    assert error in str(answer["error"])
                assert registers.read(0, 1) == (22,)

    run(test)


def test_a_retained_command_is_not_executed_at_each_start(
    broker: Mosquitto, subscriber: Subscriber, tmp_path: Path
) -> None:
    topic = "plant/tank/level/set"
    subscriber.client.publish(topic, "22", 1, retain=True)
    subscriber.until(lambda all_: all_)

    async def test() -> None:
        async with serving() as served:
            text = device("tank", served.port)
            text += sink(broker, 'commands = "plant/{device}/{point}/set"')
            async with polling(plant_of(tmp_path, text)):
                await until(subscriber, lambda all_: subscriber.topics("/result"))
                registers = served.units.by_id[1].holding_registers
                assert registers is not None
                assert registers.read(0, 1) == (0,)

    run(test)
    answer = json.loads(subscriber.topics("/result")[0].payload)
    assert answer == {"ok": False, "error": "a command must not be retained"}


def test_home_assistant_finds_the_points(
    broker: Mosquitto, subscriber: Subscriber, tmp_path: Path
) -> None:
    """After a reload, points that are gone are removed there too."""

    async def test() -> None:
        async with serving() as served:
            text = device("tank", served.port) + '[[device.point]]\nname = "flow"\nat = "ir:0"\n'
            text += '[[device.point]]\nname = "lamp"\nat = "hr:2"\ntype = "bit"\nbit = 3\n'
            more = sink(broker, 'discovery = "homeassistant"', 'commands = "{device}/{point}/set"')
            async with polling(plant_of(tmp_path, text + more)) as polled:
                await until(subscriber, lambda all_: len(subscriber.topics("/config")) == 4)
                configs = {each.topic: json.loads(each.payload)
                           for each in subscriber.topics("/config")}  # fmt: skip
                assert set(configs) == {
                    "homeassistant/number/plant_tank_level/config",
                    "homeassistant/switch/plant_tank_pump/config",
                    "homeassistant/sensor/plant_tank_flow/config",
                    "homeassistant/switch/plant_tank_lamp/config",
                }
                # A bit of a register is written without the other bits.
                subscriber.client.publish("tank/lamp/set", "on", 1)
                await until(subscriber, lambda all_: subscriber.topics("lamp/set/result"))
                registers = served.units.by_id[1].holding_registers
                assert registers is not None
                assert registers.read(2, 1) == (8,)
                level = configs["homeassistant/number/plant_tank_level/config"]
                assert level["state_topic"] == "plant/tank/level"
                assert level["command_topic"] == "tank/level/set"
                assert level["unit_of_measurement"] == "mm"
                assert level["availability_topic"] == "plant/status"
                plant = plant_of(tmp_path, device("tank", served.port) + more)
                await reload(polled, plant)
                gone = "homeassistant/sensor/plant_tank_flow/config"
                await until(subscriber, lambda all_: (gone, b"") in [each[:2] for each in all_])

    run(test)


async def reload(polled: Polled, plant: Any) -> None:

    kept = [each for each in polled.poller.plant.sinks if each.name == "keep"]
    await polled.poller.reload(replace(plant, sinks=[*plant.sinks, *kept]))


def test_nothing_is_lost_while_the_broker_is_away(
    broker: Mosquitto, subscriber: Subscriber, tmp_path: Path
) -> None:
    """All values come, in order; those that were on their way may come twice."""

    async def test() -> None:
        async with serving() as served:
            text = device("tank", served.port) + sink(broker)
            async with polling(plant_of(tmp_path, text)) as polled:
                for level in range(1, 31):
                    if level == 10:
                        await asyncio.to_thread(broker.stop)
                    if level == 20:
                        await asyncio.to_thread(broker.start)
                    served.set_level(level)
                    await polled.until_value("tank", "level", level)
                await until(
                    subscriber, lambda all_: any(e.value == 30 for e in subscriber.topics("level"))
                )

    run(test)
    values = [each.value for each in subscriber.topics("level")]
    assert set(values) >= set(range(1, 31))
    first = [value for at, value in enumerate(values) if value not in values[:at]]
    assert first == sorted(first)


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_tls_checks_the_broker(require_peer: Peer, tmp_path: Path) -> None:
    require_peer("mosquitto", MOSQUITTO is not None, INSTALL)
    broker = Mosquitto()
    broker.folder.chmod(0o755)
    pki, other = Pki(broker.folder), Pki(tmp_path, "Other CA")
    issued = pki.server()
    for each in (issued.certificate, issued.key):
        each.chmod(0o644)
    broker.configure(f"certfile {issued.certificate}", f"keyfile {issued.key}")
    url = f"mqtts://127.0.0.1:{broker.port}"

    async def test() -> None:
        async with serving() as served:
            text = f'[[sink]]\nmqtt = "{url}"\nca = "{pki.ca}"\n'
            text += f'[[sink]]\nname = "wrong"\nmqtt = "{url}"\nca = "{other.ca}"\n'
            async with polling(plant_of(tmp_path, device("tank", served.port) + text)) as polled:
                deliveries = polled.poller.deliveries
                await polled.until(lambda: len(deliveries) == 3)
                right, wrong = deliveries[f"mqtt 127.0.0.1:{broker.port}"], deliveries["wrong"]
                assert right.cursor is not None
                cursor = right.cursor
                await polled.until(lambda: cursor.taken and wrong.problem)
                assert "certificate verify failed" in wrong.problem
                assert wrong.cursor is not None
                assert wrong.cursor.taken == 0

    try:
        broker.start()
        subscriber = Subscriber(broker.port, context=ssl.create_default_context(cafile=str(pki.ca)))
        run(test)
        subscriber.until(lambda all_: any(each.topic == "plant/tank/level" for each in all_))
        subscriber.close()
    finally:
        broker.close()


def test_a_wrong_password_is_said(require_peer: Peer, tmp_path: Path) -> None:
    require_peer("mosquitto", MOSQUITTO is not None, INSTALL)
    broker = Mosquitto("allow_anonymous false")

    async def test() -> None:
        async with serving() as served:
            text = device("tank", served.port)
            text += f'[[sink]]\nmqtt = "mqtt://u:${{SECRET}}@127.0.0.1:{broker.port}"\n'
            plant = plant_of(tmp_path, text, SECRET="hush")
            async with polling(plant) as polled:
                await polled.until(lambda: polled.told)
                assert "the broker refuses the login: Not authorized" in polled.told[0]
                assert "hush" not in repr((polled.told, plant, polled.poller.health()))

    try:
        broker.start()
        run(test)
    finally:
        broker.close()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('mqtt = "tcp://x"', "mqtt must be mqtt://HOST:PORT, or mqtts://HOST:PORT for TLS"),
        ('mqtt = "mqtt://x:y"', "mqtt must be mqtt://HOST:PORT, or mqtts://HOST:PORT for TLS"),
        ('mqtt = "mqtt://x"\nqos = 3', "qos must be 0..2, got 3"),
        ('mqtt = "mqtt://x"\nversion = "4"', "version must be one of 3.1.1, 5, got '4'"),
        ('mqtt = "mqtt://x"\npayload = "xml"', "payload must be one of json, value, got 'xml'"),
        ('mqtt = "mqtt://x"\ntopic = "a"', "topic must have {device}, or values could not be told"),
        ('mqtt = "mqtt://x"\ntopic = "{device}/{point}/#"', "topic must be the topic of a message"),
        ('mqtt = "mqtt://x"\ntopic = "{device}/{point}/\\u0000"', "topic must be the topic of a"),
        ('mqtt = "mqtt://x"\nstatus = "a/#"', "status must be the topic of a message, without +"),
        ('mqtt = "mqtt://x"\ndiscovery = "a/+"', "discovery must be the topic of a message"),
        (f'mqtt = "mqtt://x"\nstatus = "{"x" * 1001}"', "status must have at most 1000 characters"),
        (
            f'mqtt = "mqtt://x"\nclient_id = "{"x" * 70000}"',
            "client_id must have at most 65535 byt",
        ),
        ('mqtt = "mqtt://x"\ntopic = "{devise}"', "topic may have {plant}, {device}, {point} in"),
        ('mqtt = "mqtt://x"\ncommands = "{device"', "commands may have {plant}, {device}, {point}"),
        ('mqtt = "mqtt://x"\nca = "x"', "ca is for TLS: use mqtts://"),
        ('mqtt = "mqtts://x"\nca = "nix"', "ca: No such file or directory"),
    ],
)
def test_a_wrong_sink_is_said(lines: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(PlantError) as raised:
        plant_of(tmp_path, f"{device('tank', 5020)}[[sink]]\n{lines}\n")
    (text,) = raised.value.mistakes
    assert said in text

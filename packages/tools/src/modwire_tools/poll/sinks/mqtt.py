"""`MqttSink`: values as MQTT messages, commands that write, and discovery by Home Assistant."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import msgspec

from modwire.tls.contexts import CredentialsError, load_own

from ..sample import GOOD, Sample
from ..timestamps import iso_time
from .base import Sink, Surroundings
from .mqtt_commands import Commands
from .mqtt_discovery import Discovery, segment
from .mqtt_link import Login, MqttLink
from .templates import Template

if TYPE_CHECKING:
    from ..plant.settings import Settings
    from ..plant.spec import PlantDevice

_LONGEST_TOPIC = 1000  # characters, without those of names; MQTT has topics of 65535 bytes
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_ONLINE, _OFFLINE = b"online", b"offline"
_encode = msgspec.json.Encoder().encode


class MqttSink(Sink):
    """`mqtt = "mqtt://127.0.0.1:1883"`, or mqtts:// for TLS; MQTT 3.1.1, or 5 with `version`.

    Each value is a message to `topic`. The topic `status` is "online", and "offline" by the last
    will. Messages to `commands` write values, see `mqtt_commands`.
    """

    kind = "mqtt"
    # The acknowledgements of all of them are handled at once, in a few milliseconds.
    most = 250
    keys = (
        "topic",
        "commands",
        "status",
        "payload",
        "qos",
        "retain",
        "version",
        "client_id",
        "username",
        "password",
        "ca",
        "certificate",
        "key",
        "key_password",
        "keepalive",
        "discovery",
    )

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        names = ("plant", "device", "point")
        self._login = _login(settings)
        self._topic = _topic(settings, "topic", "{plant}/{device}/{point}", names)
        self._status = Template(settings, "status", "{plant}/status", ("plant",))
        _check_topic(settings, "status", self._status.text)
        self._is_json = settings.one_of("payload", ("json", "value"), "json") == "json"
        self._qos = settings.integer("qos", 0, 2, 1)
        self._retain = settings.flag("retain", False)
        has_commands = "commands" in settings
        self._command_topic = _topic(settings, "commands", None, names) if has_commands else None
        self._discovery_prefix = settings.text("discovery", "")
        if "discovery" in settings:
            _check_topic(settings, "discovery", self._discovery_prefix)
        self._topics: dict[tuple[str, str], str] = {}
        self._link: MqttLink | None = None
        self._commands: Commands | None = None
        self._discovery: Discovery | None = None
        self._announced: object = None

    @property
    def place(self) -> str:
        return f"mqtt {self._login.host}:{self._login.port}"

    def clash(self, devices: Sequence[PlantDevice]) -> str:
        topics: dict[str, str] = {}
        for device in devices:
            for point in device.points:
                names = {"plant": "", "device": device.name, "point": point.name}
                this = f"{point.name} of {device.name}"
                other = topics.setdefault(self._topic.filled(names, segment), this)
                if other != this:
                    return f"{other} and {this} have one topic: /, + and # become _ there"
        return ""

    async def open(self, surroundings: Surroundings) -> None:
        await super().open(surroundings)
        plant = surroundings.plant()
        status = self._status.filled({"plant": plant.name}, segment)
        login = self._login
        client_id = login.client_id or f"modwire-{socket.gethostname()}-{plant.name}"
        link = self._link = MqttLink(login, client_id, will=(status, _OFFLINE))
        await link.open()
        self._topics.clear()
        if self._command_topic is not None:
            self._commands = Commands(self._command_topic, surroundings, link)
            await self._commands.open()
        self._discovery = Discovery(
            self._discovery_prefix, status, self._topic, self._command_topic, self._is_json
        )
        await link.publish([(status, _ONLINE)], qos=1, retain=True)
        self._announced = None
        await self._announce(link)

    async def _announce(self, link: MqttLink) -> None:
        """Say to Home Assistant which values there are, at the start and after a reload."""
        plant = self.surroundings.plant()
        if plant is self._announced or self._discovery is None or not self._discovery_prefix:
            return
        await link.publish(self._discovery.messages(plant), qos=1, retain=True)
        self._announced = plant

    async def write(self, samples: Sequence[Sample]) -> None:
        link = self._link
        if link is None:
            raise OSError("it is not open")
        await self._announce(link)
        messages = [(self._topic_of(each), self._payload(each)) for each in samples]
        await link.publish(messages, qos=self._qos, retain=self._retain)

    def _topic_of(self, sample: Sample) -> str:
        key = sample.device, sample.point
        if key not in self._topics:
            values = {
                "plant": self.surroundings.plant().name,
                "device": sample.device,
                "point": sample.point,
            }
            self._topics[key] = self._topic.filled(values, segment)
        return self._topics[key]

    def _payload(self, sample: Sample) -> bytes:
        if not self._is_json:
            value = sample.value if sample.quality == GOOD else None
            return value.encode() if isinstance(value, str) else _encode(value)
        found = {
            "value": sample.value,
            "quality": sample.quality,
            "time": iso_time(sample.time),
        }
        if sample.reason:
            found["reason"] = sample.reason
        if sample.measure:
            found["unit"] = sample.measure
        return _encode(found)

    async def aclose(self) -> None:
        commands, self._commands = self._commands, None
        if commands is not None:
            await commands.aclose()
        link, self._link = self._link, None
        if link is not None:
            await link.aclose()


def _topic(settings: Settings, key: str, default: str | None, names: Sequence[str]) -> Template:
    found = Template(settings, key, default, names)
    missing = [name for name in ("device", "point") if name not in found.names]
    if missing:
        raise settings.error(key, f"must have {{{missing[0]}}}, or values could not be told apart")
    _check_topic(settings, key, found.text)
    return found


def _check_topic(settings: Settings, key: str, text: str) -> None:
    if set("+#\0") & set(text) or not text or text.startswith("$"):
        raise settings.error(key, "must be the topic of a message, without + and #")
    if len(text) > _LONGEST_TOPIC:
        raise settings.error(key, f"must have at most {_LONGEST_TOPIC} characters, got {len(text)}")


def _login(settings: Settings) -> Login:
    text = settings.text(MqttSink.kind)
    allowed = "mqtt://HOST:PORT, or mqtts://HOST:PORT for TLS"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/"):
        raise settings.error(MqttSink.kind, f"must be {allowed}")
    context = None
    if parts.scheme == "mqtts":
        context = _context(settings)
    else:
        for key in ("ca", "certificate", "key", "key_password"):
            if key in settings:
                raise settings.error(key, "is for TLS: use mqtts://")
    return Login(
        parts.hostname,
        port or _PORTS[parts.scheme],
        _short(settings, "client_id", ""),
        _short(settings, "username", unquote(parts.username or "")),
        _short(settings, "password", unquote(parts.password or "")),
        settings.one_of("version", ("3.1.1", "5"), "3.1.1") == "5",
        settings.integer("keepalive", 1, 65535, 60),
        context,
    )


def _short(settings: Settings, key: str, default: str) -> str:
    """Return a text whose length in UTF-8 MQTT can send, in 16 bits."""
    text = settings.text(key, default)
    if len(text.encode()) > 0xFFFF:
        raise settings.error(key, "must have at most 65535 bytes")
    return text


def _context(settings: Settings) -> ssl.SSLContext:
    key = "ca"
    try:
        ca = str(settings.path(key)) if key in settings else None
        context = ssl.create_default_context(cafile=ca)
        if "certificate" in settings or "key" in settings:
            key = "certificate"
            private = str(settings.path("key")) if "key" in settings else None
            password = settings.text("key_password") if "key_password" in settings else None
            load_own(context, settings.path(key), private, password)
    except CredentialsError as error:
        text = str(error).replace("password, or password_file", "key_password")
        raise settings.section.failure(key, text) from None
    except OSError as error:
        raise settings.section.failure(key, error.strerror or str(error)) from None
    return context

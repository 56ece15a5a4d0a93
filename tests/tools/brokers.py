"""`Mosquitto`: a real MQTT broker in a temporary folder, and `Subscriber`, which keeps messages."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any, NamedTuple

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from store_servers import StoreServer

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
INSTALL = "apt-get install mosquitto"
PATIENCE = 60.0  # seconds


class Mosquitto(StoreServer):
    """A broker on a port of 127.0.0.1; `lines` are more lines of its configuration."""

    def __init__(self, *lines: str) -> None:
        super().__init__()
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self.configure(*lines)

    def configure(self, *lines: str) -> None:
        given = "\n".join(lines)
        login = "" if "allow_anonymous" in given else "allow_anonymous true"
        (self.folder / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\n{login}\nmax_queued_messages 0\n"
            f"max_inflight_messages 0\n{given}\n"
            f"persistence true\npersistence_location {self.folder}/\n"
        )
        self.folder.chmod(0o777)  # the broker changes its user

    def stop(self) -> None:
        """End the broker, which stores what its sessions have not received yet."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(PATIENCE)

    def command(self) -> list[str]:
        assert MOSQUITTO is not None
        return [MOSQUITTO, "-c", str(self.folder / "mosquitto.conf")]

    def is_up(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False


class Received(NamedTuple):
    topic: str
    payload: bytes
    retain: bool

    @property
    def value(self) -> Any:
        return json.loads(self.payload)["value"]


class Subscriber:
    """A client with a session that survives its connection; it keeps the messages of a topic.

    It connects again by itself, as often as the broker comes back.
    """

    def __init__(self, port: int, topic: str = "#", context: ssl.SSLContext | None = None) -> None:
        self.messages: list[Received] = []
        self._changed = threading.Condition()
        self._subscribed = threading.Event()
        client = self.client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id="subscriber", clean_session=False
        )
        if context is not None:
            client.tls_set_context(context)
        client.reconnect_delay_set(1, 1)
        client.on_connect = lambda *_: client.subscribe(topic, 1)
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.on_message = self._receive
        client.connect("127.0.0.1", port)
        client.loop_start()
        assert self._subscribed.wait(PATIENCE)

    def _receive(self, client: object, data: object, message: paho.MQTTMessage) -> None:
        with self._changed:
            self.messages.append(Received(message.topic, message.payload, message.retain))
            self._changed.notify_all()

    def until(self, condition: Callable[[list[Received]], object]) -> None:
        """Wait until `condition` is true of the messages so far."""
        give_up = monotonic() + PATIENCE
        with self._changed:
            while not condition(self.messages):
                left = give_up - monotonic()
                assert left > 0, f"it does not come: {self.messages[-20:]}"
                self._changed.wait(left)

    def topics(self, ending: str = "") -> list[Received]:
        """Return the messages whose topics end with a text."""
        return [each for each in self.messages if each.topic.endswith(ending)]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

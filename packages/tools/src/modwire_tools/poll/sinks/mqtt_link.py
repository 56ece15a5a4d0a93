"""`MqttLink`: a connection to an MQTT broker, in the loop of the poller, with paho's client.

A loop that cannot wait for a socket, such as that of Windows, leaves that to a thread of paho; what
paho calls there is called in the loop.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...extras import extra
from ..threads import in_thread

with extra("poll", "the sink mqtt"):
    import paho.mqtt.client as paho
    from paho.mqtt.enums import CallbackAPIVersion

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage

Message = tuple[str, bytes]
"""A topic and a payload."""

_CONNECT = 10.0  # seconds for the connection, and for the broker's answer
_ANSWER = 20.0  # seconds without any acknowledgement, after which the broker counts as lost
_AT_ONCE = 25  # messages, which take about a millisecond
_GOODBYE = 1.0  # seconds until paho's thread has sent it
_MISC = 1.0  # seconds between two calls that keep the connection alive


@dataclass(frozen=True)
class Login:
    """The broker, and how to log in; `context` is for TLS."""

    host: str
    port: int
    client_id: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    is_version_5: bool = False
    keepalive: int = 60
    context: ssl.SSLContext | None = None


class MqttLink:
    """One connection. It is not opened again: after a failure, make a new one.

    The broker forgets it at its end, so nothing of it arrives behind what a later one sends.
    `on_message` gets messages to the topics of `subscribe`. Methods raise OSError.
    """

    def __init__(self, login: Login, client_id: str, will: Message) -> None:
        self._login = login
        self.on_message: Callable[[MQTTMessage], None] = lambda message: None
        self._loop = asyncio.get_running_loop()
        self._is_connected: asyncio.Future[None] = self._loop.create_future()
        self._lost: asyncio.Future[None] = self._loop.create_future()
        self._unanswered: set[int] = set()
        self._is_all_sent = True
        self._answered: asyncio.Future[None] | None = None
        self._refusal = ""
        self._socket: socket.socket | None = None
        self._misc: asyncio.TimerHandle | None = None
        self._has_thread = False
        version = paho.MQTTv5 if login.is_version_5 else paho.MQTTv311
        client = self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=version,
            reconnect_on_failure=False,
        )
        if login.username:
            client.username_pw_set(login.username, login.password or None)
        if login.context is not None:
            client.tls_set_context(login.context)  # pyright: ignore[reportUnknownMemberType]
        client.max_inflight_messages_set(1000)
        client.will_set(*will, qos=1, retain=True)
        self._will = will
        client.connect_timeout = _CONNECT

    async def open(self) -> None:
        """Connect and log in."""
        client, login = self._client, self._login
        try:
            # It blocks until TCP and TLS are there.
            await in_thread(client.connect, login.host, login.port, login.keepalive)
        except OSError as error:
            text = error.strerror or str(error)
            raise OSError(f"{login.host}:{login.port}: {text}") from None
        found = client.socket()
        if not isinstance(found, socket.socket):
            raise OSError(f"{login.host}:{login.port}: the connection was lost")
        self._socket = found
        # Acknowledgements of many small messages would else wait for one another.
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._loop.add_reader(found, self._read)
        except NotImplementedError:
            self._has_thread = True
        client.on_connect = self._in_loop(self._connected)
        client.on_disconnect = self._in_loop(self._disconnected)
        client.on_publish = self._in_loop(self._published)
        client.on_subscribe = self._in_loop(self._subscribed)
        client.on_message = self._in_loop(self._received)
        if self._has_thread:
            client.loop_start()
        else:
            client.on_socket_close = self._closed
            client.on_socket_register_write = self._wants_to_write
            client.on_socket_unregister_write = self._has_written
            if client.want_write():
                self._loop.add_writer(found, client.loop_write)
            self._misc = self._loop.call_later(_MISC, self._keep_alive)
        await self._answer(self._is_connected, "the broker does not answer")

    def _in_loop(self, function: Callable[..., None]) -> Callable[..., None]:
        """Return what paho calls in place of `function`."""
        if not self._has_thread:
            return function

        def call(*arguments: Any) -> None:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(function, *arguments)

        return call

    async def _answer(self, future: asyncio.Future[None], text: str) -> None:
        """Wait for a future; raise OSError with `text` if it takes too long."""
        await asyncio.wait(
            [future, self._lost], timeout=_ANSWER, return_when=asyncio.FIRST_COMPLETED
        )
        if self._lost.done() and not future.done():
            self._lost.result()
        if not future.done():
            raise OSError(f"{self._login.host}:{self._login.port}: {text}")
        future.result()

    async def publish(self, messages: Sequence[Message], *, qos: int, retain: bool) -> None:
        """Send messages, and wait until the broker has acknowledged all of them."""
        if not messages:
            return
        answered = self._answered = self._loop.create_future()
        self._unanswered.clear()
        self._is_all_sent = False
        self._refusal = ""
        for number, (topic, payload) in enumerate(messages, 1):
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)  # readings of devices must not wait for all messages
            info = self._client.publish(topic, payload, qos, retain)
            if info.rc != paho.MQTT_ERR_SUCCESS:
                raise OSError(f"the broker cannot be reached: {paho.error_string(info.rc)}")
            self._unanswered.add(info.mid)
        self._is_all_sent = True
        if not self._unanswered:
            return
        while self._unanswered and not answered.done():
            count = len(self._unanswered)
            try:
                await self._answer(answered, "the broker does not acknowledge")
            except OSError:
                if self._lost.done() or len(self._unanswered) == count:
                    raise
        if self._refusal:
            raise OSError(f"the broker refuses a message: {self._refusal}")

    async def subscribe(self, topic: str) -> None:
        """Receive messages to a topic, which may have wildcards."""
        self._answered = self._loop.create_future()
        result, mid = self._client.subscribe(topic, qos=1)
        if result != paho.MQTT_ERR_SUCCESS or mid is None:
            raise OSError(f"cannot subscribe to {topic}: {paho.error_string(result)}")
        self._unanswered = {mid}
        self._is_all_sent = True
        self._refusal = ""
        await self._answer(self._answered, f"no answer to the subscription to {topic}")
        if self._refusal:
            raise OSError(f"the broker refuses to send {topic}: {self._refusal}")

    def send(self, topic: str, payload: bytes) -> None:
        """Send a message without waiting for its acknowledgement."""
        self._client.publish(topic, payload, 1)

    async def aclose(self) -> None:
        """Say goodbye, with the last will, and close the connection."""
        if self._misc is not None:
            self._misc.cancel()
        if self._is_connected.done() and not self._lost.done():
            with suppress(OSError):
                await self.publish([self._will], qos=1, retain=True)
            self._client.disconnect()
            if self._has_thread:
                await asyncio.wait([self._lost], timeout=_GOODBYE)
            else:
                self._client.loop_write()
        self._closed()
        found, self._socket = self._socket, None
        if found is not None:
            with suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)  # the thread may wait for it
            found.close()
        if self._has_thread:
            await in_thread(self._client.loop_stop)
        if self._lost.done():
            self._lost.exception()  # it has been seen
        if self._is_connected.done():
            self._is_connected.exception()

    # What paho calls.

    def _read(self) -> None:
        self._client.loop_read()
        # Of TLS, more may have been received than the socket shows.
        while isinstance(found := self._client.socket(), ssl.SSLSocket) and found.pending():
            self._client.loop_read()

    def _keep_alive(self) -> None:
        self._client.loop_misc()
        self._misc = self._loop.call_later(_MISC, self._keep_alive)

    def _connected(self, client: Client, data: Any, flags: Any, reason: Any, more: Any) -> None:
        if self._is_connected.done():
            return
        if reason.is_failure:
            self._is_connected.set_exception(OSError(f"the broker refuses the login: {reason}"))
        else:
            self._is_connected.set_result(None)

    def _disconnected(self, client: Client, data: Any, flags: Any, reason: Any, more: Any) -> None:
        if not self._lost.done():
            self._lost.set_exception(OSError(f"the broker has closed the connection: {reason}"))

    def _published(self, client: Client, data: Any, mid: int, reason: Any, more: Any) -> None:
        self._note(mid, reason)

    def _subscribed(self, client: Client, data: Any, mid: int, reasons: Any, more: Any) -> None:
        self._note(mid, reasons[0])

    def _note(self, mid: int, reason: Any) -> None:
        """Count an acknowledgement."""
        if mid not in self._unanswered:
            return
        if reason.is_failure:
            self._refusal = str(reason)
        self._unanswered.discard(mid)
        answered = self._answered
        if self._is_all_sent and not self._unanswered and answered and not answered.done():
            answered.set_result(None)

    def _received(self, client: Client, data: Any, message: MQTTMessage) -> None:
        self.on_message(message)

    def _wants_to_write(self, client: Client, data: Any, sock: Any) -> None:
        self._loop.add_writer(sock, client.loop_write)

    def _has_written(self, client: Client, data: Any, sock: Any) -> None:
        self._loop.remove_writer(sock)

    def _closed(self, *arguments: Any) -> None:
        found = self._socket
        if found is not None and found.fileno() >= 0 and not self._has_thread:
            self._loop.remove_reader(found)
            self._loop.remove_writer(found)

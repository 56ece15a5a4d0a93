"""HTTP requests and a WebSocket with full control of the headers, for the tests of the page."""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import ssl
import struct
from collections.abc import Mapping
from types import TracebackType

PATIENCE = 30.0  # timeout in seconds on a busy machine


class Answer:
    """The status, the headers and the body of a response."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self) -> object:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        found = json.loads(self.body)
        assert list(found) == ["error"], found
        return str(found["error"])


def ask(
    port: int,
    method: str,
    path: str,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    *,
    host: str = "127.0.0.1",
    raw: bytes | None = None,
    context: ssl.SSLContext | None = None,
) -> Answer:
    """Send a request, and return its response; `body` is sent as JSON, `raw` unchanged.

    With a `context`, over TLS.
    """
    connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
    if context is not None:
        connection = http.client.HTTPSConnection(host, port, timeout=PATIENCE, context=context)
    try:
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        kind = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(method, path, data, {**kind, **(headers or {})})
        return Answer(connection.getresponse())
    finally:
        connection.close()


class RefusedSocketError(Exception):
    """Raised if the server responds with another status than 101."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


class WebSocket:
    """A small WebSocket client for the page's server."""

    def __init__(
        self,
        port: int,
        headers: Mapping[str, str] | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        if context is not None:
            self._socket = context.wrap_socket(self._socket, server_hostname="127.0.0.1")
        self._buffer = b""
        self.head = b""  # of the server's response
        try:
            self._open(port, headers)
        except BaseException:
            self._socket.close()
            raise

    def _open(self, port: int, headers: Mapping[str, str] | None) -> None:
        sent = {
            "Host": f"127.0.0.1:{port}",
            "Origin": f"http://127.0.0.1:{port}",
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            **(headers or {}),
        }
        lines = [f"{name}: {value}" for name, value in sent.items() if value]
        self._socket.sendall("\r\n".join(["GET /live HTTP/1.1", *lines, "", ""]).encode())
        while b"\r\n\r\n" not in self._buffer:
            self._receive()
        self.head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        status = int(self.head.split(b" ")[1])
        if status != 101:
            raise RefusedSocketError(status)

    def _receive(self) -> None:
        data = self._socket.recv(65536)
        if not data:
            raise EOFError
        self._buffer += data

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._receive()
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def send(self, message: object, opcode: int = 1) -> None:
        """Send a message as JSON, or bytes unchanged."""
        data = message if isinstance(message, bytes) else json.dumps(message).encode()
        length = (
            bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data))
        )
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))
        self._socket.sendall(bytes([0x80 | opcode]) + length + mask + masked)

    def send_raw(self, frame: bytes) -> None:
        """Send bytes as they are."""
        self._socket.sendall(frame)

    def close(self) -> None:
        """Close the connection without a closing handshake."""
        self._socket.close()

    def receive(self) -> tuple[int, bytes]:
        """Return the opcode and the data of the next message."""
        first, second = self._take(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", self._take(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self._take(8))
        return first & 0x0F, self._take(length)

    def push(self, *, is_seen: bool = True) -> dict[str, dict[str, object]]:
        """Return the changes of the next push."""
        opcode, data = self.receive()
        while opcode == 9:  # a ping
            opcode, data = self.receive()
        assert opcode == 1, (opcode, data)
        found = json.loads(data)
        if is_seen:
            self.send({"seen": found["push"]})
        changes: dict[str, dict[str, object]] = found["changes"]
        return changes

    def closing(self) -> tuple[int, str]:
        """Return the code and the reason of the server's close."""
        opcode, data = self.receive()
        while opcode != 8:
            opcode, data = self.receive()
        return int.from_bytes(data[:2], "big"), data[2:].decode()

    def __enter__(self) -> WebSocket:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()

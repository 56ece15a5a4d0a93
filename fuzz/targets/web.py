"""The simulator's page: bytes on its connections, its requests, and the messages of its WebSocket.

No input makes it fail: each request has a status below 500 and, without the token, no answer of the
interface. Everything is in memory, with a clock that jumps ahead whenever all wait.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import trio
import trio.testing
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from starlette.types import ASGIApp, Message
from starlette.websockets import WebSocket

from modwire_tools.addresses import parse_place
from modwire_tools.simulator.behaviours import Sine
from modwire_tools.simulator.devices import BlockSpec, DeviceSpec, PointSpec, UnitSpec
from modwire_tools.simulator.simulation import Simulation, place
from modwire_tools.simulator.view import View
from modwire_tools.web.access import Access
from modwire_tools.web.app import make_app
from modwire_tools.web.connections import configure
from modwire_tools.web.http1 import Http1Server
from modwire_tools.web.live import FAILED, Live

from .. import script
from ..script import PAUSE, RAW
from ..target import Target

_PORT = 8502
_TOKEN = "a-token-that-no-input-has-7f3a"
_HOST = f"localhost:{_PORT}"
_STATUSES = frozenset((200, 303, 307, 400, 401, 403, 404, 405, 408, 413, 415, 429, 431, 505))
_LARGEST = 1 << 20  # bytes of an answer
_HEADERS = {"host": _HOST, "content-type": "application/json"}


@cache
def _device() -> DeviceSpec:
    points = [
        PointSpec("flow", parse_place("ir:0"), "float32", unit="°C", behaviour=Sine(62, 6, 90)),
        PointSpec("level", parse_place("hr:0"), "int16", scale=0.1, value=60.0),
        PointSpec("serial/1", parse_place("hr:10"), "string", size=12, value="B-20417"),
        PointSpec("flags", parse_place("hr:30"), "bits", size=4, value=(True, False, True, False)),
        PointSpec("pump", parse_place("co:1"), "bool", value=True),
    ]
    blocks = [BlockSpec(parse_place("hr:100"), [*range(200)]), BlockSpec(parse_place("di:0"), [1])]
    return DeviceSpec("Boiler", [UnitSpec(1, name="a", points=points, blocks=blocks), UnitSpec(2)])


def _view() -> View:
    devices = place([_device()], ["tcp://127.0.0.1:0"], count=2)
    return Simulation(devices, seed=1, clock=lambda: 7.0, wall_clock=lambda: 1.7e9).view


class _Log(logging.Handler):
    """Collects what the page logs as its own fault."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextmanager
def _without_faults() -> Generator[None]:
    """Raise the error that the page has logged and answered with a status 500."""
    log, logger = _Log(), logging.getLogger("modwire.web")
    before = logger.propagate
    logger.addHandler(log)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(log)
        logger.propagate = before
    for record in log.records:
        raise AssertionError(record.getMessage()) from (record.exc_info or (None, None))[1]


def _run(main: Callable[[], Awaitable[None]]) -> None:
    with _without_faults():
        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def _app(*, token: str | None = None) -> ASGIApp:
    return make_app(_view(), Access(["localhost"], _PORT, token), trio.Event())


# Requests, one in each input: a line with method and path, lines with headers, and the body.


def _check_request(data: bytes) -> None:
    head, _, body = data.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    method, _, target = first.decode("latin-1").partition(" ")
    path, _, query = target.partition("?")
    headers = dict(_HEADERS)
    for line in lines[:20]:
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()

    async def main() -> None:
        scope: dict[str, Any] = {
            "type": "http",
            "http_version": "1.1",
            "method": method.upper(),
            "scheme": "http",
            "path": "/" + path.lstrip("/"),
            "raw_path": target.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in headers.items()],
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", _PORT),
        }
        await _ask(_app(), scope, body)
        status = await _ask(_app(token=_TOKEN), scope, body)
        if scope["path"].startswith("/api") and scope["path"] not in ("/api/docs", "/api/session"):
            assert status >= 400, f"status {status} without the token"

    _run(main)


async def _ask(app: ASGIApp, scope: dict[str, Any], body: bytes) -> int:
    """Send a request, check the response and return its status."""
    sent: list[Message] = []
    parts = [body[:100], body[100:]]

    async def receive() -> Message:
        if not parts:
            return {"type": "http.disconnect"}
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(dict(scope), receive, send)
    status = int(sent[0]["status"])
    content = b"".join(message.get("body", b"") for message in sent[1:])
    names = {name.lower() for name, _ in sent[0]["headers"]}
    assert status in _STATUSES, f"status {status}"
    assert {b"content-security-policy", b"x-content-type-options"} <= names
    assert len(content) < _LARGEST
    is_page = scope["path"] == "/api/docs"
    if scope["path"].startswith("/api/") and status >= 400 and not is_page and content:
        found = json.loads(content)
        assert list(found) == ["error"]
        assert isinstance(found["error"], str)
    return status


# Bytes on a connection.


class _Socket:
    """The addresses of a stream in memory."""

    def getpeername(self) -> tuple[str, int]:
        return "127.0.0.1", 50000

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", _PORT


class _Stream:
    """A connection that gives the bytes of a script, and then ends or waits."""

    def __init__(self, parts: Sequence[script.Step]) -> None:
        self.socket = _Socket()
        self.sent = b""
        self.scope = trio.CancelScope()
        self._parts = list(parts)
        self._left = b""

    async def receive_some(self, most: int = 65536) -> bytes:
        await trio.lowlevel.checkpoint()
        while not self._left:
            if not self._parts:
                self.scope.deadline = trio.current_time() + 2.0  # as `connections._Stream`
                return b""
            kind, data = self._parts.pop(0)
            if kind == PAUSE:
                await trio.sleep(script.pause(data))
            else:
                self._left = data
        found, self._left = self._left[:most], self._left[most:]
        return found

    async def send_all(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self.sent += data

    async def send_eof(self) -> None:
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


def _check_connection(data: bytes) -> None:
    async def main() -> None:
        stream = _Stream(list(script.steps(data)))
        app = ASGIWrapper(_app(token=_TOKEN))  # type: ignore[arg-type]
        try:
            with stream.scope:
                await Http1Server(
                    app,
                    configure(),
                    WorkerContext(None),
                    ConnectionState({}),
                    stream,  # type: ignore[arg-type]
                )
        except Exception:  # noqa: BLE001 - hypercorn raises for bytes that are no HTTP
            pass
        assert len(stream.sent) < _LARGEST
        if stream.sent:
            assert stream.sent.startswith(b"HTTP/1.1 "), stream.sent[:20]
            # h11 answers 501 to a transfer encoding that it does not know.
            assert int(stream.sent[9:12]) in _STATUSES | {501}, stream.sent[:20]
        assert b"HTTP/1.1 500" not in stream.sent
        assert b"Boiler" not in stream.sent, "it shows values without the token"

    _run(main)


# The WebSocket: messages of a page, which are texts, bytes or pauses.


def _check_socket(data: bytes) -> None:
    async def main() -> None:
        sent, receive = trio.open_memory_channel[Message](math.inf)
        answers: list[Message] = []
        sent.send_nowait({"type": "websocket.connect"})

        async def send(message: Message) -> None:
            await trio.lowlevel.checkpoint()
            answers.append(message)

        stopping = trio.Event()
        socket = WebSocket({"type": "websocket"}, receive.receive, send)
        with trio.move_on_after(3600) as patience:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(Live(_view(), stopping).serve, socket)
                for kind, given in script.steps(data):
                    if kind == PAUSE:
                        await trio.sleep(script.pause(given))
                    elif kind == RAW:
                        text = given.decode("utf-8", "replace")
                        sent.send_nowait({"type": "websocket.receive", "text": text})
                    else:
                        sent.send_nowait(
                            {"type": "websocket.receive", "bytes": given, "text": None}
                        )
                await trio.sleep(100.0)
                sent.send_nowait({"type": "websocket.disconnect", "code": 1001})
                await trio.sleep(1.0)
        assert not patience.cancelled_caught, "it does not end"
        for message in answers:
            if message["type"] == "websocket.send":
                assert set(json.loads(message["text"])) == {"push", "changes"}
            elif message["type"] == "websocket.close":
                assert message["code"] != FAILED

    _run(main)


_UNIT = "/api/devices/0/units/1"
_PATHS = (
    *("/", "/?token=x", "/api", "/api/docs", "/api/openapi.json", "/pages/main.js", "/nothing"),
    *("/api/devices?start=0&count=2&search=boiler", "/api/devices/1", f"{_UNIT}/tables"),
    *(f"{_UNIT}/tables/holding?address=100&count=3", f"{_UNIT}/tables/coils", f"{_UNIT}/points"),
    *(f"{_UNIT}/points/level", f"{_UNIT}/points/serial/1", f"{_UNIT}/trends/flow"),
    *(
        f"{_UNIT}/counters",
        f"{_UNIT}/faults",
        "/api/connections",
        "/api/explain?request=0300000001",
    ),
    "/api/traffic?after=0&most=5&device=0&unit=1&peer=x&functions=3,4&outcome=ok&text=a",
)
_BODIES: list[tuple[str, str, dict[str, object]]] = [
    ("PUT", f"{_UNIT}/tables/holding_registers", {"address": 100, "values": [1, True]}),
    ("PUT", f"{_UNIT}/points/level", {"value": 1, "held": True}),
    ("PUT", f"{_UNIT}/points/flags", {"value": "[1, 2]"}),
    ("PUT", f"{_UNIT}/points/pump", {"value": "on"}),
    ("PUT", f"{_UNIT}/points/level", {"value": "0x10"}),
    ("PUT", f"{_UNIT}/faults", {"drop": 0.5, "exception_code": 6, "delay_seconds": 1e9}),
    ("POST", "/api/session", {"token": "x"}),
    ("POST", "/api/devices/0/start", {}),
    ("POST", "/api/devices/0/stop", {}),
]


def _request_seeds() -> list[bytes]:
    found = [f"GET {path}\naccept: */*\n\n".encode() for path in _PATHS]
    found += [
        f"{method} {path}\norigin: http://{_HOST}\n\n{json.dumps(body)}".encode()
        for method, path, body in _BODIES
    ]
    return [*found, b"HEAD /\n\n", b"OPTIONS /api\n\n", b"DELETE /api/devices/0\n\n{}"]


def _connection_seeds() -> list[bytes]:
    found: list[bytes] = []
    for method, path, body in (*(("GET", path, None) for path in _PATHS), *_BODIES):
        content = "" if body is None else json.dumps(body)
        head = f"{method} {path} HTTP/1.1\r\nHost: {_HOST}\r\nContent-Type: application/json\r\n"
        head += f"Content-Length: {len(content)}\r\nAuthorization: Bearer x\r\n\r\n"
        found.append(script.written((RAW, head.encode()), (PAUSE, b"\0"), (RAW, content.encode())))
    chunked = f"POST /api/session HTTP/1.1\r\nHost: {_HOST}\r\nTransfer-Encoding: chunked\r\n\r\n"
    upgrade = (
        f"GET /live HTTP/1.1\r\nHost: {_HOST}\r\nOrigin: http://{_HOST}\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    found += [
        script.written((RAW, chunked.encode() + b"2\r\n{}\r\n0\r\n\r\n")),
        script.written((RAW, upgrade.encode()), (PAUSE, b"\1"), (RAW, b"\x81\x82\0\0\0\0{}")),
        script.written((RAW, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")),
        script.written((RAW, b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1")),
    ]
    return found


def _socket_seeds() -> list[bytes]:
    device, unit = {"device": 0}, {"device": 0, "unit": 1}
    parts: dict[str, dict[str, object]] = {
        "a": {"kind": "overview"},
        "b": {"kind": "points", **unit},
        "c": {"kind": "values", **unit, "table": "holding_registers", "address": 100, "count": 3},
        "d": {"kind": "trend", **unit, "name": "flow"},
        "e": {"kind": "traffic", "after": 0, "functions": "3"},
        "f": {"kind": "devices", "start": 0, "count": 5, "search": "b"},
        "g": {"kind": "device", **device},
        "h": {"kind": "faults", **unit},
        "i": {"kind": "counters", **unit},
        "j": {"kind": "tables", **unit},
        "k": {"kind": "connections"},
    }
    shown = [{"show": {key: part}} for key, part in parts.items()]
    others: list[object] = [{"show": parts}, {"seen": 1}, {}, []]
    texts = [json.dumps(each).encode() for each in (*shown, *others)]
    found = [script.written((RAW, text), (PAUSE, b"\5"), (RAW, b'{"seen": 1}')) for text in texts]
    return [*found, script.written(*[(RAW, text) for text in texts]), script.written((1, b"{}"))]


_WORDS = (
    *(
        b"%2e%2e/",
        b"%00",
        b"/",
        b"?",
        b"&",
        b"=",
        b"\n",
        b'"',
        b"[" * 60,
        b"{",
        b"null",
        b"-1",
        b"1e999",
    ),
    *(
        b"host:",
        b"origin: http://x",
        b"cookie: modwire_8502=x",
        b"authorization: Bearer x",
        b"\xff",
    ),
    *(b"units", b"points", b"tables", b"value", b"content-type: text/plain", b"9" * 25, b"true"),
)

TARGETS = [
    Target("web-request", _check_request, _request_seeds, _WORDS),
    Target("web-connection", _check_connection, _connection_seeds, _WORDS),
    Target("web-socket", _check_socket, _socket_seeds, _WORDS),
]

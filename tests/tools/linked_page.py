"""`linked`: a browser's WebSocket in memory, for tests with a `MockClock`."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio
import trio.testing
from starlette.types import Message
from starlette.websockets import WebSocket

from fake_view import FakeView
from modwire_tools.web.live import Live


class Link:
    """The browser's end of the WebSocket."""

    def __init__(self) -> None:
        self._sent, self._receive = trio.open_memory_channel[Message](math.inf)
        self._send, self._received = trio.open_memory_channel[Message](math.inf)
        self._sent.send_nowait({"type": "websocket.connect"})

    def socket(self) -> WebSocket:
        """Return the server's end, for an endpoint of Starlette."""
        return WebSocket({"type": "websocket"}, self._receive.receive, self._send.send)

    def send(self, message: object) -> None:
        """Send a text of JSON."""
        self._sent.send_nowait({"type": "websocket.receive", "text": json.dumps(message)})

    async def receive(self) -> Message:
        """Return the next ASGI message of the server."""
        return await self._received.receive()

    async def push(self, *, is_seen: bool = True) -> dict[str, dict[str, object]]:
        """Return the changes of the next push."""
        message = await self.receive()
        while message["type"] == "websocket.accept":
            message = await self.receive()
        found = json.loads(message["text"])
        if is_seen:
            self.send({"seen": found["push"]})
        changes: dict[str, dict[str, object]] = found["changes"]
        return changes

    def has_more(self) -> bool:
        """True if the server has sent a message that was not received yet."""
        return self._received.statistics().current_buffer_used > 0


@asynccontextmanager
async def linked(view: FakeView) -> AsyncIterator[Link]:
    """Open a link to the page of `view`."""
    link = Link()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Live(view, trio.Event()).serve, link.socket())
        yield link
        nursery.cancel_scope.cancel()


def run(main: Callable[[], Awaitable[None]]) -> None:
    """Run `main` with a clock that jumps ahead whenever every task waits."""
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))

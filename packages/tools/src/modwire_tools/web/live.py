"""The WebSocket of the page: pushes the changes of its parts, at most five times a second.

The page sends `{"show": {key: {"kind": "points", "device": 0, "unit": 1}, ...}}` when it shows
other parts. It receives `{"push": number, "changes": {key: ...}}`, and sends `{"seen": number}`.
Only then it gets the next push, with the values of that time: a slow browser causes no queue.
After a long time without changes, an empty push shows both sides that the link is alive.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import Protocol

import anyio
import anyio.to_thread
import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from ..simulator.view import ServerView
from .guard import PeerError
from .reading import is_object, parse_object
from .shown import Shown

MESSAGE_LIMIT = 16 * 1024  # bytes of a message of the page
_PERIOD = 0.2  # seconds between two pushes
_LONG = 15.0  # seconds without changes before an empty push
_PATIENCE = 30.0  # seconds until the page must confirm a push
_MOST_PAGES = 100
_MOST_OF_ONE = 40  # pages of one client, so that it cannot take all
_MESSAGES_PER_SECOND = 50  # of one page; a browser sends five, and one for each click

GOING_AWAY = 1001
WRONG_DATA = 1008
FAILED = 1011
TRY_LATER = 1013

_LOG = logging.getLogger("modwire.web")


class Stopping(Protocol):
    """An event of trio, anyio or asyncio."""

    async def wait(self) -> object:
        """Return when it is set."""
        raise NotImplementedError


class Live:
    """All pages that are open on one `view`, until `stopping` is set; None if that is never."""

    def __init__(self, view: ServerView, stopping: Stopping | None) -> None:
        self._view = view
        self._stopping = stopping
        self._pages: Counter[str] = Counter()  # of each client

    async def serve(self, socket: WebSocket) -> None:
        """Serve one page until it is closed."""
        client = socket.client.host if socket.client else ""
        self._pages[client] += 1
        try:
            await socket.accept()
            if self._pages[client] > _MOST_OF_ONE or self._pages.total() > _MOST_PAGES:
                await socket.close(TRY_LATER, "there are too many pages already")
                return
            await _Page(socket, Shown(self._view)).run(self._stopping)
        except (WebSocketDisconnect, PeerError):
            pass
        except Exception:  # noqa: BLE001 - a bug, which ends the link of this page only
            _LOG.exception("A link of the page failed")
            await socket.close(FAILED, "the server failed")
        finally:
            self._pages[client] -= 1
            if not self._pages[client]:
                del self._pages[client]


class _Page:
    def __init__(self, socket: WebSocket, shown: Shown) -> None:
        self._socket = socket
        self._shown = shown
        self._pushed = 0
        self._seen = 0
        self._paced_until = 0.0  # the time that the messages so far take at the highest rate
        # Set when the page shows other parts, or has confirmed a push.
        self._news = anyio.Event()
        self._closing: tuple[int, str] | None = None

    async def run(self, stopping: Stopping | None) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._listen, tasks.cancel_scope)
            tasks.start_soon(self._push_for_ever, tasks.cancel_scope)
            await (anyio.sleep_forever() if stopping is None else stopping.wait())
            self._end(GOING_AWAY, "the server ends", tasks.cancel_scope)
        if self._closing is not None:
            await self._socket.close(*self._closing)

    def _end(self, code: int, reason: str, scope: anyio.CancelScope) -> None:
        self._closing = (code, reason)
        scope.cancel()

    async def _listen(self, scope: anyio.CancelScope) -> None:
        try:
            while True:
                text: object = await self._socket.receive_text()
                # Starlette declares str, but returns None for a message of bytes.
                if not isinstance(text, str):
                    raise ValueError("messages must be texts")
                self._hear(parse_object(text))
                await self._slow_down()
        except WebSocketDisconnect:
            scope.cancel()
        except ValueError as error:
            self._end(WRONG_DATA, str(error)[:100], scope)

    async def _slow_down(self) -> None:
        """Wait if there were too many messages: each costs the server a search for its parts."""
        now = anyio.current_time()
        self._paced_until = max(self._paced_until, now) + 1 / _MESSAGES_PER_SECOND
        if self._paced_until > now + 1:
            await anyio.sleep_until(self._paced_until - 1)

    def _hear(self, message: dict[str, object]) -> None:
        if "seen" in message:
            seen = message["seen"]
            if not isinstance(seen, int) or not 0 <= seen <= self._pushed:
                raise ValueError(f"seen must be 0..{self._pushed}, got {seen!r}")
            self._seen = seen
        if "show" in message:
            wanted = message["show"]
            if not is_object(wanted):
                raise ValueError("show must be an object")
            self._shown.show(wanted)
        self._news.set()

    async def _push_for_ever(self, scope: anyio.CancelScope) -> None:
        silent_since = anyio.current_time()
        while True:
            await self._wait_until_seen(scope)
            for part in self._shown.waiting():
                await anyio.to_thread.run_sync(part.look)
            changes = self._shown.changes()
            now = anyio.current_time()
            if changes or now > silent_since + _LONG:
                self._pushed += 1
                push = msgspec.json.encode({"push": self._pushed, "changes": changes})
                try:
                    await self._socket.send_text(push.decode())
                except (WebSocketDisconnect, PeerError):
                    scope.cancel()
                silent_since = now
                await anyio.sleep_until(now + _PERIOD)
            else:
                # A part that the user has just chosen must appear at once.
                self._news = anyio.Event()
                with anyio.move_on_after(_PERIOD):
                    await self._news.wait()

    async def _wait_until_seen(self, scope: anyio.CancelScope) -> None:
        with anyio.move_on_after(_PATIENCE) as patience:
            while self._seen < self._pushed:
                self._news = anyio.Event()
                await self._news.wait()
        if patience.cancelled_caught:
            self._end(TRY_LATER, "the page does not follow", scope)
            await anyio.sleep_forever()

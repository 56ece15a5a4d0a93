"""Connections to the page's server: each one ends, also with a faulty peer."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
from starlette.types import Receive, Scope, Send

from modwire_tools.web.connections import Connections

PATIENCE = 30.0  # seconds
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def _never_answers(scope: Scope, receive: Receive, send: Send) -> None:
    await trio.sleep_forever()


async def _fails(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("broken")


async def _answers(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def _served(
    app: Callable[[Scope, Receive, Send], Awaitable[None]],
    *,
    most: int = 500,
    silent: float = 60.0,
    stalled: float = 60.0,
) -> AsyncIterator[int]:
    """Serve `app` during the block; yields the port."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    stopping = trio.Event()
    async with trio.open_nursery() as nursery:
        served = Connections(app, most=most, silent=silent, stalled=stalled)
        nursery.start_soon(served.serve, [listening], stopping)
        with trio.fail_after(PATIENCE):
            yield int(listening.getsockname()[1])
        stopping.set()


async def _read_to_the_end(stream: trio.SocketStream) -> bytes:
    received = b""
    async with stream:
        try:
            async for data in stream:
                received += data
        except trio.BrokenResourceError:
            pass
    return received


def test_one_without_a_byte_is_closed() -> None:
    async def main() -> None:
        async with _served(_never_answers, silent=0.2) as port:
            for sent in (b"", b"GET /", REQUEST):
                stream = await trio.open_tcp_stream("127.0.0.1", port)
                await stream.send_all(sent)
                assert await _read_to_the_end(stream) == b""

    trio.run(main)


def test_one_that_ends_gets_its_answer_and_is_closed() -> None:
    async def main() -> None:
        async with _served(_answers) as port:
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            await stream.send_all(REQUEST)
            await stream.send_eof()
            assert (await _read_to_the_end(stream)).startswith(b"HTTP/1.1 204")

    trio.run(main)


def test_a_failure_ends_one_connection_alone() -> None:
    async def main() -> None:
        async with _served(_fails) as port:
            for _ in range(2):
                stream = await trio.open_tcp_stream("127.0.0.1", port)
                await stream.send_all(REQUEST)
                assert b" 500 " in await stream.receive_some()
                await stream.aclose()

    trio.run(main)


def test_the_one_that_was_silent_for_longest_makes_room() -> None:
    async def main() -> None:
        async with _served(_answers, most=2) as port:
            streams: list[trio.SocketStream] = []
            for _ in range(3):
                stream = await trio.open_tcp_stream("127.0.0.1", port)
                await stream.send_all(REQUEST)
                assert (await stream.receive_some()).startswith(b"HTTP/1.1 204")
                streams.append(stream)
            assert await _read_to_the_end(streams[0]) == b""
            await streams[1].send_all(REQUEST)
            assert (await streams[1].receive_some()).startswith(b"HTTP/1.1 204")
            for stream in streams:
                await stream.aclose()

    trio.run(main)


def test_one_that_takes_nothing_is_given_up() -> None:
    ended = trio.Event()

    async def floods(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(1000):
                body = {"type": "http.response.body", "body": bytes(100_000), "more_body": True}
                await send(body)
        finally:
            ended.set()

    async def main() -> None:
        async with _served(floods, stalled=0.2) as port:
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            await stream.send_all(REQUEST)
            await ended.wait()
            assert len(await _read_to_the_end(stream)) < 100_000_000

    trio.run(main)


def test_out_of_descriptors_is_logged_once_and_the_page_comes_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    accept = trio.SocketListener.accept
    failures = 0

    async def out_of_descriptors(listener: trio.SocketListener) -> trio.SocketStream:
        nonlocal failures
        stream = await accept(listener)
        if failures == 5:
            return stream
        failures += 1
        await stream.aclose()
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(trio.SocketListener, "accept", out_of_descriptors)

    async def main() -> None:
        async with _served(_answers) as port:
            for _ in range(5):
                stream = await trio.open_tcp_stream("127.0.0.1", port)
                assert await _read_to_the_end(stream) == b""
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            await stream.send_all(REQUEST)
            assert (await stream.receive_some(100)).startswith(b"HTTP/1.1 204")
            await stream.aclose()

    with caplog.at_level(logging.DEBUG):
        trio.run(main)
    lines = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert [each.name for each in lines] == ["modwire.web"]
    assert lines[0].exc_info is None

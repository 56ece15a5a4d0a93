"""Clients of the page of `modwire poll` for Prometheus that do harm, on purpose or not."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from modwire_tools.metrics.responses import MOST_AT_ONCE
from modwire_tools.poll.sinks import Surroundings
from modwire_tools.poll.sinks.prometheus import PrometheusSink
from polled_plant import run, sink_of


def surroundings(figures: str) -> Surroundings:
    async def write(device: str, point: str, text: str) -> object:
        raise AssertionError

    return Surroundings(
        lambda: pytest.fail("no plant"), write, print, list, lambda: figures, lambda: (True, {})
    )


def test_scrapes_that_do_not_read_are_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them would keep its megabytes for as long as its client likes."""
    monkeypatch.setattr("modwire_tools.poll.sinks.prometheus.PATIENCE", 0.5)
    sink = sink_of("prometheus", tmp_path, prometheus="127.0.0.1:0")
    assert isinstance(sink, PrometheusSink)

    async def test() -> None:
        await sink.open(surroundings("x" * 30_000_000))
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await asyncio.to_thread(client.connect, sink.address)
        client.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        for is_open in (True, False):
            while bool(sink._open) is not is_open:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.01)
        read = 0
        with client, suppress(ConnectionResetError):
            while data := await asyncio.to_thread(client.recv, 1_000_000):
                read += len(data)
        assert read < 30_000_000
        await sink.aclose()

    run(test)


def test_clients_that_say_nothing_leave_room_for_a_scrape(tmp_path: Path) -> None:
    sink = sink_of("prometheus", tmp_path, prometheus="127.0.0.1:0")
    assert isinstance(sink, PrometheusSink)

    async def test() -> None:
        await sink.open(surroundings(""))
        silent = [await asyncio.open_connection(*sink.address) for _ in range(MOST_AT_ONCE + 5)]
        reader, writer = await asyncio.open_connection(*sink.address)
        writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        for _, each in (*silent, (reader, writer)):
            each.close()
        await sink.aclose()

    run(test)

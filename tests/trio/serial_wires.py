"""A serial line with a server at one end, for the tests of `serve_serial`."""

from __future__ import annotations

import logging

import pytest
import trio
import trio.testing

from server_peers import Line, rtu
from serving_peers import (
    in_thread,
)

READ = rtu("0300050001")
READ_ANSWER = rtu("03020005")
SLOW_READ = rtu("0300000001", unit=2)
SLOW_ANSWER = rtu("03024711", unit=2)


async def ask(wire: Line, request: bytes, answer: bytes) -> None:
    """Send `request` and expect `answer`; the server runs meanwhile."""
    wire.send(request)
    await expect(wire, answer)


async def expect(wire: Line, answer: bytes) -> None:
    received = await in_thread(lambda: wire.receive(len(answer)))
    assert received == answer, f"{received.hex(' ')} is not {answer.hex(' ')}"


async def deliver(wire: Line, data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Send `data`, and return when the server has read it: then its silent interval starts."""
    caplog.set_level(logging.DEBUG, "modwire.wire")
    caplog.clear()
    wire.send(data)

    def read() -> bytes:
        pieces = [record.getMessage().partition(" brought ")[2] for record in caplog.records]
        return bytes.fromhex(" ".join(pieces))

    while read() != data:
        await trio.testing.wait_all_tasks_blocked(0.001)

"""Clients on both sides of a fork."""

from __future__ import annotations

import os

import pytest

import forked

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

SCRIPT = """
import sys, trio
from cutting import device
from forked import Child
from modwire import ConnectionLostError
from modwire_trio import connect

async def read_all(client, first):
    for value in range(first, first + 100):
        assert await client.read_holding_registers(value) == [value], value

async def refused(client):
    try:
        await client.read_holding_registers(1)
        raise AssertionError("two processes share the port")
    except ConnectionLostError as error:
        assert "lock" in str(error), error

kind = sys.argv[1]
with device(kind) as (_, endpoint):
    client = connect(endpoint + ("&" if "?" in endpoint else "?") + "timeout=5")
    trio.run(read_all, client, 0)
    children = []
    if kind == "rtu":  # it has the port until the next run, which opens it anew
        Child(lambda: trio.run(refused, client)).join()
    else:
        children = [
            Child(lambda first=first: trio.run(read_all, client, first)) for first in (1000, 2000)
        ]
    assert client.is_open
    trio.run(read_all, client, 4000)
    for child in children:
        child.join()
    async def fork_inside():
        def use():
            assert not client.is_open
        Child(use).join()
        await read_all(client, 5000)
    trio.run(fork_inside)
    trio.run(client.aclose)
"""


@pytest.mark.parametrize("kind", ["tcp", "udp", "rtu"])
def test_a_client_is_right_on_both_sides(kind: str) -> None:
    forked.run(SCRIPT, kind)

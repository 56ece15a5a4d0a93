"""Clients on both sides of a fork."""

from __future__ import annotations

import os

import pytest

import forked

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

SCRIPT = """
import asyncio, sys
from cutting import device
from forked import Child
from modwire import ConnectionLostError
from modwire_asyncio import connect

kind, name = sys.argv[1:]
if name == "uvloop":
    from uvloop import new_event_loop
else:
    from asyncio import new_event_loop

def run(main):
    loop = new_event_loop()
    loop.run_until_complete(main)
    loop.close()

async def read_all(client, first):
    for value in range(first, first + 100):
        assert await client.read_holding_registers(value) == [value], value

async def read_and_close(client, first):
    await read_all(client, first)
    await client.aclose()

async def refused(client):
    try:
        await client.read_holding_registers(1)
        raise AssertionError("two processes share the port")
    except ConnectionLostError as error:
        assert "lock" in str(error), error

with device(kind) as (_, endpoint):
    loop = new_event_loop()
    client = connect(endpoint + ("&" if "?" in endpoint else "?") + "timeout=5")
    loop.run_until_complete(read_all(client, 0))
    if kind == "rtu":
        children = [Child(lambda: run(refused(client)))]
    else:
        children = [
            Child(lambda first=first: run(read_and_close(client, first))) for first in (1000, 2000)
        ]
    assert client.is_open
    loop.run_until_complete(read_all(client, 4000))
    for child in children:
        child.join()

    async def fork_inside():
        def use():
            assert not client.is_open
        Child(use).join()
        await read_all(client, 5000)

    async def fork_while_calls_wait():
        calls = [asyncio.ensure_future(client.read_holding_registers(each)) for each in range(8)]
        await asyncio.sleep(0)
        def use():
            assert not client.is_open
            asyncio._set_running_loop(None)
            if kind == "tcp":
                run(read_and_close(client, 6000))
        Child(use).join()
        assert await asyncio.gather(*calls) == [[each] for each in range(8)]

    loop.run_until_complete(fork_inside())
    loop.run_until_complete(fork_while_calls_wait())
    loop.run_until_complete(client.aclose())
    loop.close()
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("kind", ["tcp", "udp", "rtu"])
def test_a_client_is_right_on_both_sides(kind: str, loop: str) -> None:
    forked.run(SCRIPT, kind, loop)


SERVER = """
import asyncio, socket, sys
from forked import Child
from modwire import SequentialBlock, Unit, Units
from modwire_asyncio import TcpServer
from modwire_sync import TcpClient

if sys.argv[1] == "uvloop":
    from uvloop import new_event_loop
else:
    from asyncio import new_event_loop

async def main():
    units = Units({1: Unit(holding_registers=SequentialBlock(0, range(10)))})
    async with TcpServer(units, ("127.0.0.1", 0)) as server:
        host, port = server.address
        reader, writer = await asyncio.open_connection(host, port)
        request = bytes.fromhex("0001 0000 0006 01 03 0005 0001")
        writer.write(request)
        assert (await reader.readexactly(11))[-1] == 5
        Child(lambda: None).join()
        writer.write(request)
        assert (await reader.readexactly(11))[-1] == 5, "the parent serves on"
        writer.close()
    try:
        socket.create_connection((host, port)).close()
        raise AssertionError("the forked process has kept the listener")
    except ConnectionRefusedError:
        pass

loop = new_event_loop()
loop.run_until_complete(main())
loop.close()
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_server_is_that_of_its_process(loop: str) -> None:
    forked.run(SERVER, loop)

"""Clients in the loops of a program: one after the other, two at once, and in debug mode."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
from typing import Any

import pytest

from asyncio_peers import PATIENCE, Listener, NewLoop, descriptors_of, each_loop, play, reply, soon
from cutting import device
from modwire import ConnectionLostError, IllegalDataAddressError, SequentialBlock, Unit, Units
from modwire_asyncio import TcpClient, TcpServer, connect
from own_sockets import count_descriptors, needs_proc
from server_peers import wait_until

KINDS = pytest.mark.parametrize("kind", ["tcp", "udp", "rtu"])


def endpoint_with(endpoint: str, options: str) -> str:
    return endpoint + ("&" if "?" in endpoint else "?") + options


def run(main: Any, new_loop: NewLoop) -> Any:
    """Run `main` in a new loop, as `asyncio.run` does."""
    loop = new_loop()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.close()


@needs_proc
@each_loop
@KINDS
# The transport that was left open says so when it is collected.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_client_in_two_loops_one_after_the_other(kind: str, new_loop: NewLoop) -> None:
    async def read(address: int) -> None:
        assert await client.read_holding_registers(address) == [address]

    descriptors = descriptors_of(new_loop)
    with device(kind) as (_, endpoint):
        client = connect(endpoint_with(endpoint, "timeout=20"))
        for address in range(3):
            run(read(address), new_loop)
        run(client.aclose(), new_loop)
        run(read(7), new_loop)
        run(client.aclose(), new_loop)
    gc.collect()
    wait_until(lambda: count_descriptors() <= descriptors)  # the device closes its ends in threads


@each_loop
def test_a_client_whose_first_loop_was_stopped_while_calls_waited(new_loop: NewLoop) -> None:
    """Those calls are gone with their loop; in the next one the client works."""

    async def leave(port: int) -> None:
        calls = [client.read_holding_registers(5, timeout=PATIENCE) for _ in range(4)]
        waiting = asyncio.gather(*calls, return_exceptions=True)
        await soon(lambda: client.is_open)
        waiting.cancel()
        await asyncio.wait([waiting])
        await client.aclose()

    async def read() -> None:
        assert await client.read_holding_registers(5, timeout=PATIENCE) == [5]
        await client.aclose()

    with device() as (slow, endpoint):
        slow.pause = 0.05
        client = connect(endpoint_with(endpoint, "max_in_flight=2"))
        run(leave(0), new_loop)
        slow.pause = 0.0
        run(read(), new_loop)


@each_loop
def test_a_client_in_two_loops_at_once(new_loop: NewLoop) -> None:
    """The second one gets a clear error, and the first one is not affected."""
    opened, refused = threading.Event(), threading.Event()
    errors: list[BaseException] = []

    async def first() -> None:
        async with client:
            assert await client.read_holding_registers(1) == [1]
            opened.set()
            await soon(refused.is_set)
            assert await client.read_holding_registers(2) == [2]

    def in_thread() -> None:
        try:
            run(first(), new_loop)
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    async def second() -> None:
        for call in (client.read_holding_registers(3), client.connect()):
            with pytest.raises(RuntimeError, match="opened in another loop.* of its own"):
                await call

    with device() as (_, endpoint):
        client = connect(endpoint_with(endpoint, "timeout=20"))
        thread = threading.Thread(target=in_thread)
        thread.start()
        try:
            assert opened.wait(PATIENCE)
            run(second(), new_loop)
        finally:
            refused.set()
            thread.join(PATIENCE)
    assert not errors, errors


@each_loop
def test_no_task_outlives_the_closing_of_a_client(new_loop: NewLoop) -> None:
    """Not even one that opens the link, while a name server does not answer."""

    async def main() -> None:
        asked = asyncio.Event()

        class NoNames(TcpClient):
            async def _open_link(self):  # type: ignore[no-untyped-def]
                asked.set()
                await asyncio.Event().wait()

        client = NoNames("127.0.0.1")
        before = asyncio.all_tasks()
        call = asyncio.ensure_future(client.read_holding_registers(5))
        await asked.wait()
        await client.aclose()
        with pytest.raises(ConnectionLostError, match="closed"):
            await call
        assert asyncio.all_tasks() == before

    play(main, new_loop)


@each_loop
@KINDS
def test_nothing_is_left_of_a_closed_client(kind: str, new_loop: NewLoop) -> None:
    async def main() -> None:
        before = asyncio.all_tasks()
        descriptors = count_descriptors() + 1  # the device closes its end in a thread
        client = connect(endpoint_with(endpoint, "timeout=20"))
        for _ in range(3):
            assert await client.read_holding_registers(5) == [5]
            await client.aclose()
            assert asyncio.all_tasks() == before
            await soon(lambda: count_descriptors() <= descriptors)
            await client.aclose()  # a second time

    with device(kind) as (_, endpoint):
        run(main(), new_loop)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.timeout is new in 3.11")
@each_loop
def test_a_timeout_of_asyncio(new_loop: NewLoop) -> None:
    """It ends its own call only, and its late answer is given to nobody."""

    async def main() -> None:
        async with Listener() as listener:
            client = TcpClient("127.0.0.1", listener.port, max_in_flight=4, timeout=PATIENCE)
            async with client:
                far = await listener.accept()
                other = asyncio.ensure_future(client.read_holding_registers(1))
                request = await far.request()
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await client.read_holding_registers(2)
                late = reply(await far.request())
                following = asyncio.ensure_future(client.read_holding_registers(3))
                await far.send(late, reply(await far.request()), reply(request))
                assert (await following, await other) == ([3], [1])

    play(main, new_loop)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="TaskGroup is new in 3.11")
@each_loop
def test_a_task_group_that_fails(new_loop: NewLoop) -> None:
    """Its calls are cancelled; those of others go on, on the same connection."""

    async def failing(client: TcpClient) -> None:
        async with asyncio.TaskGroup() as group:
            for address in range(1, 5):
                group.create_task(client.read_holding_registers(address))
            await client.read_holding_registers(500)

    async def main() -> None:
        units = Units({1: Unit(holding_registers=SequentialBlock(0, range(10)))})
        server = await TcpServer(units, ("127.0.0.1", 0)).start()
        async with server, TcpClient(*server.address, max_in_flight=16) as client:  # type: ignore[misc]
            for _ in range(20):
                others = [client.read_holding_registers(address) for address in range(10)]
                going_on = asyncio.gather(*others)
                with pytest.raises(Exception, match="unhandled errors in a TaskGroup") as caught:
                    await failing(client)
                (error,) = caught.value.exceptions  # type: ignore[attr-defined]
                assert isinstance(error, IllegalDataAddressError)
                assert await going_on == [[address] for address in range(10)]
            assert client.is_open

    play(main, new_loop)


DEBUGGED = """
import asyncio, gc, logging, sys
from cutting import device
from modwire import SequentialBlock, Unit, Units
from modwire_asyncio import RemoteUnit, SerialServer, TcpClient, TcpServer, UdpClient, UdpServer
from modwire_asyncio import connect

async def clients(endpoint):
    client = connect(endpoint + ("&" if "?" in endpoint else "?") + "timeout=20")
    async with client:
        calls = [client.read_holding_registers(each) for each in range(20)]
        assert await asyncio.gather(*calls) == [[each] for each in range(20)]
        call = asyncio.ensure_future(client.read_holding_registers(5))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])
        assert await client.read_holding_registers(7) == [7]
    call = asyncio.ensure_future(client.read_holding_registers(5))
    await asyncio.sleep(0)
    await client.aclose()
    await asyncio.wait([call])
    if not call.cancelled():
        call.exception()

def units(**more):
    return Units({1: Unit(holding_registers=SequentialBlock(0, range(50)), **more)})

async def servers():
    for blocking in (False, True):
        async with TcpServer(units(blocking=blocking), ("127.0.0.1", 0)) as behind:
            remote = TcpClient(*behind.address, timeout=20)
            async with TcpServer(Units({1: RemoteUnit(remote)}), ("127.0.0.1", 0)) as server:
                async with TcpClient(*server.address, timeout=20) as client:
                    for each in range(20):
                        assert await client.read_holding_registers(each) == [each]
                left = TcpClient(*server.address, timeout=20)
                await left.connect()  # and left open
            await remote.aclose()
        await left.aclose()
        async with UdpServer(units(blocking=blocking), ("127.0.0.1", 0)) as server:
            async with UdpClient(*server.address, timeout=20) as client:
                for each in range(20):
                    assert await client.read_holding_registers(each) == [each]
    try:
        await connect("tcp://127.0.0.1:1").connect()
    except ConnectionError:
        pass

async def main():
    asyncio.get_running_loop().slow_callback_duration = 100.0  # a busy machine is slow
    for kind in ("tcp", "udp", "rtu"):
        with device(kind) as (_, endpoint):
            await clients(endpoint)
    await servers()
    assert len(asyncio.all_tasks()) == 1

logging.getLogger("modwire").setLevel(logging.ERROR)  # a refused connection is a warning
if sys.argv[1] == "uvloop":
    import uvloop
    loop = uvloop.new_event_loop()
else:
    loop = asyncio.new_event_loop()
assert loop.get_debug()
loop.run_until_complete(main())
loop.run_until_complete(loop.shutdown_default_executor())
loop.close()
gc.collect()
print("right")
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_debug_mode_and_warnings_as_errors(loop: str) -> None:
    """No task is destroyed, no exception is never retrieved, no transport is left open."""
    path = [os.path.dirname(sys.modules["cutting"].__file__ or ""), *filter(None, sys.path)]
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", DEBUGGED, loop],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path), "PYTHONASYNCIODEBUG": "1"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "right\n", "")

"""A server for a test that sends Ctrl+C: `interrupted_server.py PACKAGE WAY LINK UNIT GRACE`.

It prints its address, "begun" when the write of a client begins, and "interrupted" when
KeyboardInterrupt has come out of the server. A write ends when a line comes on standard input. The
unit waits for it in a "thread", in the "loop", or blocks all as a unit in "memory". LINK is "tcp",
"udp", or the name of a serial port; GRACE replaces the default, in seconds.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from modwire import SequentialBlock, Unit, Units
from modwire.server.life import ServerBase
from modwire.units.unit import AsyncUnit, Waits

if TYPE_CHECKING:
    from modwire import Response
    from modwire.messages.base import AnyRequest

PACKAGE, WAY, LINK, UNIT, GRACE = sys.argv[1:]
modwire: Any = import_module(f"modwire_{PACKAGE}")


def hold(*_: object) -> None:
    print("begun", flush=True)
    sys.stdin.readline()


async def asyncio_line() -> None:
    import asyncio

    loop = asyncio.get_running_loop()
    readable = loop.create_future()
    loop.add_reader(0, lambda: readable.done() or readable.set_result(None))
    await readable
    loop.remove_reader(0)


async def trio_line() -> None:
    import trio

    await trio.lowlevel.wait_readable(0)


class WaitingUnit(AsyncUnit):
    async def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        print("begun", flush=True)
        await (trio_line if PACKAGE == "trio" else asyncio_line)()
        return await super().execute(request, broadcast=broadcast)


class WaitingGreenUnit(Unit):
    waits = Waits.LOOP

    def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        from gevent.socket import wait_read

        print("begun", flush=True)
        wait_read(0)
        return super().execute(request, broadcast=broadcast)


def new_unit() -> Unit | AsyncUnit:
    if UNIT == "loop":
        kind = WaitingGreenUnit if PACKAGE == "gevent" else WaitingUnit
        return kind(holding_registers=SequentialBlock(0, [0]))
    block = SequentialBlock(0, [0], on_write=hold)
    return Unit(holding_registers=block, blocking=UNIT == "thread")


def new_server() -> Any:
    units = Units({1: new_unit()})
    if LINK in ("tcp", "udp"):
        kind = modwire.UdpServer if LINK == "udp" else modwire.TcpServer
        return kind(units, ("127.0.0.1", 0))
    return modwire.SerialServer(units, LINK, baudrate=115200)


def show(address: object) -> None:
    print(address[1] if isinstance(address, tuple) else address, flush=True)


def serve_blocking(idle: Callable[[float], object]) -> None:
    server = new_server()
    if WAY == "forever":
        show(server.address)
        server.serve_forever()
    elif WAY == "started":
        show(server.start().address)
        server.serve_forever()
    else:
        with server:
            show(server.address)
            if WAY == "with":
                server.serve_forever()
            else:
                idle(3600)


async def serve_awaited() -> None:
    import asyncio

    server = new_server()
    if WAY in ("with", "idle"):
        async with server:
            show(server.address)
            await (server.serve_forever() if WAY == "with" else asyncio.Event().wait())
    else:
        await server.start()
        show(server.address)
        await server.serve_forever()


def run_asyncio() -> None:
    import asyncio

    if WAY == "uvloop":
        import uvloop

        uvloop.run(serve_awaited())
    elif WAY == "loop":
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(serve_awaited())
        finally:
            loop.close()
    else:
        asyncio.run(serve_awaited())


class Shown:
    """The `task_status` of a server function that is not started by a nursery."""

    def started(self, address: object) -> None:
        show(address)


async def serve_trio() -> None:
    import trio

    units, grace = Units({1: new_unit()}), float(GRACE)
    serve: Callable[..., Awaitable[Any]]
    if LINK in ("tcp", "udp"):
        serve = partial(modwire.serve_udp if LINK == "udp" else modwire.serve_tcp, units, 0)
    else:
        serve = partial(modwire.serve_serial, units, LINK, baudrate=115200)
    if WAY == "forever":
        await serve(grace=grace, task_status=Shown())
    else:
        async with trio.open_nursery() as nursery:
            show(await nursery.start(partial(serve, grace=grace)))
            await trio.sleep_forever()


def main() -> None:
    ServerBase._grace = float(GRACE)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
    try:
        if PACKAGE == "trio":
            import trio

            trio.run(serve_trio)
        elif PACKAGE == "asyncio":
            run_asyncio()
        else:
            serve_blocking(import_module("gevent" if PACKAGE == "gevent" else "time").sleep)
    except KeyboardInterrupt:
        print("interrupted")
    except BaseException as error:  # noqa: BLE001 - from a nursery
        found = {type(each) for each in getattr(error, "exceptions", ())}
        print("interrupted" if KeyboardInterrupt in found else repr(error))


main()

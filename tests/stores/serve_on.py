"""A Modbus server of any package on a store: python serve_on.py PACKAGE URL NAME

Prints its port, serves until its input ends, and then prints the duration of the shutdown. Prints
"asked" when a client reads the last holding register. PACKAGE is "trio", "gevent", "patched" for
gevent with all of the standard library patched, "asyncio", or "uvloop" for asyncio on that loop.
"""

from __future__ import annotations

import sys
from time import monotonic
from typing import Any

package, url, name = sys.argv[1:]
if package == "patched":
    from gevent import monkey

    monkey.patch_all()

from modwire import ReadHoldingRegistersRequest, Units  # noqa: E402
from modwire_stores import StoreUnit, redis_unit, sql_unit  # noqa: E402

GRACE = 0.5
TIMEOUT = 60.0  # seconds of the store; a shutdown must not wait for it


def announce(peer: object, role: object, unit: int, request: object) -> bool:
    if request == ReadHoldingRegistersRequest(0xFFFF, 1):
        print("asked", flush=True)
    return True


def serve_gevent(unit: StoreUnit) -> float:
    from gevent import get_hub

    from modwire_gevent import TcpServer

    server = TcpServer(Units.single(unit), ("127.0.0.1", 0), authorize=announce).start()
    print(server.address[1], flush=True)
    get_hub().threadpool.apply(sys.stdin.read)
    began = monotonic()
    server.shutdown(GRACE)
    return began


def serve_trio(unit: StoreUnit) -> float:
    from functools import partial

    import trio

    from modwire_trio import serve_tcp

    async def main() -> float:
        async with trio.open_nursery() as nursery:
            serve = partial(serve_tcp, Units.single(unit), 0, authorize=announce, grace=GRACE)
            _, port = await nursery.start(serve)
            print(port, flush=True)
            await trio.to_thread.run_sync(sys.stdin.read)
            began = monotonic()
            nursery.cancel_scope.cancel()
        return began

    return trio.run(main)


def serve_asyncio(unit: StoreUnit, new_loop: Any = None) -> float:
    import asyncio

    from modwire_asyncio import TcpServer

    async def main() -> float:
        async with TcpServer(Units.single(unit), ("127.0.0.1", 0), authorize=announce) as server:
            print(server.address[1], flush=True)
            await asyncio.to_thread(sys.stdin.read)
            began = monotonic()
            await server.shutdown(GRACE)
        return began

    loop = new_loop() if new_loop is not None else asyncio.new_event_loop()
    loop.slow_callback_duration = TIMEOUT  # a busy machine is slow
    try:
        return loop.run_until_complete(main())
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def serve_uvloop(unit: StoreUnit) -> float:
    import uvloop

    return serve_asyncio(unit, uvloop.new_event_loop)


SERVE = {
    "trio": serve_trio,
    "asyncio": serve_asyncio,
    "uvloop": serve_uvloop,
    "gevent": serve_gevent,
    "patched": serve_gevent,
}

make = redis_unit if url.startswith("redis") else sql_unit
with make(url, name, timeout=TIMEOUT) as unit:
    began = SERVE[package](unit)
print(f"{monotonic() - began:.3f}", flush=True)

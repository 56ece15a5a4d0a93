"""The life of a server in every package: each stage once, clear errors for misuse, and its repr.

trio's servers are functions, which begin and end with their call.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

import pytest

from modwire import SequentialBlock, Unit, Units

PACKAGES = ["sync", "gevent", "asyncio"]
USED_UP = "is closed, and a server serves only once: make a new one"


async def done(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


async def entered(server: Any) -> Any:
    asynchronous = getattr(type(server), "__aenter__", None)
    return await asynchronous(server) if asynchronous else server.__enter__()


async def left(server: Any) -> None:
    asynchronous = getattr(type(server), "__aexit__", None)
    if asynchronous:
        await asynchronous(server, None, None, None)
    else:
        server.__exit__(None, None, None)


def play(package: str, script: Callable[[Any], Awaitable[None]]) -> None:
    """Run a script with the package, in a loop if it has one."""
    module = import_module(f"modwire_{package}")
    if package == "asyncio":
        asyncio.run(script(module))  # type: ignore[arg-type]
        return
    with pytest.raises(StopIteration):
        script(module).__await__().send(None)


def units() -> Units:
    return Units.single(Unit(holding_registers=SequentialBlock(0, [7])))


def tcp_server(module: Any) -> Any:
    return module.TcpServer(units(), ("127.0.0.1", 0))


@pytest.mark.parametrize("kind", ["TcpServer", "UdpServer"])
@pytest.mark.parametrize("package", PACKAGES)
def test_a_server_that_was_shut_down_serves_no_more(package: str, kind: str) -> None:
    async def script(module: Any) -> None:
        server = getattr(module, kind)(units(), ("127.0.0.1", 0))
        await done(server.start())
        await done(server.shutdown())
        await done(server.shutdown())
        assert not server.is_serving
        assert server.failure is None
        for again in (server.serve_forever, server.start, lambda: entered(server)):
            with pytest.raises(RuntimeError, match=f"^{re.escape(str(server))} {USED_UP}$"):
                await done(again())

    play(package, script)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_server_that_never_served_serves_no_more_after_shutdown(package: str) -> None:
    async def script(module: Any) -> None:
        server = tcp_server(module)
        await done(server.shutdown())
        await done(server.shutdown(0))
        with pytest.raises(RuntimeError, match=USED_UP):
            await done(server.serve_forever())

    play(package, script)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_server_is_started_and_entered_once(package: str) -> None:
    async def script(module: Any) -> None:
        server = tcp_server(module)
        await done(server.start())
        with pytest.raises(RuntimeError, match="TcpServer on 127.0.0.1:[0-9]+ serves already"):
            await done(server.start())
        assert await entered(server) is server, "what was started may be entered"
        with pytest.raises(RuntimeError, match="is in a `with` block already"):
            await entered(server)
        assert server.is_serving
        await left(server)
        assert not server.is_serving

    play(package, script)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_server_that_cannot_start_is_used_up(package: str, tmp_path: Any) -> None:
    async def script(module: Any) -> None:
        server = module.SerialServer(units(), str(tmp_path / "no port"))
        with pytest.raises(OSError, match="no port"):
            await done(server.start())
        with pytest.raises(RuntimeError, match=USED_UP):
            await done(server.serve_forever())
        await done(server.shutdown())

    play(package, script)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_repr_has_the_address_and_the_stage(package: str) -> None:
    async def script(module: Any) -> None:
        server = tcp_server(module)
        assert re.fullmatch(r"<TcpServer on 127\.0\.0\.1:\d+, not started>", repr(server))
        await done(server.start())
        port = server.address.port
        assert repr(server) == f"<TcpServer on 127.0.0.1:{port}, serving>"
        await done(server.shutdown())
        assert repr(server) == f"<TcpServer on 127.0.0.1:{port}, closed>"
        line = module.SerialServer(units(), "/dev/ttyUSB0")
        assert repr(line) == "<SerialServer on /dev/ttyUSB0, not started>"
        await done(line.shutdown())

    play(package, script)


@pytest.mark.parametrize("grace", [-1, float("nan"), "1", None])
@pytest.mark.parametrize("package", PACKAGES)
def test_a_grace_is_a_time(package: str, grace: Any) -> None:
    async def script(module: Any) -> None:
        server = tcp_server(module)
        with pytest.raises(ValueError, match="grace must be at least 0 seconds, got"):
            await done(server.shutdown(grace))
        await done(server.shutdown())

    play(package, script)

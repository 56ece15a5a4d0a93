"""`serve_unix`: its file, and existing files."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest
import trio

from modwire_trio import serve_unix
from server_peers import READ, READ_ANSWER
from serving_peers import (
    SLOW_ANSWER,
    SLOW_READ,
    dialled,
    served,
    single,
    until,
    waiting_units,
)


def test_a_unix_socket_is_made_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "modbus"

    async def main() -> None:
        seen: list[object] = []
        async with served(
            serve_unix, single(), str(path), on_call=lambda peer, *_: seen.append(peer)
        ) as server:
            assert server.address == str(path)
            assert stat.S_ISSOCK(path.stat().st_mode)
            async with dialled(str(path)) as end:
                await end.ask(READ, READ_ANSWER)
        assert seen == [str(path)]
        assert not path.exists()

    trio.run(main)


def test_the_file_is_gone_before_the_grace_is_over(tmp_path: Path) -> None:
    path = tmp_path / "modbus"

    async def main() -> None:
        units, unit = waiting_units()
        async with served(serve_unix, units, str(path)) as server, dialled(str(path)) as end:
            await end.send(SLOW_READ)
            await unit.entered.wait()
            server.scope.cancel()
            await until(lambda: not path.exists())
            assert not server.ended.is_set()
            unit.opened.set()
            assert await end.receive(99) == SLOW_ANSWER

    trio.run(main)


def test_a_stale_socket_file_is_replaced_and_others_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "modbus"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    async def main() -> None:
        async with served(serve_unix, single(), str(path)):
            async with dialled(str(path)) as end:
                await end.ask(READ, READ_ANSWER)
            with pytest.raises(OSError, match="cannot listen on"):
                await serve_unix(single(), str(path))
            async with dialled(str(path)) as end:
                await end.ask(READ, READ_ANSWER)
        path.write_text("not a socket")
        with pytest.raises(OSError, match="cannot listen on"):
            await serve_unix(single(), str(path))
        assert path.read_text() == "not a socket"
        with pytest.raises(OSError, match="cannot listen on"):
            await serve_unix(single(), "x" * 300)

    trio.run(main)


def test_the_file_of_a_server_that_took_the_path_over_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "modbus"

    async def main() -> None:
        async with served(serve_unix, single(), str(path)) as old:
            path.unlink()
            async with served(serve_unix, single(), str(path)):
                await old.stop()
                async with dialled(str(path)) as end:
                    await end.ask(READ, READ_ANSWER)

    trio.run(main)

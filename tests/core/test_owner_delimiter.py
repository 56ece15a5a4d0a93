"""The owner of `Units` changes the end of ASCII frames while servers run."""

from __future__ import annotations

import pytest

from modwire import (
    AsciiFraming,
    Block,
    SequentialBlock,
    ServerOptions,
    ServerProtocol,
    SparseBlock,
    Unit,
    Units,
)
from modwire.server.connection import Connection
from modwire.server.datagrams import DatagramServer
from modwire.server.line import LineServer
from modwire.server.peers import HostPort

READ = b":010300000001FB\r"  # of one holding register
ANSWER = b":0103020007F3\r"


def device() -> Units:
    return Units({1: Unit(holding_registers=SequentialBlock(0, [7]))})


def exchange(line: LineServer, request: bytes) -> bytes:
    line.receive_data(request, 1.0)
    return line.handle_timeout(2.0)


def new_line(units: Units) -> LineServer:
    return LineServer(AsciiFraming, ServerOptions(), units, peer="line", on_drop=str)


def test_open_lines_and_later_ones_use_it() -> None:
    units = device()
    open_line = new_line(units)
    assert exchange(open_line, READ + b"\n") == ANSWER + b"\n"
    units.ascii_delimiter = ord("#")
    for line in (open_line, new_line(units)):
        assert exchange(line, READ + b"#") == ANSWER + b"#"
        assert exchange(line, READ + b"\n") == b""
    assert units.ascii_delimiter == units[1].ascii_delimiter == ord("#")


def test_connections_and_datagrams_use_it() -> None:
    units = device()
    connection = Connection(ServerProtocol(AsciiFraming), units, 0.0)
    datagrams = DatagramServer(
        AsciiFraming, ServerOptions(), units, max_calls=1, allowed=None, on_drop=print
    )
    units.ascii_delimiter = 0
    connection.receive_data(READ + b"\0", 1.0)
    assert connection.unsent == ANSWER + b"\0"
    datagrams.receive(READ + b"\0", HostPort("127.0.0.1", 9), 1.0, object())  # type: ignore[arg-type]
    assert [each.data for each in datagrams.answers] == [ANSWER + b"\0"]


def test_a_server_may_get_connections_meanwhile() -> None:
    """A server in another thread has new framings while the owner changes those that are there."""
    units = device()
    codes: list[list[int]] = []

    class Meanwhile:
        def __init__(self) -> None:
            self.codes: list[int] = []
            codes.append(self.codes)

        def use_delimiter(self, code: int) -> None:
            self.codes.append(code)
            if len(codes) < 20:
                framings.append(Meanwhile())
                units.follow(framings[-1])

    framings = [Meanwhile(), Meanwhile()]
    for each in tuple(framings):
        units.follow(each)
    del each
    units.ascii_delimiter = 35
    assert len(codes) == 20
    assert all(each[-1] == 35 for each in codes)
    framings.clear()  # those that are gone are not kept
    units.ascii_delimiter = 36
    assert all(each[-1] == 35 for each in codes)


@pytest.mark.parametrize("code", [-1, 128, "\n", True, ord(":")])
def test_wrong_codes_are_refused(code: int) -> None:
    units = device()
    with pytest.raises(ValueError, match=r"^ascii_delimiter must "):
        units.ascii_delimiter = code
    assert units.ascii_delimiter == 10


def test_blocks_say_their_addresses() -> None:
    assert SequentialBlock(3, [0] * 4).ranges() == [range(3, 7)]
    assert SparseBlock({9: 0, 1: 0, 2: 0}).ranges() == [range(1, 3), range(9, 10)]
    assert Unit().coils.ranges() == ()
    assert Block().ranges() is None

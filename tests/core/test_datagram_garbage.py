"""A datagram of garbage costs a server little."""

from __future__ import annotations

import pytest

from modwire import AsciiFraming, BinaryFraming, RtuFraming, SequentialBlock, Unit, Units
from modwire.framing import Framing, TcpFraming
from modwire.server.datagrams import DatagramServer
from modwire.server.options import ServerOptions

READ = bytes.fromhex("0300000001")
LARGEST = 65507  # bytes of a datagram
PEER = ("192.0.2.1", 4711)


class Link:
    """A socket that sends nothing."""

    def sendto(self, data: bytes, address: tuple[str, int], /) -> None:
        """Ignore an answer."""


def server(framing: type[Framing], taken: list[int]) -> DatagramServer:
    """Return a server that adds the sizes of the pieces it looks into to `taken`."""

    class Counting(framing):  # type: ignore[misc, valid-type]
        def receive_data(self, data: bytes, now: float, **more: bool) -> None:
            taken.append(len(data))
            super().receive_data(data, now, **more)

    units = Units.single(Unit(holding_registers=SequentialBlock(0, [0] * 200)))
    return DatagramServer(
        Counting, ServerOptions(), units, max_calls=8, allowed=None, on_drop=lambda *_: None
    )


@pytest.mark.parametrize(
    ("framing", "garbage"),
    [
        (AsciiFraming, b":"),
        (BinaryFraming, b"{}"),
        (RtuFraming, bytes.fromhex("072b2b0cf50e")),
        (RtuFraming, bytes.fromhex("072b2b0cf50e010b41e7")),  # with a frame of another unit
    ],
)
def test_most_of_a_large_datagram_of_garbage_is_not_looked_into(
    framing: type[Framing], garbage: bytes
) -> None:
    taken: list[int] = []
    udp = server(framing, taken)
    udp.receive((garbage * LARGEST)[:LARGEST], PEER, 0.0, Link())
    assert sum(taken) < 8192
    udp.answers.clear()
    udp.receive(
        framing(ServerOptions().decoder, is_server=True).wrap(1, 0, READ), PEER, 0.0, Link()
    )
    assert len(udp.answers) == 1  # the next datagram is none the worse


@pytest.mark.parametrize("framing", [TcpFraming, RtuFraming, AsciiFraming, BinaryFraming])
@pytest.mark.parametrize("pdu", [READ, b"\x10\x00\x00\x00\x7b\xf6" + b"{}" * 123])
def test_128_requests_of_a_datagram_are_answered(framing: type[Framing], pdu: bytes) -> None:
    udp = server(framing, [])
    adu = framing(ServerOptions().decoder, is_server=True).wrap(1, 0, pdu)
    count = min(128, LARGEST // len(adu))
    udp.receive(adu * count, PEER, 0.0, Link())
    assert len(udp.answers) == count

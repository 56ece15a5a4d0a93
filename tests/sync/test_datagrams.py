"""A flood at one socket of a UDP server leaves the others their turn."""

from __future__ import annotations

import socket

from modwire import Unit, Units
from modwire_sync import UdpServer


def test_a_turn_takes_few_bytes_of_a_flood() -> None:
    server = UdpServer(Units.single(Unit()), ("127.0.0.1", 0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        for _ in range(20):
            peer.sendto(bytes(1472), server.address)
        links = server._links
        (link,) = links.sockets
        assert len(list(links.waiting(link))) == 3  # these are enough for one turn
        assert len(list(links.waiting(link))) == 3
    server.shutdown()

"""Floods of connections and garbage cost a server little; the right connection is evicted."""

from __future__ import annotations

import pytest

from modwire import RtuFraming, SequentialBlock, ServerOptions, TcpFraming, Unit, Units
from modwire.framing import Framing
from modwire.messages import Decoder
from modwire.server.connection import Connection, Connections, Next
from modwire.server.protocol import ServerProtocol
from test_garbage import GARBAGE

UNITS = Units.single(Unit(holding_registers=SequentialBlock(0, [7] * 10)))
ADU = 264  # bytes that a client may send at once without delaying others


def connection(framing: type[Framing]) -> Connection:
    return Connection(ServerProtocol(framing, ServerOptions()), UNITS, 0.0)


def request(framing: type[Framing]) -> bytes:
    return framing(Decoder(), is_server=False).wrap(1, 1, bytes.fromhex("0300000001"))


@pytest.mark.parametrize("pattern", GARBAGE)
def test_no_turn_of_garbage_is_long_and_soon_all_others_come_first(pattern: str) -> None:
    """Garbage costs the server more than requests do, so that it may not come in large turns."""
    peer = connection(RtuFraming)
    garbage = bytes.fromhex(pattern) * 8192
    at = 0
    for now in range(1, 100):
        if peer.next() is not Next.READ:
            break
        assert peer.turn <= ADU
        assert peer.is_greedy or at < ADU
        peer.receive_data(garbage[at : at + peer.turn], now)
        at += peer.turn
        peer.unsent = b""
    assert peer.next() is Next.CLOSE


def test_after_garbage_a_client_comes_first_again() -> None:
    """Noise on a line behind a converter is not its client's fault."""
    peer = connection(RtuFraming)
    for now in range(1, 4):
        peer.receive_data(b"\x55" * ADU, now)
    assert peer.is_greedy
    peer.receive_data(request(RtuFraming), 4.0)
    assert peer.unsent
    assert not peer.is_greedy


def test_an_incomplete_frame_is_no_garbage() -> None:
    peer = connection(TcpFraming)
    for now, byte in enumerate(request(TcpFraming), 1):
        peer.receive_data(bytes((byte,)), now)
        assert not peer.is_greedy
    assert peer.unsent


def test_the_first_turn_is_short_and_those_of_busy_clients_grow() -> None:
    """A thousand new connections with full buffers delay others only by a short turn each."""
    peer = connection(TcpFraming)
    assert peer.turn <= ADU
    peer.receive_data(request(TcpFraming) * (peer.turn // 12), 1.0)
    assert peer.turn > 4 * ADU


class Peer:
    """A connection that counts how often the server looks at it."""

    def __init__(self, connections: Connections[Peer], heard: float, is_busy: bool = False) -> None:
        self.last = heard
        self.is_busy = is_busy
        self.looks = 0
        self._connections = connections
        connections.add(self)

    @property
    def heard(self) -> float:
        self.looks += 1
        return self.last

    def stop(self) -> None:
        self.close("")

    def close(self, reason: str) -> None:
        self._connections.forget(self)


def test_the_connection_that_was_idle_longest_makes_room() -> None:
    connections: Connections[Peer] = Connections(3)
    old, older = Peer(connections, 5.0), Peer(connections, 3.0)
    busy = Peer(connections, 1.0, is_busy=True)
    assert connections.has_room()
    assert list(connections) == [old, busy]
    new = Peer(connections, 6.0)
    old.last = 7.0  # it asks after it was found to be the next one
    assert connections.has_room()
    assert list(connections) == [old, busy]
    assert not {older, new} & set(connections)


def test_connections_that_ask_nothing_evict_each_other_and_no_client() -> None:
    """A client that asks once a minute would lose its connection to any flood."""
    connections: Connections[Peer] = Connections(10)
    clients = [Peer(connections, 0.0) for _ in range(4)]
    for each in clients:
        each.last = 1.0
    for at in range(100):
        assert connections.has_room()
        Peer(connections, 2.0 + at)
    assert set(clients) <= set(connections)
    assert len(connections) == 10


def test_new_clients_do_not_evict_each_other_while_others_are_idle_longer() -> None:
    connections: Connections[Peer] = Connections(10)
    left = [Peer(connections, 0.0) for _ in range(10)]
    for each in left:
        each.last = 1.0
    new = []
    for at in range(5):
        assert connections.has_room()
        new.append(Peer(connections, 2.0 + at))
    assert list(connections) == left[5:] + new


def test_if_all_connections_are_busy_none_makes_room() -> None:
    connections: Connections[Peer] = Connections(1)
    assert not connections.make_room()
    only = Peer(connections, 1.0, is_busy=True)
    assert not connections.has_room()
    only.is_busy = False
    assert not connections.make_room(unused_since=0.5)
    assert connections.make_room(unused_since=1.0)


def test_a_flood_of_connections_does_not_look_at_all_the_others_each_time() -> None:
    """Otherwise each new connection would cost the time of three."""
    connections: Connections[Peer] = Connections(1000)
    peers = [Peer(connections, float(at)) for at in range(1000)]
    for at in range(500):
        assert connections.has_room()
        peers.append(Peer(connections, 1000.0 + at))
    assert list(connections) == peers[500:]
    assert sum(each.looks for each in peers) < 500 * 1000 / 10

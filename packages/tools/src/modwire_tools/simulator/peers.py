"""`Peers`: the clients of the last minute on UDP and serial lines, which have no connections."""

from __future__ import annotations

from collections.abc import Callable

from .view import ConnectionInfo

_FORGOTTEN_AFTER = 60.0  # seconds
_MOST = 1000

Key = tuple[int, str, str]


class _Peer:
    __slots__ = ("heard", "requests", "since")

    def __init__(self, now: float) -> None:
        self.since = now
        self.heard = now
        self.requests = 0


class Peers:
    """Peers by device, endpoint and address, in the order of their latest requests."""

    def __init__(self, wall_clock: Callable[[], float]) -> None:
        self._wall_clock = wall_clock
        self._peers: dict[Key, _Peer] = {}

    def heard(self, device: int, endpoint: str, peer: str) -> None:
        """Record a request."""
        key = (device, endpoint, peer)
        now = self._wall_clock()
        found = self._peers.pop(key, None)
        if found is None or now - found.heard > _FORGOTTEN_AFTER:
            found = _Peer(now)
            while len(self._peers) >= _MOST:
                del self._peers[next(iter(self._peers))]
        found.heard = now
        found.requests += 1
        self._peers[key] = found

    def latest(self) -> list[ConnectionInfo]:
        """Return the peers of the last minute."""
        now = self._wall_clock()
        for key, peer in list(self._peers.items()):
            if now - peer.heard <= _FORGOTTEN_AFTER:
                break
            del self._peers[key]
        return [
            ConnectionInfo(*key, peer.since, peer.heard, peer.requests)
            for key, peer in self._peers.items()
        ]

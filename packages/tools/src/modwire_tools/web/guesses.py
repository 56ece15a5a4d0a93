"""`Guesses`: slows down clients that try tokens. No I/O and no clock: callers pass the time."""

from __future__ import annotations

import ipaddress
import math

from .access import RefusedError

_FREE = 10  # attempts without a pause: a user mistypes, a script has yesterday's token
_FIRST_PAUSE = 1.0  # seconds, doubled with each attempt
_LONGEST_PAUSE = 60.0
_FORGOTTEN_AFTER = 600.0  # seconds without an attempt
_MOST_PEERS = 1000
_IPV6_NETWORK = 64  # bits: one client has all addresses of such a network


class TooManyGuessesError(RefusedError):
    """Raised for an attempt that comes too soon; `wait` is in whole seconds."""

    def __init__(self, wait: float) -> None:
        self.wait = math.ceil(wait)
        super().__init__(429, f"too many wrong tokens, try again in {self.wait} s")


class _Peer:
    def __init__(self) -> None:
        self.attempts = 0
        self.pause_until = 0.0
        self.last = 0.0


class Guesses:
    """The attempts of each peer: ten are free, then each doubles the pause before the next one.

    An attempt counts when it begins, so that a thousand at the same time are no way around it; the
    right token forgets those before. During a pause the right token is refused as well: otherwise
    the refusal alone would tell a guesser that the token was wrong.
    """

    def __init__(self) -> None:
        self._peers: dict[str, _Peer] = {}

    def begin(self, host: str, now: float) -> None:
        """Count an attempt of the client at `host`; raises TooManyGuessesError in a pause."""
        key = _network(host)
        peer = self._peers.pop(key, None)
        if peer is None or now - peer.last > _FORGOTTEN_AFTER:
            peer = _Peer()
        self._peers[key] = peer  # moves it to the end: the first ones are forgotten
        while len(self._peers) > _MOST_PEERS:
            del self._peers[next(iter(self._peers))]
        if now < peer.pause_until:
            raise TooManyGuessesError(peer.pause_until - now)
        peer.attempts += 1
        peer.last = now
        if peer.attempts >= _FREE:
            doublings = min(peer.attempts - _FREE, 16)
            peer.pause_until = now + min(_FIRST_PAUSE * 2**doublings, _LONGEST_PAUSE)

    def succeeded(self, host: str) -> None:
        """Forget the attempts of a client that had the right token."""
        self._peers.pop(_network(host), None)


def _network(host: str) -> str:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address), _IPV6_NETWORK), strict=False))
    return str(address)

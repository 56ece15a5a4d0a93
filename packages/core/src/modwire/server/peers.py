"""Who a peer of a server is, and whether it may come in; the sockets are the adapters'."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network
    from typing import TypeAlias

Network: TypeAlias = "str | IPv4Network | IPv6Network"

_MAPPED = "::ffff:"  # how a dual-stack socket writes IPv4 addresses


class HostPort(NamedTuple):
    """An IP address and a port: a tuple that prints as "192.0.2.1:502" or "[2001:db8::1]:502"."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def check_port(port: int) -> int:
    """`port`, if it is one to listen at: 1..65535, or 0 for one that the system chooses."""
    if not isinstance(port, int) or not 0 <= port <= 0xFFFF:
        raise ValueError(f"port must be 0..65535, got {port!r}")
    return port


def peer_of(address: tuple[str, int]) -> HostPort:
    """What hooks see of a peer that an IP socket gives.

    An IPv4 address that came through a dual-stack socket is written as IPv4.
    """
    host, port = address[:2]
    if host.startswith(_MAPPED) and "." in host:
        host = host[len(_MAPPED) :]
    return HostPort(host, port)


class Allowed:
    """The networks that peers may come from: "192.168.0.0/16", "::1", or `ipaddress` objects.

    Raises ValueError for what is no network, which a network with host bits set is not either.
    """

    def __init__(self, networks: Iterable[Network]) -> None:
        if isinstance(networks, str) or not isinstance(networks, Iterable):
            raise ValueError(f"allow must be a list of networks, got {networks!r}")
        from ipaddress import ip_address, ip_network

        allowed = [ip_network(each) for each in networks]

        # Peers are few and come again; the bound keeps forged datagrams from filling memory.
        @lru_cache(maxsize=1024)
        def allows(host: str) -> bool:
            address = ip_address(host)
            return any(address in network for network in allowed)

        self._allows = allows

    def allows(self, peer: HostPort) -> bool:
        """Whether `peer` may come in."""
        return self._allows(peer.host)


class Connected(Protocol):
    """What `idlest` has to know of a connection."""

    @property
    def heard(self) -> float:
        """When bytes last came from the peer (seconds, monotonic)."""
        raise NotImplementedError

    @property
    def is_busy(self) -> bool:
        """Whether a call of the peer is being executed."""
        raise NotImplementedError


ConnectedT = TypeVar("ConnectedT", bound=Connected)


def idlest(connections: Iterable[ConnectedT]) -> ConnectedT | None:
    """The connection to close where room is needed: the one that was idle longest.

    None where all are busy (MODBUS Messaging on TCP/IP V1.0b, section 4.2.1.2).
    """
    idle = [each for each in connections if not each.is_busy]
    return min(idle, key=lambda each: each.heard) if idle else None

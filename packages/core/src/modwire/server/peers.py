"""The peers of a server: their addresses, the networks that are allowed, the idle ones."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from heapq import nsmallest
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from ..options import check_range

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network
    from typing import TypeAlias

Network: TypeAlias = "str | IPv4Network | IPv6Network"
Address: TypeAlias = "tuple[str, int] | str"
"""A host and a port, or the path of a Unix socket."""

_MAPPED = "::ffff:"  # how a dual-stack socket writes IPv4 addresses


class HostPort(NamedTuple):
    """An IP address and a port: a tuple that prints as "192.0.2.1:502" or "[2001:db8::1]:502"."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def check_port(port: int) -> int:
    """Return a port to listen at: 1..65535, or 0 for one that the system chooses."""
    return check_range("port", port, 0, 0xFFFF)


def peer_of(address: tuple[str, int]) -> HostPort:
    """Return the peer at the `address` of an IP socket, as hooks see it.

    An IPv4 address that came through a dual-stack socket is written as IPv4.
    """
    host, port = address[:2]
    if host.startswith(_MAPPED) and "." in host:
        host = host[len(_MAPPED) :]
    return HostPort(host, port)


class Allowed:
    """The networks that peers may come from: "192.168.0.0/16", "::1", or `ipaddress` objects.

    Raises ValueError if one is no network, or its host bits are set.
    """

    def __init__(self, networks: Iterable[Network]) -> None:
        if isinstance(networks, (str, bytes)) or not isinstance(networks, Iterable):
            raise ValueError(f"allow must be a list of networks, got {networks!r}")
        from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

        allowed: list[IPv4Network | IPv6Network] = []
        for each in networks:
            # ipaddress takes numbers and bytes for addresses too.
            if not isinstance(each, (str, IPv4Network, IPv6Network)):
                raise ValueError(
                    f'allow must have networks such as "192.168.0.0/16" or "::1", got {each!r}'
                )
            try:
                allowed.append(ip_network(each))
            except ValueError as error:
                raise ValueError(
                    f'allow must have networks such as "192.168.0.0/16" or "::1": {error}'
                ) from None

        # Peers are few and come again; the bound keeps forged datagrams from filling memory.
        @lru_cache(maxsize=1024)
        def allows(host: str) -> bool:
            address = ip_address(host)
            return any(address in network for network in allowed)

        self._allows = allows

    def allows(self, peer: HostPort) -> bool:
        """True if `peer` may connect."""
        return self._allows(peer.host)


class Listening(NamedTuple):
    """The address of a server, and how to listen there; `allowed` is None for all peers."""

    address: Address
    reuse_port: bool
    backlog: int = 0
    allowed: Allowed | None = None


class Connected(Protocol):
    """A connection, as `idlest` uses it."""

    @property
    def heard(self) -> float:
        """Time at which bytes last came from the peer (seconds, monotonic)."""
        raise NotImplementedError

    @property
    def is_busy(self) -> bool:
        """True while a call of the peer is being executed."""
        raise NotImplementedError


ConnectedT = TypeVar("ConnectedT", bound=Connected)


def idlest(connections: Iterable[ConnectedT], most: int) -> list[ConnectedT]:
    """Return the `most` connections to evict first: those that were idle longest, none is busy.

    See MODBUS Messaging on TCP/IP V1.0b, section 4.2.1.2.
    """
    idle = [each for each in connections if not each.is_busy]
    return nsmallest(most, idle, key=lambda each: each.heard)

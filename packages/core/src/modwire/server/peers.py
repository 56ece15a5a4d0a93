"""The peers of a server: their addresses, the networks that are allowed, the idle ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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


class AllowedNetworks:
    """The networks that peers may come from: "192.168.0.0/16", "::1", or `ipaddress` objects.

    None stands for all. Servers make one of their argument `allow`, or take one as this argument;
    it may be changed while they run, in any thread, by `add`, `remove` and `networks`. A peer that
    is no longer allowed is not answered, and its connection is closed when it sends something.
    Raises ValueError if one is no network, or its host bits are set.
    """

    def __init__(self, networks: Iterable[Network] | None = None) -> None:
        self.networks = networks

    @classmethod
    def of(cls, allow: AllowedNetworks | Iterable[Network] | None) -> AllowedNetworks:
        """Return those of a server's argument `allow`, which may be one of these already."""
        return allow if isinstance(allow, AllowedNetworks) else cls(allow)

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...] | None:
        """The networks, or None for all; they may be set, as in the constructor."""
        return None if self._networks is None else tuple(self._networks)

    @networks.setter
    def networks(self, networks: Iterable[Network] | None) -> None:
        if networks is None:
            self._networks = None
        elif isinstance(networks, (str, bytes)) or not isinstance(networks, Iterable):
            raise ValueError(f"allow must be a list of networks, got {networks!r}")
        else:
            self._networks = dict.fromkeys(map(_network, networks))
        self._renew()

    def add(self, network: Network) -> None:
        """Allow one network more. Raises ValueError too if all are allowed."""
        self._listed()[_network(network)] = None
        self._renew()

    def remove(self, network: Network) -> None:
        """Allow one network less. Raises ValueError if it was not in the list, or there is none."""
        found = _network(network)
        listed = self._listed()
        if found not in listed:
            known = ", ".join(map(str, listed)) or "none"
            raise ValueError(f"network must be one of those allowed, {known}; got {found}")
        del listed[found]
        self._renew()

    def _listed(self) -> dict[IPv4Network | IPv6Network, None]:
        if self._networks is None:
            raise ValueError("all networks are allowed; set `networks` to allow some of them")
        return self._networks

    def _renew(self) -> None:
        """Decide anew about all peers; `rights` is another object after each change."""
        self.rights = _Rights(self.networks)

    def allows(self, peer: HostPort) -> bool:
        """True if `peer` may connect."""
        return self.rights.allows(peer.host)

    def __repr__(self) -> str:
        listed = "all" if self._networks is None else ", ".join(map(str, self._networks))
        return f"<AllowedNetworks {listed or 'none'}>"


class _Rights:
    """Decisions about hosts, which stay the same: after a change of the networks others apply."""

    def __init__(self, networks: Iterable[IPv4Network | IPv6Network] | None) -> None:
        allowed = None if networks is None else tuple(networks)

        # Peers are few and come again; the bound keeps forged datagrams from filling memory.
        @lru_cache(maxsize=1024)
        def allows(host: str) -> bool:
            from ipaddress import ip_address

            address = ip_address(host)
            return any(address in network for network in allowed or ())

        self.allows: Callable[[str], bool] = _all if allowed is None else allows


def _all(host: str) -> bool:
    return True


def _network(network: Network) -> IPv4Network | IPv6Network:
    from ipaddress import IPv4Network, IPv6Network, ip_network

    # ipaddress takes numbers and bytes for addresses too.
    if not isinstance(network, (str, IPv4Network, IPv6Network)):
        raise ValueError(
            f'allow must have networks such as "192.168.0.0/16" or "::1", got {network!r}'
        )
    try:
        return ip_network(network)
    except ValueError as error:
        raise ValueError(
            f'allow must have networks such as "192.168.0.0/16" or "::1": {error}'
        ) from None


class Listening(NamedTuple):
    """The address of a server, and how to listen there; `allowed` has the networks of peers."""

    address: Address
    reuse_port: bool
    backlog: int = 0
    allowed: AllowedNetworks | None = None


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

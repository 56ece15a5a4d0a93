"""The addresses of peers, networks that may connect, and the connection to evict."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from modwire.server.peers import Allowed, HostPort, check_port, peer_of


@pytest.mark.parametrize(
    ("address", "printed"),
    [
        (("192.0.2.1", 502), "192.0.2.1:502"),
        (("2001:db8::1", 502, 0, 0), "[2001:db8::1]:502"),
        (("::ffff:192.0.2.1", 502, 0, 0), "192.0.2.1:502"),
        (("::ffff:0:1", 502, 0, 0), "[::ffff:0:1]:502"),
    ],
)
def test_peers_print_as_people_write_them(address: tuple[str, int], printed: str) -> None:
    peer = peer_of(address)
    assert str(peer) == printed
    assert peer == (peer.host, 502)


def test_networks_let_in_their_own_addresses_only() -> None:
    allowed = Allowed(["192.168.0.0/16", "::1", ip_network("2001:db8::/32")])
    for host in ("192.168.255.1", "::1", "2001:db8::5"):
        assert allowed.allows(HostPort(host, 1)), host
    for host in ("192.169.0.1", "::2", "10.0.0.1", "fe80::1%eth0"):
        assert not allowed.allows(HostPort(host, 1)), host


def test_an_empty_list_of_networks_lets_no_peer_in() -> None:
    assert not Allowed([]).allows(HostPort("127.0.0.1", 1))


@pytest.mark.parametrize("network", ["localhost", "192.168.0.1/16", "192.168.0.0/33", ""])
def test_what_is_no_network_is_refused(network: str) -> None:
    with pytest.raises(ValueError, match="network|host bits|Address"):
        Allowed([network])


def test_one_network_alone_is_no_list_of_networks() -> None:
    with pytest.raises(ValueError, match="allow must be a list of networks, got '::1'"):
        Allowed("::1")


@pytest.mark.parametrize("port", [-1, 65536, "502", 502.0, None])
def test_what_is_no_port_is_refused_with_what_is_allowed(port: object) -> None:
    with pytest.raises(ValueError, match=r"port must be 0\.\.65535, got"):
        check_port(port)  # type: ignore[arg-type]


def test_ports_are_given_back() -> None:
    assert [check_port(port) for port in (0, 502, 65535)] == [0, 502, 65535]


@pytest.mark.parametrize("networks", [b"q", [113], [b"abcd"], [("10.0.0.0", 8)], [None], 5])
def test_a_network_is_text_or_a_network_of_ipaddress(networks: Any) -> None:
    """`ipaddress` takes 113 for 0.0.0.113, and four bytes for an address."""
    with pytest.raises(ValueError, match="^allow must "):
        Allowed(networks)


def test_a_port_is_no_bool() -> None:
    with pytest.raises(ValueError, match="port must be 0..65535, got True"):
        check_port(True)

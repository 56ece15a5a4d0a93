"""The addresses of peers, networks that may connect, and the connection to evict."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from modwire.server.peers import AllowedNetworks, HostPort, check_port, peer_of


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
    allowed = AllowedNetworks(["192.168.0.0/16", "::1", ip_network("2001:db8::/32")])
    for host in ("192.168.255.1", "::1", "2001:db8::5"):
        assert allowed.allows(HostPort(host, 1)), host
    for host in ("192.169.0.1", "::2", "10.0.0.1", "fe80::1%eth0"):
        assert not allowed.allows(HostPort(host, 1)), host


def test_an_empty_list_of_networks_lets_no_peer_in() -> None:
    assert not AllowedNetworks([]).allows(HostPort("127.0.0.1", 1))


@pytest.mark.parametrize("network", ["localhost", "192.168.0.1/16", "192.168.0.0/33", ""])
def test_what_is_no_network_is_refused(network: str) -> None:
    with pytest.raises(ValueError, match="network|host bits|Address"):
        AllowedNetworks([network])


def test_one_network_alone_is_no_list_of_networks() -> None:
    with pytest.raises(ValueError, match="allow must be a list of networks, got '::1'"):
        AllowedNetworks("::1")


HERE, THERE = HostPort("127.0.0.1", 1), HostPort("10.0.0.5", 1)


def test_the_networks_may_be_changed() -> None:
    allowed = AllowedNetworks(["127.0.0.0/8"])
    assert (allowed.allows(HERE), allowed.allows(THERE)) == (True, False)
    allowed.add("10.0.0.0/24")
    assert (allowed.allows(HERE), allowed.allows(THERE)) == (True, True)
    assert allowed.networks == (ip_network("127.0.0.0/8"), ip_network("10.0.0.0/24"))
    assert repr(allowed) == "<AllowedNetworks 127.0.0.0/8, 10.0.0.0/24>"
    allowed.remove(ip_network("127.0.0.0/8"))
    assert (allowed.allows(HERE), allowed.allows(THERE)) == (False, True)
    allowed.networks = []
    assert (allowed.allows(HERE), allowed.allows(THERE)) == (False, False)
    assert repr(allowed) == "<AllowedNetworks none>"
    allowed.networks = None
    assert (allowed.allows(HERE), allowed.allows(THERE)) == (True, True)
    assert allowed.networks is None
    assert repr(allowed) == "<AllowedNetworks all>"


def test_a_wrong_change_changes_nothing() -> None:
    allowed = AllowedNetworks(["127.0.0.0/8"])
    rights = allowed.rights
    with pytest.raises(ValueError, match=r": 10\.0\.0\.5/8 has host bits set$"):
        allowed.add("10.0.0.5/8")
    with pytest.raises(ValueError, match=r"those allowed, 127\.0\.0\.0/8; got 10\.0\.0\.0/8$"):
        allowed.remove("10.0.0.0/8")
    with pytest.raises(ValueError, match="allow must be a list of networks, got '10'"):
        allowed.networks = "10"
    with pytest.raises(ValueError, match="allow must have networks"):
        allowed.networks = ["10.0.0.0/8", 5]  # type: ignore[list-item]
    assert allowed.rights is rights
    everyone = AllowedNetworks()
    for change in (everyone.add, everyone.remove):
        with pytest.raises(ValueError, match="all networks are allowed; set `networks`"):
            change("10.0.0.0/8")


def test_a_server_takes_them_as_they_are_or_makes_them() -> None:
    allowed = AllowedNetworks(["127.0.0.0/8"])
    assert AllowedNetworks.of(allowed) is allowed
    assert AllowedNetworks.of(["::1"]).networks == (ip_network("::1"),)
    assert AllowedNetworks.of(None).networks is None


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
        AllowedNetworks(networks)


def test_a_port_is_no_bool() -> None:
    with pytest.raises(ValueError, match="port must be 0..65535, got True"):
        check_port(True)

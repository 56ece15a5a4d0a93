"""Names of a client's peer in errors and logs, and peers that are not possible."""

from __future__ import annotations

import pytest

from modwire import AsciiFraming, Endpoint, Framing, RtuFraming, TcpFraming
from modwire.endpoint import network_name, path_name


@pytest.mark.parametrize(
    ("transport", "framing", "host", "name"),
    [
        ("tcp", TcpFraming, "meter", "tcp://meter:502"),
        ("udp", TcpFraming, "192.0.2.1", "udp://192.0.2.1:502"),
        ("tcp", RtuFraming, "192.0.2.1", "rtu+tcp://192.0.2.1:502"),
        ("tcp", TcpFraming, "::1", "tcp://[::1]:502"),
        ("udp", AsciiFraming, "fe80::1%eth0", "ascii+udp://[fe80::1%eth0]:502"),
    ],
)
def test_a_peer_on_a_network_is_named_as_its_endpoint(
    transport: str, framing: type[Framing], host: str, name: str
) -> None:
    assert network_name(transport, framing, host, 502) == name
    assert Endpoint.parse(name).host == host


def test_a_peer_at_a_path_is_named_as_its_endpoint() -> None:
    assert path_name("unix", TcpFraming, "/run/a.sock") == "unix:///run/a.sock"
    assert path_name("unix", RtuFraming, "/run/a.sock") == "rtu+unix:///run/a.sock"
    assert path_name("serial", AsciiFraming, "/dev/ttyS0") == "ascii:///dev/ttyS0"


def test_a_framing_of_the_users_own_keeps_its_name() -> None:
    class Special(TcpFraming):
        pass

    assert network_name("tcp", Special, "meter", 502) == "tcp://meter:502"
    Special.name = "special"
    assert network_name("tcp", Special, "meter", 502) == "special+tcp://meter:502"


@pytest.mark.parametrize("port", [0, -1, 65536, 10**9, "502", 502.0, None, True])
def test_an_impossible_port_is_refused(port: int) -> None:
    with pytest.raises(ValueError, match=rf"port must be 1\.\.65535, got {port!r}"):
        network_name("tcp", TcpFraming, "meter", port)


@pytest.mark.parametrize("host", [None, 7, b"meter", ("meter", 502)])
def test_a_host_or_path_that_is_no_text_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="host must be a name or an address, got "):
        network_name("tcp", TcpFraming, host, 502)
    with pytest.raises(ValueError, match="path must be text, got "):
        path_name("unix", TcpFraming, host)


def test_what_is_no_framing_class_is_refused() -> None:
    with pytest.raises(TypeError, match="framing must be a class such as RtuFraming, got 'rtu'"):
        network_name("tcp", "rtu", "meter", 502)  # type: ignore[arg-type]

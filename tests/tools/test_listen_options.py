"""Endpoints to listen at: options of servers are applied, and all others are refused."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
import trio

from modwire import Endpoint, ServerOptions
from modwire.endpoint_options import MORE_OPTIONS
from modwire_command import modwire, started
from modwire_tools.cli.endpoints import LISTEN, SimulatedEndpoint
from modwire_tools.server.listen_options import LISTEN_OPTIONS, check_listens, server_options
from modwire_tools.server.listening import parse_listen
from modwire_tools.simulator.meter import energy_meter
from modwire_tools.simulator.placing import place
from peers import PATIENCE, PtyPeer, rtu
from running_simulation import running

# Starting a process takes seconds on a busy machine.
pytestmark = pytest.mark.timeout(300)

has_ptys = pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals")

WRITE = rtu(1, bytes.fromhex("05 0000 ff00"))  # its answer is the same
READ = rtu(1, bytes.fromhex("01 0000 0001"))
VALUES = {
    "reconnect_after": "never", "retry_writes": "true", "suppress_echo": "true", "rs485": "true",
    "keepalive": "false", "exclusive": "false", "quirks": "any_unit",
}  # fmt: skip


def on_network(endpoint: str) -> socket.socket:
    """Return a socket that is connected to a server."""
    found = Endpoint.parse(endpoint)
    kind = socket.SOCK_DGRAM if found.transport == "udp" else socket.SOCK_STREAM
    sock = socket.socket(socket.AF_UNIX if found.path else socket.AF_INET, kind)
    sock.settimeout(PATIENCE)
    sock.connect(found.path or (found.host, found.port))
    return sock


def echo(send: Callable[[bytes], object], receive: Callable[[], bytes]) -> None:
    """Write, send the answer back as an echoing adapter does, and read."""
    send(WRITE)
    answer = b""
    while len(answer) < len(WRITE):
        answer += receive()
    assert answer == WRITE
    send(WRITE)
    send(READ)
    answer = b""
    while len(answer) < 6:
        answer += receive()
    assert answer == rtu(1, bytes.fromhex("01 01 01"))


@has_ptys
def test_a_server_hears_its_echo_on_every_link(tmp_path: Path) -> None:
    """Without the option it would execute the answers to writes as requests."""
    peer = PtyPeer()
    listens = [
        "rtu+tcp://127.0.0.1:0?suppress_echo=true",
        "rtu+udp://127.0.0.1:0?suppress_echo=true",
        f"rtu+unix://{tmp_path}/s?suppress_echo=true",
        f"rtu://{peer.path}?suppress_echo=true&exclusive=false",
    ]
    with started("serve", *listens, "-v") as server:
        names = server.read_until("serves (.*): unit 1, values")[1].split(", ")
        assert [each.partition("?")[2] for each in names] == [
            each.partition("?")[2] for each in listens
        ]
        for name in names[:3]:
            with on_network(name) as sock:
                echo(sock.send, lambda sock=sock: sock.recv(256))
        echo(peer.send, peer.receive)
        assert server.interrupt() == 130
        assert server.text.count("write coil 0: on") == len(listens)
    peer.close()


@has_ptys
def test_a_simulated_device_hears_its_echo_on_every_link(tmp_path: Path) -> None:
    peer = PtyPeer()
    listens = [
        "rtu+tcp://127.0.0.1:0?suppress_echo=true",
        "rtu+udp://127.0.0.1:0?suppress_echo=true",
        f"rtu+unix://{tmp_path}/s?suppress_echo=true",
        f"rtu://{peer.path}?suppress_echo=true&exclusive=false",
    ]

    async def main() -> None:
        async with running([energy_meter()], listens) as view:
            names = view.devices()[0].endpoints
            with ExitStack() as stack:
                for name in names[:3]:
                    sock = stack.enter_context(on_network(name))
                    receive = lambda sock=sock: sock.recv(256)  # noqa: E731
                    await trio.to_thread.run_sync(echo, sock.send, receive)
            await trio.to_thread.run_sync(echo, peer.send, peer.receive)
            assert view.devices()[0].requests == 2 * len(listens)
            for name, asked in zip(names, listens, strict=True):
                assert Endpoint.parse(name).options == Endpoint.parse(asked).options

    trio.run(main)
    peer.close()


def test_the_port_that_the_system_has_chosen_keeps_the_options(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'plant.db'}"
    listen = "rtu+tcp://:0?tolerance=0.75&suppress_echo=true"
    with started("serve", listen, "--store", store, "--processes", "2") as server:
        port, options = server.read_until(r"serves rtu\+tcp://:(\d+)\?(\S+):").groups()
        assert options == "tolerance=0.75&suppress_echo=true"
        with on_network(f"rtu+tcp://127.0.0.1:{port}") as sock:
            echo(sock.send, lambda: sock.recv(256))
        assert server.interrupt() == 130


def test_times_are_those_of_the_server() -> None:
    endpoint = parse_listen("rtu+tcp://:0?silence=0.01&tolerance=0.75&suppress_echo=true").endpoint
    options = server_options(endpoint, ServerOptions(idle_timeout=3.0))
    assert (options.silence, options.tolerance, options.suppress_echo) == (0.01, 0.75, True)
    assert options.idle_timeout == 3.0
    plain = server_options(Endpoint.parse("rtu+tcp://h"), ServerOptions())
    assert vars(plain).keys() == vars(options).keys()
    assert (plain.silence, plain.suppress_echo) == (ServerOptions().silence, False)


def test_devices_at_consecutive_places_have_the_options() -> None:
    for consecutive, last in (("ports", "127.0.0.1:5022"), ("addresses", "127.0.0.3:5020")):
        placed = place(
            [energy_meter()],
            ["rtu+tcp://127.0.0.1:5020?tolerance=0.75"],
            count=3,
            consecutive=consecutive,
        )
        assert str(placed[2].endpoints[0]) == f"rtu+tcp://{last}?tolerance=0.75"


@pytest.mark.parametrize("name", ["unit", "timeout", "retries", *MORE_OPTIONS])
def test_every_option_is_applied_or_refused(name: str) -> None:
    for place_text in ("rtu:///dev/x", "rtu+tcp://h", "rtu+unix:///x"):
        text = f"{place_text}?{name}={VALUES.get(name, 1)}"
        try:
            endpoint = Endpoint.parse(text)
        except ValueError:
            continue  # this kind of link does not have it
        if name in LISTEN_OPTIONS:
            check_listens(endpoint, text)
            place([energy_meter()], [endpoint])
        else:
            with pytest.raises(ValueError, match=f"has {name}, which only clients have"):
                check_listens(endpoint, text)
            with pytest.raises(ValueError, match=f"has {name}, which only clients have"):
                place([energy_meter()], [endpoint])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("serve", "tcp://:5020?quirks=any_unit"), "has quirks, which only clients have"),
        (("serve", "rtu:///dev/x?pause=1"), "has pause, which only clients have"),
        (("serve", "tcp://:5020?tolerance=1"), "tcp has no tolerance, which is for RTU frames"),
        (("gateway", "tcp://:1?keepalive=true", "rtu:///dev/x"), "has keepalive, which only"),
        (("gateway", "tcp://:1", "rtu:///dev/x?unit=5"), "LINE: rtu:///dev/x?unit=5 has unit, but"),
        (("gateway", "tcp://:1", "rtu:///dev/x", "-m", "1=0"), "must be 1..255 on a serial line"),
        (("simulate", "--udp", ":5020?max_in_flight=2"), "has max_in_flight, which only clients"),
        (("simulate", "--serial", "x?busy_retries=1"), "has busy_retries, which only clients have"),
        (
            ("sniff", "rtu:///dev/x?pause=1"),
            "has pause, which only clients have; a sniffer has the",
        ),
        (("sniff", "rtu:///dev/x?unit=1"), "has unit, which only clients have; a sniffer has the"),
        (("sniff", "rtu:///dev/x?suppress_echo=true"), "has suppress_echo, which only clients"),
    ],
)
def test_an_option_of_clients_is_refused(words: tuple[str, ...], said: str) -> None:
    result = modwire(*words)
    assert (result.out, result.code) == ("", 2)
    assert said in result.err
    assert result.err.count("\n") == 1


@has_ptys
def test_a_sniffer_uses_the_options_of_the_line() -> None:
    peer = PtyPeer()
    line = f"rtu://{peer.path}?silence=0.01&tolerance=0.5&timeout=30&exclusive=false"
    with started("sniff", line, "--lines") as command:
        command.read_until("listens on")
        peer.send(READ + rtu(1, bytes.fromhex("01 01 01")))
        command.read_until("1  read 1 coil from 0 -> 1")
        assert command.interrupt() == 130
    peer.close()


def test_completion_offers_what_a_server_has() -> None:
    def offered(text: str) -> set[str]:
        return {each.partition("?")[2].partition("=")[0] for each, _ in LISTEN.complete(text)}

    line = {"baudrate", "parity", "stopbits", "bytesize"}
    assert offered("rtu:///dev/x?") == {*line, *LISTEN_OPTIONS}
    assert offered("rtu+tcp://:5020?") == {"silence", "tolerance", "suppress_echo"}
    assert offered("tcp://:5020?") == set()
    simulated = SimulatedEndpoint("serial")
    assert [each for each, _ in simulated.complete("/dev/x?rs")] == ["/dev/x?rs485=true"]
    assert SimulatedEndpoint("tcp").complete("") == []

"""An endpoint in another form is answered with the right one, and `:PORT` means one thing."""

from __future__ import annotations

import re
import shlex
import socket
from pathlib import Path

import pytest

from modwire import Endpoint
from modwire_command import modwire, started
from modwire_sync import connect
from modwire_tools.cli.endpoints import SimulatedEndpoint
from modwire_tools.cli.page import parse_page
from modwire_tools.endpoint_forms import right_form
from modwire_tools.server.listening import parse_listen

FORMS = {
    "127.0.0.1:5020": "tcp://127.0.0.1:5020",
    "plc-7.local": "tcp://plc-7.local",
    "192.0.2.7:502?unit=3&timeout=2": "tcp://192.0.2.7:502?unit=3&timeout=2",
    "[::1]:502": "tcp://[::1]:502",
    "fe80::1%eth0": "tcp://[fe80::1%eth0]",
    "tcp:127.0.0.1:5020": "tcp://127.0.0.1:5020",
    "tcp:/127.0.0.1": "tcp://127.0.0.1",
    "tcp:5020": "tcp://127.0.0.1:5020",
    "5020": "tcp://127.0.0.1:5020",
    ":5020": "tcp://127.0.0.1:5020",
    "tcp://:5020": "tcp://127.0.0.1:5020",
    "*:5020": "tcp://127.0.0.1:5020",
    "http://127.0.0.1:5020/": "tcp://127.0.0.1:5020",
    "modbus://plc": "tcp://plc",
    "mbaps://plc:802": "tls://plc:802",
    "tls:plc": "tls://plc",
    "rtuovertcp://plc:4001": "rtu+tcp://plc:4001",
    "/dev/ttyUSB0": "rtu:///dev/ttyUSB0",
    "ttyUSB0": "rtu:///dev/ttyUSB0",
    "rtu:/dev/ttyUSB0": "rtu:///dev/ttyUSB0",
    "rtu://dev/ttyUSB0": "rtu:///dev/ttyUSB0",
    "serial:///dev/ttyS0?baudrate=9600": "rtu:///dev/ttyS0?baudrate=9600",
    "/dev/ttyUSB0:9600": "rtu:///dev/ttyUSB0?baudrate=9600",
    "/dev/ttyUSB0,9600,8N1": "rtu:///dev/ttyUSB0?baudrate=9600&bytesize=8&parity=N&stopbits=1",
    "rtu:///dev/ttyUSB0:9600-8-e-1": "rtu:///dev/ttyUSB0?baudrate=9600&bytesize=8&parity=E&stopbits=1",
    "COM3": "rtu://COM3",
    "com12:9600": "rtu://COM12?baudrate=9600",
    "/run/modwire.sock": "unix:///run/modwire.sock",
    "ascii:COM3": "ascii://COM3",
}  # fmt: skip
NO_GUESS = ["", " ", "a b", "tpc://plc", "plc:99999", "tcp://a@b", "x:y:z"]
COMMANDS = {
    "read": ("hr:0",),
    "write": ("hr:0=1",),
    "scan": (),
    "bench": (),
    "scrape": ("-o", "FOLDER/copy.toml"),
}


@pytest.mark.parametrize("text", FORMS)
def test_the_right_form_is_found(text: str) -> None:
    assert right_form(text) == FORMS[text]
    Endpoint.parse(FORMS[text])


@pytest.mark.parametrize("text", NO_GUESS)
def test_nothing_is_guessed_without_a_reason(text: str) -> None:
    assert right_form(text) == ""


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "text", ["127.0.0.1:5020", "/dev/ttyUSB99:9600", "http://plc:5020", ":5020"]
)
def test_every_client_is_answered_with_the_right_form(
    command: str, text: str, tmp_path: Path
) -> None:
    more = (each.replace("FOLDER", str(tmp_path)) for each in COMMANDS[command])
    result = modwire(command, text, *more)
    assert (result.out, result.code) == ("", 2)
    assert result.err.startswith(f"modwire: ENDPOINT: endpoint '{text}'")
    written = re.split("(?: such as|, write) ", result.err)[-1]
    assert shlex.split(written) == [FORMS.get(text) or right_form(text)]


@pytest.mark.parametrize("words", [("serve", ":5020"), ("gateway", ":5020", "tcp://127.0.0.1:1")])
def test_a_server_without_scheme_is_answered_with_the_right_form(words: tuple[str, ...]) -> None:
    result = modwire(*words)
    assert result.err == (
        "modwire: LISTEN: endpoint ':5020': must start with a scheme, such as tcp://:5020\n"
    )
    assert result.code == 2


def test_addresses_before_the_endpoint_are_said() -> None:
    result = modwire("read", "hr:0", "tcp://127.0.0.1:1")
    assert "'hr:0' is an address of values, the endpoint of the device comes first" in result.err
    assert result.code == 2


def test_settings_behind_the_name_of_a_port_are_said() -> None:
    for words in (
        ("read", "rtu:///dev/ttyUSB99:9600", "hr:0"),
        ("sniff", "rtu:///dev/ttyUSB99:9600"),
    ):
        result = modwire(*words)
        assert result.code == 2
        assert 'follow a ?, write "rtu:///dev/ttyUSB99?baudrate=9600"' in result.err


@pytest.mark.parametrize(
    ("text", "option"),
    [
        (":5020", "--tcp tcp://:5020"),
        ("5020", "--tcp tcp://127.0.0.1:5020"),
        ("tcp://127.0.0.1:5020", "--tcp tcp://127.0.0.1:5020"),
        ("udp://:5020", "--udp udp://:5020"),
        ("rtu:///dev/ttyUSB99", "--serial rtu:///dev/ttyUSB99"),
    ],
)
def test_an_endpoint_in_place_of_a_file_is_said(text: str, option: str) -> None:
    result = modwire("simulate", text)
    assert result.code == 1
    assert result.err.endswith(f"to serve there: modwire simulate {option}\n")
    assert "serve there" not in modwire("simulate", "no-such-meter.toml").err


def test_a_port_in_place_of_a_file_is_said() -> None:
    result = modwire("sniff", "ttyUSB99:9600")
    assert result.err.endswith('a line is modwire sniff "rtu:///dev/ttyUSB99?baudrate=9600"\n')
    assert "a line is" not in modwire("sniff", "no-such-file.bin").err
    assert "a line is" not in modwire("sniff", "/no/such/file").err


# `:PORT` is at all addresses of this machine, for every command that listens.


def test_a_port_alone_is_at_all_addresses() -> None:
    assert parse_listen("tcp://:5020").host == ""
    assert str(parse_listen("tcp://:5020")) == "tcp://:5020"
    everywhere = parse_listen("tcp://:5020").endpoint
    for kind, text in (("tcp", ":5020"), ("tcp", "tcp://:5020"), ("tcp", "tcp://*:5020")):
        if "*" in text:
            with pytest.raises(ValueError, match="write tcp://:5020$"):
                SimulatedEndpoint(kind).parse(text)
        else:
            assert SimulatedEndpoint(kind).parse(text) == everywhere
    assert SimulatedEndpoint("tcp").parse("5020") == Endpoint.parse("tcp://127.0.0.1:5020")
    page = parse_page(":8080", None)
    assert page is not None
    assert (page.host, page.token is None) == ("", False)


def addresses() -> list[str]:
    """Return the addresses of this machine that every command must listen at."""
    found = ["127.0.0.1", "127.0.0.2"]
    with socket.socket(socket.AF_INET6) if socket.has_ipv6 else socket.socket() as probe:
        try:
            probe.bind(("::1", 0, 0, 0))
        except (OSError, TypeError):
            return found
    return [*found, "[::1]"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "words",
    [
        ("serve", "tcp://:0"),
        ("gateway", "tcp://:0", "tcp://127.0.0.1:1"),
        ("simulate", "--tcp", ":0"),
        ("simulate", "--udp", ":0"),
    ],
    ids=lambda words: " ".join(words),
)
def test_every_command_listens_at_the_same_addresses(words: tuple[str, ...]) -> None:
    with started(*words) as server:
        found = server.read_until(r"(tcp|udp)://:(\d+)")
        server.read_until("Ctrl\\+C")
        for address in addresses():
            if (found[1], address) == ("udp", "127.0.0.2"):
                continue  # the system answers from 127.0.0.1
            with connect(f"{found[1]}://{address}:{found[2]}?timeout=20") as client:
                if words[0] == "gateway":  # it listens, and the device behind it is not there
                    continue
                assert client.read_holding_registers(0) is not None
    if words[0] == "simulate":
        example = re.search(r"Try: modwire read (\S+)", server.text)
        assert example is not None
        assert example[1] == f"{found[1]}://127.0.0.1:{found[2]}"


def test_consecutive_addresses_begin_at_one_of_them() -> None:
    result = modwire("simulate", "--devices", "2", "--tcp", ":5020", "--consecutive", "addresses")
    assert result.code == 2
    assert "tcp://:5020 is at all addresses of this machine" in result.err

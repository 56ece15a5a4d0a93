"""Every command that asks a device honours all options of its endpoint, also those of a file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from modwire import Endpoint, SequentialBlock, ServerProtocol, TcpFraming, Unit, Units
from modwire_command import Result, good, modwire, started
from modwire_sync import SerialServer, TcpServer, connect
from modwire_tools.demo.line import serial_line
from modwire_tools.simulator.files import DeviceFileError, read_device, with_connection
from peers import Peer, PtyPeer, tcp_service

# Starting a process takes seconds on a busy machine.
pytestmark = pytest.mark.timeout(300)

has_ptys = pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals")
QUIRKS = "quirks=zero_transaction_id,any_unit"


@pytest.fixture(scope="module")
def odd() -> Iterator[str]:
    """The endpoint of a device that answers as unit 9, with transaction id 0."""
    units = Units.single(
        Unit(coils=SequentialBlock(0, [0] * 8), holding_registers=SequentialBlock(0, [17, 18, 19]))
    )

    def script(peer: Peer) -> None:
        protocol = ServerProtocol(TcpFraming)
        while data := peer.receive():
            protocol.receive_data(data, 0.0)
            answer = protocol.answer_all(units)
            peer.send(b"\0\0" + answer[2:6] + b"\x09" + answer[7:])

    with tcp_service(script) as port:
        yield f"tcp://127.0.0.1:{port}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A device file with the quirks of that device."""
    path = tmp_path / "odd.toml"
    path.write_text(
        '[connection]\ntimeout = 20\nquirks = ["zero_transaction_id", "any_unit"]\n'
        'reconnect_after = "never"\n[[unit]]\nid = 1\n'
    )
    return path


COMMANDS = {
    "read": (("hr:0",), "hr:0\t17\n"),
    "read --watch": (("hr:1", "--watch", "5ms", "--times", "2"), "hr:1\t18\n"),
    "write": (("co:3=on", "--verify"), "co:3 = on\n"),
    "scan": (("--units", "4"), "any_unit\t"),  # the end of the endpoint, not "answered by unit 9"
    "scan --table": (("--table", "hr", "--addresses", "0..5"), "0..2"),
    "bench": (("--requests", "3", "--json", "--pipeline", "2"), '"answered": 3'),
}


def ask(command: str, endpoint: str, *more: object) -> Result:
    words, _ = COMMANDS[command]
    return modwire(command.split()[0], endpoint, *words, *more)


@pytest.mark.parametrize("command", COMMANDS)
def test_an_odd_device_is_asked_with_its_quirks(command: str, odd: str) -> None:
    found = ask(command, f"{odd}?timeout=20&{QUIRKS}")
    assert found.code == 0, found.err
    assert COMMANDS[command][1] in found.out
    plain = ask(command, f"{odd}?timeout=0.05&reconnect_after=never")
    assert COMMANDS[command][1] not in plain.out, "without quirks it cannot be used"


@pytest.mark.parametrize("command", [each for each in COMMANDS if each != "bench"])
def test_the_options_of_a_device_file_are_used(command: str, odd: str, file: Path) -> None:
    found = ask(command, odd, "--device", file)
    assert found.code == 0, found.err
    assert COMMANDS[command][1] in found.out


def test_the_endpoints_own_options_win(odd: str, file: Path) -> None:
    result = modwire("read", f"{odd}?quirks=any_unit&timeout=0.05", "hr:0", "--device", file)
    assert (result.out, result.code) == ("", 1)
    assert "did not answer within 0.05 s" in result.err


def test_a_scrape_writes_the_options_that_it_used(odd: str, file: Path, tmp_path: Path) -> None:
    for options, name in ((f"?timeout=20&{QUIRKS}&pause=0.001", "a.toml"), ("", "b.json")):
        path = tmp_path / name
        more = () if options else ("--device", file)
        modwire("scrape", odd + options, "-o", path, "-u", "1", "--addresses", "0..4", *more)
        copy = read_device(path)
        assert [block.values for block in copy.units[0].blocks if len(block.values) == 3] == [
            (17, 18, 19)
        ]
        used = dict(copy.connection)
        if options:
            assert used.pop("pause") == 0.001
            used["reconnect_after"] = None
        assert used == read_device(file).connection
        assert good("read", odd, "hr:0", "--device", path) == "hr:0\t17\n"


@has_ptys
def test_the_settings_of_a_line_are_copied_and_used(tmp_path: Path) -> None:
    path = tmp_path / "copy.toml"
    with (
        serial_line() as (here, there),
        SerialServer(Units({17: Unit(coils=SequentialBlock(0, [1]))}), there, baudrate=115200),
    ):
        line = f"rtu://{here}"
        options = "?baudrate=115200&parity=N&unit=17&timeout=20&tolerance=0.03"
        modwire("scrape", line + options, "-o", path, "--table", "co", "--addresses", "0..1")
        assert read_device(path).connection == {
            "baudrate": 115200, "parity": "N", "unit": 17, "timeout": 20, "tolerance": 0.03,
        }  # fmt: skip
        assert good("read", line, "co:0", "--device", path) == "co:0\ton\n"


def test_a_file_that_does_not_fit_is_said(file: Path, tmp_path: Path) -> None:
    line = tmp_path / "line.toml"
    line.write_text("[connection]\nrs485 = true\n[[unit]]\nid = 1\n")
    result = modwire("read", "tcp://127.0.0.1:1", "hr:0", "--device", line)
    assert (result.out, result.code) == ("", 2)
    assert result.err.startswith(f"modwire: --device {line}: connection: endpoint 'tcp://127.0.0.1")
    assert result.err.endswith(": tcp has no rs485, which is for serial lines\n")
    result = modwire("read", "tcp://127.0.0.1:1?rs485=true", "hr:0", "--device", file)
    assert result.err.startswith("modwire: ENDPOINT: endpoint ")
    line.write_text("[connection]\npause = -1\n[[unit]]\nid = 1\n")
    result = modwire("scan", "tcp://127.0.0.1:1", "--device", line)
    assert (result.out, result.code) == ("", 2)
    assert result.err.startswith(
        f"modwire: --device {line}: connection, pause must be at least 0 seconds"
    )
    result = modwire("write", "tcp://127.0.0.1:1", "hr:0=1", "--device", tmp_path / "no.toml")
    assert (result.out, result.code) == ("", 1)
    assert result.err.endswith("no.toml: No such file or directory\n")


def test_a_quirk_tells_whether_unit_0_is_a_broadcast() -> None:
    """Without function 22 the register of a bit is read first, which a broadcast cannot."""
    words = ("hr:0/bit:3=on", "-u", "0", "--functions", "6,16")
    refused = modwire("write", "rtu+tcp://127.0.0.1:1", *words)
    assert "--functions without 22 reads the register of a bit first" in refused.err
    allowed = modwire("write", "rtu+tcp://127.0.0.1:1?quirks=answers_unit_zero", *words)
    assert "Connection refused" in allowed.err


def test_a_gateway_leads_to_an_odd_device(odd: str) -> None:
    device = f"{odd}?timeout=20&{QUIRKS}"
    with started("gateway", "tcp://127.0.0.1:0", device, "--map", "5=0") as gateway:
        endpoint = gateway.read_until(r"gateway at (tcp://127.0.0.1:\d+) leads to")[1]
        with connect(f"{endpoint}?timeout=20") as client:
            assert client.read_holding_registers(0, 3, unit=5) == [17, 18, 19]


@has_ptys
def test_the_mode_of_the_port_is_asked_for_by_every_command(tmp_path: Path) -> None:
    """A pseudo-terminal has no RS-485 mode, which shows that it was asked for."""
    peer = PtyPeer()
    line = f"rtu://{peer.path}?rs485=true"
    try:
        for words in (
            ("read", line, "hr:0"),
            ("write", line, "hr:0=1"),
            ("scan", line),
            ("scrape", line, "-o", tmp_path / "copy.toml"),
            ("bench", line),
            ("sniff", line),
            ("serve", line),
            ("gateway", "tcp://127.0.0.1:0", line),
            ("gateway", line, "tcp://127.0.0.1:1"),
            ("simulate", "--serial", line),
        ):
            result = modwire(*words)
            assert result.code == 1, words
            assert "cannot be opened: Failed to set RS485 mode" in result.err, words
            assert "Traceback" not in result.err
    finally:
        peer.close()


def test_a_bench_keeps_the_requests_at_once_of_the_endpoint() -> None:
    units = Units.single(Unit(holding_registers=SequentialBlock(0, [1])))
    with TcpServer(units, ("127.0.0.1", 0)) as server:
        endpoint = f"tcp://127.0.0.1:{server.address[1]}?timeout=20&max_in_flight=4"
        found = json.loads(good("bench", endpoint, "-p", "4", "--requests", "8", "--json"))
        assert found["answered"] == 8
        result = modwire("bench", endpoint, "-p", "5")
    assert (result.out, result.code) == ("", 2)
    assert "--pipeline must be at most the max_in_flight of the endpoint, 4, got 5" in result.err


def test_a_file_with_a_connection_alone_is_enough(odd: str, tmp_path: Path) -> None:
    path = tmp_path / "connection.toml"
    path.write_text(
        '[connection]\ntimeout = "20s"\npause = "1ms"\n'
        'quirks = ["zero_transaction_id", "any_unit"]\n'
    )
    assert good("read", odd, "hr:0", "--device", path) == "hr:0\t17\n"
    with pytest.raises(DeviceFileError, match="unit is missing: a device has at least one"):
        read_device(path)
    assert read_device(path, needs_units=False).connection["pause"] == 0.001


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('timeout = "soon"', "timeout must be a time, such as 0.1, 100ms or 2s, got 'soon'"),
        ("unit = 256", "unit must be 0..255, got 256"),
        ("baudrate = 0", "baudrate must be greater than 0"),
        ("suppress_echo = 1", "suppress_echo must be true or false"),
        ("max_in_flight = 17", "max_in_flight must be 1..16, got 17"),
    ],
)
def test_a_mistake_in_a_connection_is_one_in_the_options(
    line: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "connection.toml"
    path.write_text(f"[connection]\n{line}\n")
    result = modwire("read", "tcp://127.0.0.1:1", "hr:0", "--device", path)
    assert (result.out, result.code) == ("", 2)
    assert f"--device {path}: connection, {said}" in result.err


def test_a_connection_has_options_of_every_kind_of_link(tmp_path: Path) -> None:
    """The link that uses the file decides which of them it can have."""
    path = tmp_path / "connection.toml"
    path.write_text(
        '[connection]\nsilence = 0.01\nconnect_timeout = "5s"\n'
        'unit = 0\nquirks = ["answers_unit_zero"]\n'
    )
    connection = read_device(path, needs_units=False).connection
    assert Endpoint.parse(with_connection("rtu+tcp://meter", connection)).unit == 0
    with pytest.raises(ValueError, match="tcp has no silence, which is for RTU frames"):
        Endpoint.parse(with_connection("tcp://meter", connection))

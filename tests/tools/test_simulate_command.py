"""`modwire simulate` and `modwire scrape` as processes: their output and their end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest

from copied_devices import SerialLine, simulated
from modwire import IllegalDataAddressError, ResponseTimeoutError, SequentialBlock, Unit, Units
from modwire_sync import TcpServer, connect
from modwire_tools.cli import main
from modwire_tools.simulator.files import read_device, write_device
from modwire_tools.simulator.meter import energy_meter

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

PATIENCE = 120.0  # timeout in seconds for a process; it needs one or two on a free processor
MODWIRE = (sys.executable, "-m", "modwire_tools")
ENVIRONMENT = {**os.environ, "NO_COLOR": "1", "COLUMNS": "200"}


def run(*arguments: object) -> tuple[int, str, str]:
    """Run a command that ends by itself; returns exit code, standard output, standard error."""
    result = subprocess.run(
        [*MODWIRE, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=ENVIRONMENT,
    )
    return result.returncode, result.stdout, result.stderr


def run_here(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Do the same in this process, which is faster, for commands that end at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["modwire", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    assert isinstance(ended.value.code, int)
    return (ended.value.code, *capsys.readouterr())


@contextmanager
def simulating(*arguments: object, code: int = 130) -> Iterator[list[str]]:
    """Run `modwire simulate`; yields its output. Ctrl+C ends it, without further output."""
    process = subprocess.Popen(
        [*MODWIRE, "simulate", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    assert process.stderr is not None
    try:
        lines: list[str] = []
        for line in process.stderr:
            lines.append(line.rstrip("\n"))
            if line.startswith("Ctrl+C"):
                break
        yield lines
        process.send_signal(signal.SIGINT)
        out, rest = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out, rest) == (code, "", "")
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def endpoints(lines: list[str]) -> list[str]:
    """Return the endpoints in the output."""
    return [
        each.strip()
        for line in lines
        if line.startswith("  ") and "://" in line
        for each in line.partition(": ")[2].split(", ")
    ]


def test_without_arguments_it_serves_a_meter_and_says_what_to_try() -> None:
    with simulating("--tcp", "0", "--udp", "0") as lines:
        assert lines[0] == "modwire simulates Energy meter"
        tcp, udp = endpoints(lines)
        assert lines[2] == f"Try: modwire read {tcp} ir:0 --count 3"
        code, out, _ = run(*lines[2].removeprefix("Try: modwire ").split())
        assert (code, out[:5]) == (0, "ir:0\t")
        with connect(udp) as client:
            assert client.read_holding_registers(0) == [15]


def test_several_files_and_copies_of_them_are_at_consecutive_ports(tmp_path: Path) -> None:
    first, second = tmp_path / "a.toml", tmp_path / "b.json"
    first.write_text('name="A"\n[[unit]]\nid=3\nblock=[{at="hr:0",values=[1]}]')
    second.write_text('{"unit":[{"id":4,"block":[{"at":"hr:0","values":[2]}]}]}')
    with simulating(first, second, "--devices", 3, "--tcp", "127.0.1.7:0", "--seed", 1) as lines:
        assert lines[0] == "modwire simulates A, b (3 devices):"
        found = [line.partition(":")[0].strip() for line in lines[1:4]]
        assert found == ["A, unit 3", "b, unit 4", "A, unit 3"]
        assert lines[4].endswith("hr:0 --unit 3")
        with connect(endpoints(lines)[1]) as client:
            assert client.read_holding_registers(0, unit=4) == [2]


def test_many_devices_are_told_in_few_lines_each_at_an_address() -> None:
    with socket.create_server(("127.0.2.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = ("--devices", 20, "--tcp", f"127.0.2.1:{port}", "--consecutive", "addresses")
    with simulating(*arguments) as lines:
        assert len(lines) == 11
        assert lines[8] == f"  ... 13 more, the last one at tcp://127.0.2.20:{port}"
        with connect(f"tcp://127.0.2.20:{port}") as client:
            assert client.read_holding_registers(0) == [15]


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals")
def test_devices_share_a_serial_line_beside_tcp(tmp_path: Path) -> None:
    path = tmp_path / "five.toml"
    path.write_text('[[unit]]\nid=5\nblock=[{at="hr:0",values=[55]}]')
    meter = tmp_path / "meter.toml"
    write_device(energy_meter(), meter)
    with SerialLine() as line:
        arguments = ("--serial", f"{line.right}?baudrate=115200", "--tcp", "0")
        with (
            simulating(path, meter, *arguments) as lines,
            connect(f"rtu://{line.left}?baudrate=115200") as client,
            connect(endpoints(lines)[0]) as other,
        ):
            assert client.read_holding_registers(0, unit=5) == [55]
            client.write_register(1, 7, unit=1)
            assert client.read_holding_registers(0, 2, unit=1) == [15, 7]
            with pytest.raises(IllegalDataAddressError):
                client.read_coils(0, unit=5)
            assert other.read_holding_registers(0, unit=5) == [55]


def test_a_port_in_use_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, error = run("simulate", "--tcp", f"127.0.0.1:{port}")
    assert (code, out) == (1, "")
    assert error == (
        f"modwire: tcp://127.0.0.1:{port}: cannot listen on 127.0.0.1 port {port}: "
        "Address already in use; another program listens there already "
        f"(`ss -ltnp 'sport = :{port}'` names it): take another port\n"
    )


WRONG = {
    "--devices 0": "--devices must be a whole number, 1..65535, got '0'",
    "--consecutive ids": "--consecutive: 'ids' is not one of 'ports', 'addresses'",
    "--seed x": "--seed must be a whole number, 0 or more, got 'x'",
    "--speed 0": "--speed must be more than 0, at most 1000000, got '0'",
    "--tcp 127.0.0.1:x": "--tcp: endpoint 'tcp://127.0.0.1:x': port must be 0..65535, got 'x'",
    "--udp tcp://127.0.0.1": "--udp: 'tcp://127.0.0.1' is an endpoint of another kind: tcp",
    "--tcp :1?unit=3": "--tcp: 'tcp://:1?unit=3' has unit, which only clients have",
    "--serial x?baudrate=0": "--serial: endpoint 'rtu://x?baudrate=0': baudrate must be greater",
    "--devices 2 --serial /dev/x": "--devices: /dev/x is one line, where every unit needs an id",
    "--devices 2 --tcp 127.0.0.1:65535": "--devices: ports must be 1..65535: device 2 would",
}


@pytest.mark.parametrize("arguments", WRONG)
def test_a_wrong_argument_of_simulate_is_one_sentence(
    arguments: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, error = run_here(capsys, "simulate", *arguments.split())
    assert (code, out) == (2, "")
    assert error.startswith(f"modwire: {WRONG[arguments]}")
    assert error.count("\n") == 1


def test_files_that_cannot_be_read_are_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "d.toml"
    code, _, error = run("simulate", path)
    assert (code, error.count("\n")) == (1, 1)
    assert str(path) in error
    assert "No such file" in error
    path.write_text("[[unit]]\nid = 1000")
    assert run("simulate", path) == (
        1,
        "",
        f"modwire: {path}: unit 1 (1000), id must be 0..255, got 1000\n",
    )
    path.write_text("[[unit]]\nid = 1")
    code, _, error = run("simulate", path, path, "--devices", 1)
    assert (code, error) == (
        2,
        "modwire: --devices must be at least 2, one for each file, got 1\n",
    )


# Scraping.


@contextmanager
def original() -> Iterator[str]:
    """Serve a device with two units; yields its endpoint."""
    units = {
        2: Unit(holding_registers=SequentialBlock(0, range(300))),
        3: Unit(SequentialBlock(5, [True, False, True])),
    }
    with TcpServer(Units(units), ("127.0.0.1", 0)) as server:
        yield f"tcp://127.0.0.1:{server.address[1]}"


def test_scrape_finds_the_units_and_writes_a_file_to_simulate(tmp_path: Path) -> None:
    path = tmp_path / "copy.toml"
    with original() as endpoint:
        code, out, error = run(
            "scrape", endpoint, "-o", path, "--unit", "2..4", "--addresses", "0..399"
        )
    assert (code, out) == (0, "")
    assert error.splitlines() == [
        f"{endpoint} has units 2, 3",
        f"{path} has 303 values; try: modwire simulate {path}",
    ]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["copy.toml"]
    with simulating(path, "--tcp", "0") as lines, connect(endpoints(lines)[0]) as client:
        assert client.read_holding_registers(200, 100, unit=2) == list(range(200, 300))
        assert client.read_coils(5, 3, unit=3) == [True, False, True]


def test_a_device_that_answers_to_every_id_is_read_once_and_copied_for_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "copy.toml"
    block = SequentialBlock(0, [4, 5])
    with TcpServer(Units.single(Unit(holding_registers=block)), ("127.0.0.1", 0)) as server:
        endpoint = f"tcp://127.0.0.1:{server.address[1]}"
        code, _, error = run_here(
            capsys, "scrape", endpoint, "-o", str(path), "--addresses", "0..9", "--name", "One"
        )
    assert (code, "answers to every unit id" in error) == (0, True)
    device = read_device(path)
    assert (device.name, [each.id for each in device.units]) == ("One", [1])
    served = simulated(device, ["tcp://127.0.0.1:0"])
    with served as view, connect(view.devices()[0].endpoints[0]) as client:
        for unit in (0, 1, 94, 255):
            assert client.read_holding_registers(0, 2, unit=unit) == [4, 5]


def test_silence_is_copied_too(tmp_path: Path) -> None:
    path = tmp_path / "d.toml"
    path.write_text(
        """
        [[unit]]
        id = 1
        missing = { holding_registers = "silence" }
        limits = { input_registers = { count = 2, exception = "silence" } }
        block = [{ at = "hr:0", values = [1] }, { at = "ir:0", values = [1, 2, 3] }]
        """
    )
    served = simulated(read_device(path), ["tcp://127.0.0.1:0"])
    with served as view, connect(view.devices()[0].endpoints[0]) as client:
        assert client.read_holding_registers(0, timeout=PATIENCE) == [1]
        assert client.read_input_registers(1, 2, timeout=PATIENCE) == [2, 3]
        with pytest.raises(ResponseTimeoutError):
            client.read_holding_registers(1, timeout=0.2)
        with pytest.raises(ResponseTimeoutError):
            client.read_input_registers(0, 3, timeout=0.2)


def _accept_interrupts() -> None:
    """Undo what shells do to background jobs: their children ignore SIGINT, as Python then does."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_stopped_scrape_keeps_what_it_has_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "copy.toml"
    with original() as endpoint:
        arguments = ("scrape", endpoint, "-o", str(path), "--unit", "2", "--table", "hr")
        process = subprocess.Popen(
            [*MODWIRE, *arguments, "--delay", "20ms"],
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
            preexec_fn=_accept_interrupts,
        )
        part = tmp_path / "copy.toml.part"
        try:
            give_up = monotonic() + PATIENCE
            while not part.exists():  # written at the first step
                assert process.poll() is None, "the scrape has ended"
                assert monotonic() < give_up, "the scrape keeps nothing"
                sleep(0.01)  # there is no event for a new file
            process.send_signal(signal.SIGINT)
            _, error = process.communicate(timeout=PATIENCE)
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
        assert process.returncode == 130
        assert "known so far; the same command continues" in error
        assert read_device(path).units[0].id == 2
        code, _, error = run(*arguments, "--addresses", "0..10")
        assert (code, "belongs to the scrape" in error) == (2, True)
        code, _, error = run(*arguments)
    assert code == 0
    assert error.splitlines()[0] == f"continues from {part}"
    assert not part.exists()
    assert sum(len(block.values) for block in read_device(path).units[0].blocks) == 300


SCRAPE_WRONG = {
    "-o x.txt": "--output must end in .toml or .json, got 'x.txt'",
    "-o no/x.toml": "--output: there is no folder",
    "-o x.toml --unit 256": "--unit must be a whole number, 0..255, got '256'",
    "-o x.toml --table xy": "--table must be co, di, hr or ir, got 'xy'",
    "-o x.toml --addresses 9..3": "--addresses must ascend, as in 3..9, got '9..3'",
    "-o x.toml --step 0": "--step must be a whole number, 1..65536, got '0'",
    "-o x.toml --files 0": "--files must be a whole number, 1..65535, got '0'",
    "-o x.toml --delay soon": "--delay must be a time of 0 or more",
    "-o there.toml": "--output: there.toml exists already, name another file or add --force",
}


@pytest.mark.parametrize("arguments", SCRAPE_WRONG)
def test_a_wrong_argument_of_scrape_is_one_sentence(
    arguments: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.toml").write_text("")
    code, out, error = run_here(capsys, "scrape", "tcp://127.0.0.1:1", *arguments.split())
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert error.startswith(f"modwire: {SCRAPE_WRONG[arguments]}")


def test_a_device_that_is_not_there_leaves_no_file(tmp_path: Path) -> None:
    code, out, error = run("scrape", "tcp://127.0.0.1:1", "-o", tmp_path / "x.toml", "--unit", "1")
    assert (code, out, error.count("\n")) == (1, "", 1)
    assert "refused" in error
    assert list(tmp_path.iterdir()) == []

"""`modwire gui` as a process: a client reads what the window shows; exit codes and errors."""

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
from typing import TYPE_CHECKING

import pytest

from modwire_sync import connect
from programs import free_port
from virtual_screen import virtual_display

if TYPE_CHECKING:
    from ..conftest import RequirePeer

pytestmark = pytest.mark.timeout(600)

HERE = Path(__file__).parent
PATIENCE = 120.0  # timeout in seconds for a process; it needs one or two on a free processor
COMMAND = [sys.executable, "-m", "modwire_tools", "gui"]


@pytest.fixture
def display(require_peer: RequirePeer) -> str:
    return virtual_display(require_peer)


@contextmanager
def _process(display: str, *command: object) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        list(map(str, command)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "DISPLAY": display},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _wait_for(port: int, process: subprocess.Popen[str]) -> None:
    give_up = monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
            return
        except OSError:
            assert monotonic() < give_up, "nobody listens"
            assert process.poll() is None, "the process has ended"
            sleep(0.05)  # there is no event for a port that another process opens


def test_a_client_reads_what_the_window_shows_until_it_is_closed(display: str) -> None:
    port = free_port()
    with _process(display, sys.executable, HERE / "gui_process.py", port) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def say(line: str) -> None:
            assert process.stdin is not None
            process.stdin.write(f"{line}\n")
            process.stdin.flush()

        def shows(point: str) -> list[str]:
            assert process.stdout is not None
            say(f"show {point}")
            return process.stdout.readline().rstrip("\n").split("|")

        say("start")
        _wait_for(port, process)
        with connect(f"tcp://127.0.0.1:{port}?timeout=60") as client:
            (period,) = client.read_holding_registers(0, 1)
            _until(lambda: shows("demand_period") == ["running", str(period), ""])
            client.write_registers(0, [period + 15])
            _until(lambda: shows("demand_period") == ["running", str(period + 15), ""])
        say("close")
        output, errors = process.communicate(timeout=PATIENCE)
        assert (output, errors, process.returncode) == ("closed\n", "", 0)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), PATIENCE)


def _until(condition: object) -> None:
    give_up = monotonic() + PATIENCE
    while not condition():  # type: ignore[operator]
        assert monotonic() < give_up, "the window does not show it"
        sleep(0.02)  # the window sends no event, so ask again


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)], ids=["ctrl+c", "terminate"]
)
def test_a_signal_ends_it_cleanly(display: str, number: signal.Signals, code: int) -> None:
    port = free_port()
    with _process(display, *COMMAND, "--port", port, "--start") as process:
        _wait_for(port, process)
        with connect(f"tcp://127.0.0.1:{port}?timeout=60") as client:
            assert tuple(client.read_holding_registers(0, 1)) == (15,)
            process.send_signal(number)
            output, errors = process.communicate(timeout=PATIENCE)
    assert (output, errors, process.returncode) == ("", "", code)


def _run(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *arguments: str
) -> tuple[object, str, str]:
    """Run a command that ends before it opens a window; returns exit code and output."""
    from modwire_tools.cli import main

    monkeypatch.setattr(sys, "argv", ["modwire", "gui", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code, *capfd.readouterr()


@pytest.mark.parametrize(
    ("display", "sentence"),
    [
        ("", "no window can be opened, because DISPLAY is not set: "),
        ("127.0.0.1:99", "no window can be opened: couldn't connect to display "),
    ],
)
def test_without_a_display_it_says_what_to_do(
    display: str, sentence: str, require_peer: RequirePeer
) -> None:
    virtual_display(require_peer)  # without Tk the message is different
    environment = {**os.environ, "DISPLAY": display}
    done = subprocess.run(
        COMMAND, env=environment, capture_output=True, text=True, timeout=PATIENCE
    )
    assert (done.stdout, done.returncode) == ("", 1)
    assert done.stderr.startswith(f"modwire: {sentence}")
    assert done.stderr.count("\n") == 1


def test_without_tk_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tkinter", None)
    code, output, errors = _run(monkeypatch, capfd)
    assert (code, output) == (1, "")
    assert "apt install python3-tk" in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--port=70000", "--port must be a whole number, 0..65535, got '70000'"),
        ("--devices=0", "--devices must be a whole number, 1..65535, got '0'"),
        ("--consecutive=units", "--consecutive: 'units' is not one of 'ports', 'addresses'"),
    ],
)
def test_a_wrong_option_is_named(
    option: str,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert _run(monkeypatch, capfd, option) == (2, "", f"modwire: {sentence}\n")


def test_help_has_an_example(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    code, output, _ = _run(monkeypatch, capfd, "--help")
    assert code == 0
    assert "modwire gui device.toml --port 5021 --devices 3 --start" in output

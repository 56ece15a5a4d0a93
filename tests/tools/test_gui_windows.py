"""The windows of `modwire gui` on Tk, GTK and wx, on a screen of Xvfb, as processes."""

from __future__ import annotations

import shutil
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

from gui_python import environment, python_for
from modwire_sync import connect
from programs import free_port
from pump_file import PUMP

if TYPE_CHECKING:
    from ..conftest import RequirePeer

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.parametrize("toolkit", ["tk", "gtk", "wx"]),
]

HERE = Path(__file__).parent
PATIENCE = 180.0  # seconds for a process; it needs some on a free processor


def command_of(toolkit: str, python: str) -> list[str]:
    return [python, "-m", "modwire_tools", "gui", "--toolkit", toolkit]


def test_a_person_uses_it(toolkit: str, require_peer: RequirePeer, tmp_path: Path) -> None:
    """gui_person.py has what the person does, and what must be seen then."""
    python, display = python_for(toolkit, require_peer)
    require_peer("xdotool", shutil.which("xdotool") is not None, "apt-get install xdotool")
    file = tmp_path / "pump.toml"
    file.write_text(PUMP)
    browser, links = tmp_path / "browser", tmp_path / "links"
    browser.write_text(f'#!/bin/sh\necho "$1" >>{links}\n')
    browser.chmod(0o755)
    done = subprocess.run(
        [python, HERE / "gui_person.py", toolkit, file, links],
        env={**environment(python, display, tmp_path), "BROWSER": f"{browser} %s"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("closed\n", "", 0)


@contextmanager
def _process(*command: object, **options: object) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(  # type: ignore[call-overload]
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
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


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)], ids=["ctrl+c", "terminate"]
)
def test_a_signal_ends_it_cleanly(
    toolkit: str, require_peer: RequirePeer, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    python, display = python_for(toolkit, require_peer)
    port = free_port()
    command = [*command_of(toolkit, python), "--port", port, "--start"]
    with _process(*command, env=environment(python, display, tmp_path)) as process:
        _wait_for(port, process)
        with connect(f"tcp://127.0.0.1:{port}?timeout=60") as client:
            assert tuple(client.read_holding_registers(0, 1)) == (15,)
            process.send_signal(number)
            output, errors = process.communicate(timeout=PATIENCE)
    assert (output, errors, process.returncode) == ("", "", code)


@pytest.mark.parametrize(
    ("key", "title"), [("F1", "Help"), ("ctrl+o", "Choose a device file")], ids=["help", "file"]
)
def test_a_signal_ends_it_though_a_dialog_is_open(
    toolkit: str, require_peer: RequirePeer, tmp_path: Path, key: str, title: str
) -> None:
    python, display = python_for(toolkit, require_peer)
    require_peer("xdotool", shutil.which("xdotool") is not None, "apt-get install xdotool")
    surroundings = environment(python, display, tmp_path)

    def xdotool(*words: str) -> str:
        command = ["xdotool", *words]
        done = subprocess.run(command, env=surroundings, capture_output=True, text=True)
        return done.stdout

    def find(title: str) -> list[str]:
        return xdotool("search", "--onlyvisible", "--name", f"^{title}$").split()

    with _process(*command_of(toolkit, python), env=surroundings) as process:
        give_up = monotonic() + PATIENCE
        while not find(title):
            assert monotonic() < give_up, f"there is no window {title!r}"
            for window in find("modwire simulator"):
                xdotool("mousemove", "--window", window, "200", "200", "key", key, "sleep", "0.5")
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=PATIENCE)
    assert (output, errors, process.returncode) == ("", "", 0)


@pytest.mark.parametrize(
    ("display", "sentence"),
    [
        ("", "no window can be opened, because DISPLAY is not set: "),
        (":9999", "no window can be opened: couldn't connect to display "),
    ],
)
def test_without_a_display_it_says_what_to_do(
    toolkit: str, require_peer: RequirePeer, tmp_path: Path, display: str, sentence: str
) -> None:
    python, _ = python_for(toolkit, require_peer)
    done = subprocess.run(
        command_of(toolkit, python),
        env=environment(python, display, tmp_path),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.stdout, done.returncode) == ("", 1)
    assert done.stderr.startswith(f"modwire: {sentence}")
    assert done.stderr.count("\n") == 1


def test_without_the_toolkit_it_says_what_to_install(
    toolkit: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from modwire_tools.cli import main

    for name in ("tkinter", "gi", "wx"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(sys, "argv", ["modwire", "gui", "--toolkit", toolkit])
    with pytest.raises(SystemExit) as ended:
        main()
    output, errors = capfd.readouterr()
    assert (ended.value.code, output) == (1, "")
    assert "apt install python3-" in errors
    assert errors.count("\n") == 1

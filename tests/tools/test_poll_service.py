"""The service of `modwire poll` for systemd: it says when it is ready, and reads its file again."""

from __future__ import annotations

import os
import shlex
import signal
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from modwire import SequentialBlock, Unit, Units
from modwire_command import started
from modwire_sync import TcpServer

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.name != "posix", reason="systemd is a program for Linux"),
]
POLLER = Path(__file__).parents[2] / "systemd" / "modwire-poll.service"
PATIENCE = 60.0


def settings(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def test_the_poller_says_when_it_is_ready_and_reads_its_file_again(tmp_path: Path) -> None:
    found = settings(POLLER)
    assert found["Type"] == "notify"
    program, command, file = shlex.split(found["ExecStart"])
    assert (program, command) == ("/opt/modwire/bin/modwire", "poll")
    assert found["ExecReload"] == "/bin/kill -HUP $MAINPID"
    with ExitStack() as stack:
        unit = Unit(holding_registers=SequentialBlock(0, [7]))
        server = stack.enter_context(TcpServer(Units.single(unit), ("127.0.0.1", 0)))
        plant = tmp_path / Path(file).name
        text = f"""
            [[device]]
            name = "tank"
            endpoint = "tcp://127.0.0.1:{server.address[1]}"
            interval = "20ms"
            point = [{{ name = "level", at = "hr:0" }}]
        """
        plant.write_text(text)
        manager = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        manager.settimeout(PATIENCE)
        manager.bind(str(tmp_path / "notify"))
        running = stack.enter_context(
            started(command, plant, NOTIFY_SOCKET=str(tmp_path / "notify"))
        )
        assert manager.recv(100) == b"READY=1"
        running.read_until('"device":"tank"')
        plant.write_text(text.replace("tank", "renamed"))
        running.child.send_signal(signal.SIGHUP)
        running.read_until('"device":"renamed"')
        running.child.terminate()
        assert running.wait() == 0

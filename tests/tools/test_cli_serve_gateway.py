"""`modwire serve` and `modwire gateway` as processes, tested with `modwire read` and `write`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from modwire import SequentialBlock, Unit, Units
from modwire_command import good, modwire, started
from modwire_sync import SerialServer, TcpServer, connect
from modwire_tools.demo.line import serial_line

# Starting a process takes seconds on a busy machine.
pytestmark = pytest.mark.timeout(300)

has_ptys = pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals")


def test_a_plain_server_serves_until_ctrl_c(tmp_path: Path) -> None:
    path = tmp_path / "plant.sock"
    serve = ("serve", "tcp://127.0.0.1:0", f"unix://{path}", "--coils", "5")
    values = ("--input-registers", "0", "--set", "hr:8/float32=230.4", "--set", "di:1=on")
    with started(*serve, *values, "--verbose") as server:
        found = server.read_until(r"serves (tcp://127.0.0.1:\d+), unix://.*; Ctrl\+C ends")
        endpoint = f"{found[1]}?timeout=20"
        out = good("read", endpoint, "hr:8/float32", "co:4", "di:1")
        assert out == "hr:8/float32\t230.4\nco:4\toff\ndi:1\ton\n"
        assert modwire("read", endpoint, "co:5").code == 1
        assert modwire("read", endpoint, "ir:0").code == 1
        good("write", f"unix://{path}?unit=99&timeout=20", "co:4=on")
        assert good("read", endpoint, "co:4") == "co:4\ton\n"
        server.read_until(r"\n\S+: unit 99: write coil 4: on -> done\n")
        server.read_until(r"\n127.0.0.1:\d+: unit 1: read 1 coil from 4 -> 1\n")
        assert server.interrupt() == 130
        assert "Traceback" not in server.text
    assert not path.exists()


def test_a_service_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    """SIGTERM, which systemd and containers send to stop it, is not a failure."""
    path = tmp_path / "plant.sock"
    with started("serve", f"unix://{path}") as server:
        server.read_until("Ctrl")
        assert path.exists()
        server.child.terminate()
        assert server.wait() == 0
        assert "Traceback" not in server.text
    assert not path.exists()


def test_processes_share_a_store(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'plant.db'}"
    serve = ("serve", "tcp://127.0.0.1:0", "--store", store, "--processes", "2")
    with started(*serve, "--set", "hr:3=33") as server:
        endpoint = server.read_until(r"serves (tcp://127.0.0.1:\d+):")[1] + "?timeout=20"
        # The system gives the connections to either process.
        for number in range(3):
            good("write", endpoint, f"hr:0={number}")
            assert good("read", endpoint, "hr:0", "hr:3") == f"hr:0\t{number}\nhr:3\t33\n"
        assert server.interrupt() == 130
        assert "Traceback" not in server.text
    with started("serve", "tcp://127.0.0.1:0", "--store", store, "--units", "4") as server:
        endpoint = server.read_until(r"serves (tcp://127.0.0.1:\d+): unit 4,")[1] + "?timeout=20"
        assert good("read", endpoint, "hr:0", "-u", "4") == "hr:0\t2\n"


def test_a_service_of_several_processes_ends_as_a_whole(tmp_path: Path) -> None:
    """A process that is left behind would continue to respond at the port."""
    serve = ("serve", "tcp://127.0.0.1:0", "--processes", "2")
    with started(*serve, "--store", f"sqlite:///{tmp_path / 'plant.db'}") as server:
        endpoint = server.read_until(r"serves (tcp://127.0.0.1:\d+):")[1] + "?timeout=20"
        good("read", endpoint, "hr:0")
        server.child.terminate()
        assert server.wait() == 0
        assert "Traceback" not in server.text
    assert modwire("read", endpoint, "hr:0").code == 1


@pytest.mark.parametrize(
    ("store", "words"),
    [
        ("sqlite:///FOLDER/no/such/x.db", "there is no folder"),
        ("sqlite:///FOLDER/file", "file is not a database"),
        ("sqlite:///FOLDER", "it is not a file"),
        ("redis://:secret@127.0.0.1:1/0", "refused"),
        ("postgresql://me:secret@127.0.0.1:1/plant", "refused"),
    ],
)
def test_a_store_that_cannot_be_opened_is_said_at_once(
    tmp_path: Path, store: str, words: str
) -> None:
    pytest.importorskip({"r": "redis", "p": "psycopg"}.get(store[0], "sqlalchemy"))
    (tmp_path / "file").write_text("this is no database " * 99)
    result = modwire(
        "serve", "tcp://127.0.0.1:0", "--store", store.replace("FOLDER", str(tmp_path))
    )
    assert result.code == 1
    assert result.out == ""
    assert " cannot be opened: " in result.err
    assert words in result.err
    assert result.err.startswith("modwire: ")
    assert result.err.count("\n") == 1
    assert "secret" not in result.err


def test_a_port_that_is_taken_is_said() -> None:
    with TcpServer(Units.single(Unit()), ("127.0.0.1", 0)) as server:
        port = server.address[1]
        result = modwire("serve", f"tcp://127.0.0.1:{port}")
    assert result.code == 1
    assert f"tcp://127.0.0.1:{port}: cannot listen on 127.0.0.1 port {port}: " in result.err
    assert "another program listens there already" in result.err
    assert result.out == ""


@has_ptys
def test_a_gateway_leads_to_lines_and_to_the_network() -> None:
    """From TCP to a serial line, and from a serial line to TCP."""
    near = Unit(holding_registers=SequentialBlock(0, [17]))
    far = Unit(holding_registers=SequentialBlock(0, [99]))
    with (
        serial_line() as (here, there),
        serial_line() as (asked, answering),
        SerialServer(Units({17: near}), there),
        TcpServer(Units({1: far}), ("127.0.0.1", 0)) as network,
    ):
        device = f"tcp://127.0.0.1:{network.address[1]}?timeout=20"
        maps = ("--map", "1=17", "--map", "5=2/1")
        gateway = ("gateway", "tcp://127.0.0.1:0", f"rtu://{here}?timeout=20", device, *maps)
        with (
            started(*gateway, "-v") as first,
            started("gateway", f"rtu://{answering}", device) as second,
        ):
            found = first.read_until(r"gateway at (tcp://127.0.0.1:\d+) leads to")
            endpoint = f"{found[1]}?timeout=20"
            second.read_until("gateway at rtu://.* leads to tcp://")
            with connect(endpoint) as client:
                assert client.read_holding_registers(0, unit=1) == [17]
                assert client.read_holding_registers(0, unit=5) == [99]
            result = modwire("read", endpoint, "hr:0", "-u", "9")
            assert "exception 0A (gateway path unavailable)" in result.err
            first.read_until("unit 5: read 1 holding register from 0 -> 99\n")
            first.read_until("unit 9: .* -> exception 0A, gateway path unavailable\n")
            assert good("read", f"rtu://{asked}?timeout=20", "hr:0") == "hr:0\t99\n"
            assert first.interrupt() == 130
            assert second.interrupt() == 130
            assert "Traceback" not in first.text + second.text


def test_a_line_that_is_not_there_is_said_at_once() -> None:
    result = modwire("gateway", "tcp://127.0.0.1:0", "rtu:///dev/no-such-port")
    assert result.code == 1
    assert result.err.endswith("and its name right? `modwire ports` lists ports\n")
    assert result.err.count("\n") == 1, "its log does not say it again"

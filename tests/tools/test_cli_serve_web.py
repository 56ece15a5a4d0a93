"""`modwire serve --web` as a process: the page beside a server."""

from __future__ import annotations

import os
import re
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from fake_view import FakeView
from modwire import ConnectionLostError, ResponseTimeoutError
from modwire_command import good, modwire, started
from modwire_sync import connect
from modwire_tools.demo.line import serial_line
from page_requests import PATIENCE, ask
from running_page import ServedPage

# Starting a process takes seconds on a busy machine.
pytestmark = pytest.mark.timeout(300)

has_ptys = pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals")
SERVE = ("serve", "tcp://127.0.0.1:0", "--web", "127.0.0.1:0")
DEVICE = "/api/devices/0"
HOLDING = f"{DEVICE}/units/1/tables/holding_registers"


def found(port: int, method: str, path: str, body: object = None) -> Any:
    answer = ask(port, method, path, body)
    assert answer.status == 200, answer.body
    return answer.json


def read_soon(endpoint: str, unit: int = 1) -> str:
    """Return a register of a server that is about to listen, as `modwire read` prints it."""
    patience = monotonic() + PATIENCE
    while True:
        result = modwire("read", f"{endpoint}?timeout=2&unit={unit}", "hr:0")
        if result.code == 0 or monotonic() > patience:
            return result.out


def test_values_clients_and_traffic() -> None:
    with started(*SERVE, "--set", "hr:1=5", "--verbose") as server:
        port = int(server.read_until(r"Page: http://127.0.0.1:(\d+)/\n")[1])
        place = server.read_until(r"serves (tcp://127.0.0.1:\d+): one unit for all ids")[1]
        assert found(port, "GET", f"{HOLDING}?address=1&count=1")["values"] == [5]
        found(port, "PUT", HOLDING, {"address": 2, "values": [7]})
        found(port, "GET", "/api/traffic")
        with connect(f"{place}?timeout={PATIENCE}") as client:
            assert client.read_holding_registers(1, 2) == [5, 7]
            (message,) = found(port, "GET", "/api/traffic")
            assert (message["response_text"], message["endpoint"]) == ("5, 7", place)
            assert found(port, "GET", "/api/connections")[0]["requests"] == 1
        server.read_until(r"unit 1: read 2 holding registers from 1 -> 5, 7\n")
        assert b'modwire_requests_total{endpoint="' in ask(port, "GET", "/metrics").body
        (device,) = found(port, "GET", "/api/devices")["devices"]
        assert (device["endpoints"], device["requests"]) == ([place], 1)
        assert found(port, "GET", f"{DEVICE}/units/1/identity")[1]["value"] == "serve"
        assert server.interrupt() == 130
        assert "Traceback" not in server.text


def test_the_mode_changes_while_it_serves() -> None:
    with started(*SERVE, "--set", "hr:0=5") as server:
        port = int(server.read_until(r"Page: http://127.0.0.1:(\d+)/\n")[1])
        place = server.read_until(r"serves (tcp://127.0.0.1:\d+): one unit for all ids")[1]
        (now,) = found(port, "PUT", f"{DEVICE}/modes", {"mode": "rtu", "endpoint": place})
        assert now == {"endpoint": place.replace("tcp:", "rtu+tcp:"), "mode": "rtu"}
        assert read_soon(now["endpoint"]) == "hr:0\t5\n"
        found(port, "PUT", f"{DEVICE}/modes", {"mode": "tcp"})
        assert read_soon(place) == "hr:0\t5\n"


@has_ptys
def test_the_mode_of_a_serial_line_changes() -> None:
    with serial_line() as (near, far):
        web = ("--web", "127.0.0.1:0", "--set", "hr:0=5", "--units", "3")
        with started("serve", f"rtu://{near}", *web) as server:
            port = int(server.read_until(r"Page: http://127.0.0.1:(\d+)/\n")[1])
            server.read_until(r"serves rtu:///.*: unit 3,")
            assert good("read", f"rtu://{far}?timeout=20&unit=3", "hr:0") == "hr:0\t5\n"
            answer = ask(port, "PUT", f"{DEVICE}/modes", {"mode": "tcp"})
            assert answer.status == 400
            (now,) = found(port, "PUT", f"{DEVICE}/modes", {"mode": "ascii"})
            assert now["mode"] == "ascii"
            assert read_soon(f"ascii://{far}", 3) == "hr:0\t5\n"


def test_networks_change_while_it_serves() -> None:
    with started(*SERVE, "--allow", "127.0.0.0/8", "--allow", "::1") as server:
        port = int(server.read_until(r"Page: http://127.0.0.1:(\d+)/\n")[1])
        place = server.read_until(r"serves (tcp://127.0.0.1:\d+): one unit for all ids")[1]
        path = f"{DEVICE}/networks"
        assert found(port, "GET", path)["networks"] == ["127.0.0.0/8", "::1/128"]
        with connect(f"{place}?timeout={PATIENCE}&retries=0") as client:
            client.read_coils(0)
            found(port, "DELETE", f"{path}/127.0.0.0/8")
            with pytest.raises((ConnectionLostError, ResponseTimeoutError)):
                client.read_coils(0)


def test_values_in_a_database(tmp_path: Path) -> None:
    """They are read in worker threads, and shown while the page is open."""
    store = ("--store", f"sqlite:///{tmp_path / 'plant.db'}")
    with started(*SERVE, *store, "--set", "hr:3=33") as server:
        port = int(server.read_until(r"Page: http://127.0.0.1:(\d+)/\n")[1])
        server.read_until("Ctrl")
        assert found(port, "GET", f"{HOLDING}?address=2&count=2")["values"] == [0, 33]
        found(port, "PUT", HOLDING, {"address": 2, "values": [22]})
        assert found(port, "GET", f"{HOLDING}?address=2&count=2")["values"] == [22, 33]
        found(port, "POST", f"{DEVICE}/units/1/reset", {"values": True})
        assert found(port, "GET", f"{HOLDING}?address=2&count=2")["values"] == [0, 0]


def test_a_token_is_wanted_beyond_this_machine() -> None:
    with started("serve", "tcp://127.0.0.1:0", "--web", "0.0.0.0:0") as server:
        printed = server.read_until(r"Page: http://.+:(\d+)/#token=(\S+)\n")
        assert ask(int(printed[1]), "GET", "/api").status == 401
        bearer = {"Authorization": f"Bearer {printed[2]}"}
        assert ask(int(printed[1]), "GET", "/api", headers=bearer).status == 200


def test_what_cannot_be_served_ends_the_command() -> None:
    with ServedPage(FakeView()) as page:
        ended = modwire("serve", "tcp://127.0.0.1:0", "--web", f"127.0.0.1:{page.port}")
        assert ended.code == 1
        assert re.search(r"--web: cannot listen at 127.0.0.1:\d+: address already in", ended.err)
        ended = modwire("serve", f"tcp://127.0.0.1:{page.port}", "--web", "127.0.0.1:0")
        assert ended.code == 1
        assert f"tcp://127.0.0.1:{page.port}: " in ended.err
        assert "Traceback" not in ended.err
    ended = modwire(*SERVE, "--processes", "2", "--store", "sqlite:///plant.db")
    assert ended.code == 2
    assert "--web shows one process" in ended.err
    ended = modwire("serve", "tcp://127.0.0.1:0", "--web-token", "a-good-token")
    assert ended.code == 2
    assert "--web HOST:PORT is missing" in ended.err

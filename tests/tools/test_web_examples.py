"""The examples of REST over one's own server: each is run as a user would run it."""

from __future__ import annotations

import signal
from pathlib import Path

from modwire_sync import TcpClient
from page_requests import ask
from programs import PATIENCE, changed, free_port, run, serving

EXAMPLES = Path(__file__).parents[2] / "examples" / "web"


def example(name: str, tmp_path: Path, changes: dict[str, str]) -> Path:
    """A copy of an example with other ports in it."""
    source = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    path: Path = changed(source, changes, tmp_path / f"{name}.py")
    return path


def test_every_example_is_run() -> None:
    tested = {"mounted", "rest", "server_with_page"}
    assert {path.stem for path in EXAMPLES.glob("*.py")} == tested


def test_rest_over_a_server(tmp_path: Path) -> None:
    modbus, web = free_port(), free_port()
    server = example("server_with_page", tmp_path, {"5020": str(modbus), "8080": str(web)})
    with (
        serving(server, web),
        TcpClient("127.0.0.1", modbus, unit=1, timeout=PATIENCE) as client,
    ):
        client.restart_communications(clear_log=True)
        assert run(example("rest", tmp_path, {"8080": str(web)})) == [
            "[2304, 2311, 2297]",
            "[16, 41]",
            "the unit refuses the value: value 101 is not allowed at address 1",
            "{'id': 0, 'name': 'vendor name', 'value': 'ACME'}",
            "0",
            "['CommunicationRestartEvent']",
            "[]",
            "['127.0.0.0/8', '192.168.0.0/16']",
            "['127.0.0.0/8']",
            "0",
        ]
        assert client.read_holding_registers(0, 2) == [15, 40]


def test_a_page_in_another_application(tmp_path: Path) -> None:
    modbus, web = free_port(), free_port()
    program = example("mounted", tmp_path, {"5020": str(modbus), "8080": str(web)})
    with serving(program, web) as process:
        assert ask(web, "GET", "/hello").body == b"hello"
        path = "/pump/api/devices/0/units/1/tables/holding_registers"
        assert ask(web, "PUT", path, {"address": 1, "values": [50]}).status == 200
        with TcpClient("127.0.0.1", modbus, unit=1, timeout=PATIENCE) as client:
            assert client.read_holding_registers(0, 2) == [15, 50]
        assert b"main.js" in ask(web, "GET", "/pump/").body
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0

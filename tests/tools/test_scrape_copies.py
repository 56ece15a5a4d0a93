"""A copy responds like its original: `modwire scrape`, then `modwire simulate`.

Otherwise a program that is tested with the copy could fail with the real device.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from copied_devices import DEVICES, SPAN, SerialLine, answers_of, simulated
from modwire import ReportServerIdRequest, ResponseTimeoutError, SequentialBlock, Unit, Units
from modwire_command import Direct
from modwire_sync import SerialServer, TcpServer, connect
from modwire_tools.scraping import Scrape, ScrapeOptions
from modwire_tools.simulator.files import read_device, write_device

# A busy machine may need most of it: the threads of client, line and server take turns.
pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

PATIENCE = 20.0  # seconds: every device here answers every request
LINE_SPAN = 50  # a request takes milliseconds on a line


def copy(endpoint: str, units: list[int], path: Path, span: int = SPAN) -> None:
    """Scrape into a file."""
    options = ScrapeOptions(last=span - 1, files=(1, 4), queues=(30, 31), timeout=PATIENCE)
    with connect(endpoint) as client:
        scrape = Scrape(client, units, options)
        for _ in scrape.run():
            pass
        write_device(scrape.device(""), path)


@pytest.mark.parametrize(
    ("name", "form"), [*((name, "toml") for name in DEVICES), ("controller", "json")]
)
def test_the_copy_answers_every_read_like_the_original_over_tcp(
    name: str, form: str, tmp_path: Path
) -> None:
    units = DEVICES[name]()
    path = tmp_path / f"copy.{form}"
    with TcpServer(Units(units), ("127.0.0.1", 0)) as server:
        host, port = server.address
        copy(f"tcp://{host}:{port}", list(units), path)
        with connect(f"tcp://{host}:{port}?timeout={PATIENCE:g}") as client:
            expected = answers_of(client, list(units))
    copied = read_device(path)
    with simulated(copied, ["tcp://127.0.0.1:0"]) as view:
        endpoint = view.devices()[0].endpoints[0]
        with connect(f"{endpoint}?timeout={PATIENCE:g}") as client:
            found = answers_of(client, list(units))
    assert {key: found[key] for key in expected if found[key] != expected[key]} == {}
    assert found == expected


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals")
@pytest.mark.parametrize("name", ["transducer", "several"])
def test_the_copy_answers_every_read_like_the_original_over_rtu(name: str, tmp_path: Path) -> None:
    units = DEVICES[name]()
    path = tmp_path / "copy.toml"
    with SerialLine() as line:
        settings = f"?baudrate=115200&timeout={PATIENCE:g}"
        server = SerialServer(Units(units), line.right, baudrate=115200)
        with server:
            copy(f"rtu://{line.left}{settings}", list(units), path, LINE_SPAN)
            with connect(f"rtu://{line.left}{settings}") as client:
                expected = answers_of(client, list(units), LINE_SPAN)
        served = simulated(read_device(path), [f"rtu://{line.right}?baudrate=115200"])
        with served, connect(f"rtu://{line.left}{settings}") as client:
            found = answers_of(client, list(units), LINE_SPAN)
    assert {key: found[key] for key in expected if found[key] != expected[key]} == {}
    assert found == expected


def test_a_function_without_an_answer_is_copied_as_silence(tmp_path: Path) -> None:
    """The original has no link here, so that no timeout decides what counts as silence."""

    def silent(request: object) -> None:
        if isinstance(request, ReportServerIdRequest):
            raise ResponseTimeoutError

    path = tmp_path / "copy.toml"
    original = Direct(Unit(holding_registers=SequentialBlock(0, [7])), silent)
    scrape = Scrape(original, [1], ScrapeOptions(last=9))
    for _ in scrape.run():
        pass
    write_device(scrape.device(""), path)
    with (
        simulated(read_device(path), ["tcp://127.0.0.1:0"]) as view,
        connect(view.devices()[0].endpoints[0]) as client,
    ):
        assert client.read_holding_registers(0, timeout=PATIENCE) == [7]
        with pytest.raises(ResponseTimeoutError):
            client.report_server_id(timeout=0.2)

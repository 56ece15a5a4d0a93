"""The same programs for each package: examples/sync, trio, gevent and asyncio."""

from __future__ import annotations

import os
import re
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import ndiff
from pathlib import Path
from subprocess import Popen
from time import monotonic

import pytest

from modwire import (
    GatewayPathUnavailableError,
    SequentialBlock,
    ServerDeviceFailureError,
    Unit,
)
from modwire_sync import TcpClient
from programs import PATIENCE, changed, free_port, run, serving, started
from pytest_modwire import DeviceFactory

has_ptys = pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals")

EXAMPLES = Path(__file__).parents[1] / "examples"
PROGRAMS = {
    "client",
    "custom_function",
    "performance",
    "poller",
    "rtu_over_tcp",
    "serial_forwarder",
    "serial_gateway",
    "server",
    "updating_server",
    "write_callbacks",
}


@pytest.fixture(params=["sync", "trio", "gevent", "asyncio"])
def folder(request: pytest.FixtureRequest) -> Path:
    found: Path = EXAMPLES / request.param
    return found


def example(folder: Path, name: str, tmp_path: Path, changes: dict[str, str]) -> Path:
    """A copy of an example with other numbers in it."""
    source = (folder / f"{name}.py").read_text(encoding="utf-8")
    return changed(source, changes, tmp_path / f"{name}.py")


@contextmanager
def example_server(folder: Path, name: str, tmp_path: Path) -> Iterator[tuple[Popen[str], int]]:
    port = free_port()
    with serving(example(folder, name, tmp_path, {"5020": str(port)}), port) as process:
        yield process, port


def register_7(value: int) -> Unit:
    return Unit(holding_registers=SequentialBlock(7, [value]))


def test_every_program_is_there_and_is_run_by_a_test(folder: Path) -> None:
    assert {path.stem for path in folder.glob("*.py")} == PROGRAMS


# What may be different in the program for another package: its name, and how it starts and stops.
DIFFERENT = re.compile(
    r"trio|asyncio|serve|Server|nursery|host, port|async with|^with|callers|gather|partial|"
    r"AsyncExitStack|CALLERS|Client\(\*|monotonic|^[)(]"
)


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_from_trio_to_asyncio_a_program_changes_how_it_starts_and_stops(name: str) -> None:
    trio, asyncio = (
        [line.strip() for line in (EXAMPLES / package / f"{name}.py").read_text().splitlines()]
        for package in ("trio", "asyncio")
    )
    changes = [line for line in ndiff(trio, asyncio) if line[0] in "+-"]
    assert [line for line in changes if not DIFFERENT.search(line[2:]) and line[2:]] == []


def test_the_client_reads_and_writes_the_server(folder: Path, tmp_path: Path) -> None:
    with example_server(folder, "server", tmp_path) as (_, port):
        assert run(example(folder, "client", tmp_path, {"5020": str(port)})) == [
            "[2304, 2311, 2297]",
            "[30, 40]",
            f"tcp://127.0.0.1:{port}, unit 1: exception 02 (illegal data address) in answer to "
            "ReadHoldingRegistersRequest(address=100, count=1)",
        ]


def test_the_poller_hands_readings_to_its_endpoint(folder: Path, tmp_path: Path) -> None:
    with example_server(folder, "server", tmp_path) as (_, port):
        poller = example(
            folder, "poller", tmp_path, {"5020": str(port), "PERIOD = 1.0": "PERIOD = 0.01"}
        )
        assert run(poller, 3) == ["230.4 V 231.1 V 229.7 V"] * 3


def test_the_poller_goes_on_when_the_meter_is_gone(folder: Path, tmp_path: Path) -> None:
    changes = {"5020": str(free_port()), "PERIOD = 1.0": "PERIOD = 0.01"}
    lines = run(example(folder, "poller", tmp_path, changes), 2, warns=True)
    assert [line.partition(":")[0] for line in lines] == ["no reading"] * 2


def test_the_values_of_the_updating_server_change(folder: Path, tmp_path: Path) -> None:
    with (
        example_server(folder, "updating_server", tmp_path) as (_, port),
        TcpClient("127.0.0.1", port) as client,
    ):
        first = client.read_input_registers(0, 3)
        give_up = monotonic() + PATIENCE
        while client.read_input_registers(0, 3) == first:
            assert monotonic() < give_up, "the values do not change"
        assert all(2200 < value < 2400 for value in client.read_input_registers(0, 3))


def test_the_callbacks_see_what_is_written(folder: Path, tmp_path: Path) -> None:
    with (
        example_server(folder, "write_callbacks", tmp_path) as (process, port),
        TcpClient("127.0.0.1", port) as client,
    ):
        client.write_register(0, 75)
        client.write_coil(0, True)
        with pytest.raises(ServerDeviceFailureError):
            client.write_register(0, 101)
        client.write_coil(0, False)
        assert process.stdout is not None
        printed = [process.stdout.readline() for _ in range(3)]
        assert printed == ["setpoint 75 %\n", "motor on\n", "motor off\n"]
        assert client.read_holding_registers(0) == [75]


@pytest.mark.parametrize("name", ["server", "write_callbacks", "serial_gateway"])
def test_ctrl_c_ends_a_server_without_a_traceback(folder: Path, name: str, tmp_path: Path) -> None:
    with example_server(folder, name, tmp_path) as (process, port):
        with TcpClient("127.0.0.1", port, unit=100 if name == "serial_gateway" else 1) as client:
            client.read_holding_registers(0)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0


def test_rtu_frames_go_through_a_tcp_connection(folder: Path) -> None:
    assert run(folder / "rtu_over_tcp.py") == ["[555, 0, 100]"] * 2


@has_ptys
def test_the_gateway_reaches_a_serial_line(
    folder: Path, tmp_path: Path, modbus_device: DeviceFactory
) -> None:
    device = modbus_device({17: register_7(1234), 18: register_7(1235)}, "rtu")
    port = free_port()
    changes = {"5020": str(port), "/dev/ttyUSB0": device.path, "timeout=0.5": "timeout=20"}
    script = example(folder, "serial_gateway", tmp_path, changes)
    with serving(script, port), TcpClient("127.0.0.1", port) as client:
        assert client.read_holding_registers(7, unit=1) == [1234]
        assert client.read_holding_registers(7, unit=2) == [1235]
        assert client.read_holding_registers(7, unit=100) == [0]
        with pytest.raises(GatewayPathUnavailableError):
            client.read_holding_registers(7, unit=3)
    assert [each.unit for each in device.requests] == [17, 18]


@has_ptys
def test_the_forwarder_reaches_devices_on_tcp(
    folder: Path, tmp_path: Path, modbus_device: DeviceFactory
) -> None:
    from server_peers import line, rtu

    device = modbus_device({2: register_7(1234)})
    with line() as cable:
        changes = {"5020": str(device.port), "/dev/ttyUSB0": cable.port}
        script = example(folder, "serial_forwarder", tmp_path, changes)
        with started(script) as process:
            give_up = monotonic() + PATIENCE
            while not select.select([cable.far], [], [], 0.2)[0]:  # it may not listen yet
                assert monotonic() < give_up, "it does not answer"
                assert process.poll() is None, "it has ended"
                cable.send(rtu("0300070001", unit=2))
            answer = rtu("030204d2", unit=2)
            assert cable.receive(len(answer)) == answer


def test_a_function_of_ones_own_works_in_every_framing(folder: Path) -> None:
    lines = run(folder / "custom_function.py")
    assert [re.sub(r"tcp://127.0.0.1:\d+, ", "", line) for line in lines] == [
        "tcp: 5120 W, 95 minutes ago",
        "rtu: 5120 W, 95 minutes ago",
        "ascii: 5120 W, 95 minutes ago",
        "binary: 5120 W, 95 minutes ago",
        "a server without it: unit 1: exception 01 (illegal function) in answer to "
        "ReadPeakRequest(phase=2)",
    ]


def test_the_performance_check_counts_requests(folder: Path, tmp_path: Path) -> None:
    lines = run(example(folder, "performance", tmp_path, {"CALLS = 2000": "CALLS = 160"}))
    pattern = r"(\d+ callers?): ([\d,]+) requests per second, median [\d.]+ ms, 99 % within .+ ms"
    found = [re.fullmatch(pattern, line) for line in lines]
    assert [match and match[1] for match in found] == ["1 caller", "16 callers"]
    assert all(match and int(match[2].replace(",", "")) > 0 for match in found)


def test_the_performance_check_asks_the_server_it_is_given(folder: Path, tmp_path: Path) -> None:
    changes = {"CALLS = 2000": "CALLS = 160", "registers(0, 10)": "registers(0, 2)"}
    with example_server(folder, "server", tmp_path) as (_, port):
        script = example(folder, "performance", tmp_path, changes)
        assert len(run(script, "127.0.0.1", port)) == 2

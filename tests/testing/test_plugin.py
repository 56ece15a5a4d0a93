"""The plugin in the tests of a user: the report of a failure, the end of each test, and xdist."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

import pytest

from modwire import SequentialBlock, Unit
from pytest_modwire import Device

pytest_plugins = ["pytester"]

PREPARED = """
import threading
import pytest
from modwire import SequentialBlock, Unit
from modwire_sync import connect

def meter():
    return Unit(holding_registers=SequentialBlock(0, [15, 40]))
"""


@pytest.fixture
def run(pytester: pytest.Pytester) -> pytest.Pytester:
    """A directory for the tests of a user, run in a process of their own."""
    packages = [str(each) for each in sys.path if each.endswith("src")]
    pytester._monkeypatch.setenv("PYTHONPATH", os.pathsep.join(packages))
    return pytester


def outcome(run: pytest.Pytester, tests: str, *arguments: str) -> pytest.RunResult:
    run.makepyfile(PREPARED + tests)
    return run.runpytest_subprocess("-p", "pytest_modwire", "-W", "error", *arguments)


def test_three_lines_are_a_test(run: pytest.Pytester) -> None:
    result = outcome(
        run,
        """
def test_the_setpoint(modbus_device):
    device = modbus_device(meter())
    connect(device.endpoint).write_register(0, 30)
    assert device.holding_registers[0] == 30
""",
    )
    result.assert_outcomes(passed=1)
    assert "Modbus device" not in result.stdout.str()


def test_a_failure_shows_the_requests_and_a_success_does_not(run: pytest.Pytester) -> None:
    result = outcome(
        run,
        """
def test_it_passes(modbus_device):
    device = modbus_device(meter())
    with connect(device.endpoint) as client:
        client.read_holding_registers(1)

def test_it_fails(modbus_device):
    line, device = modbus_device(meter(), "rtu"), modbus_device({7: meter()})
    device.faults.silence(function=6)
    with connect(device.endpoint) as client:
        client.read_holding_registers(0, 2)
        client.write_register(0, 30, timeout=0.1)
""",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.re_match_lines(
        [
            r"-+ Modbus device rtu:///dev/.* -+",
            r"no request came",
            r"-+ Modbus device tcp://127.0.0.1:\d+\?unit=7 -+",
            r"2 requests came:",
            r" +[\d.]+ s  unit 7: ReadHoldingRegistersRequest\(address=0, count=2\) -> "
            r"ReadHoldingRegistersResponse\(registers=\(15, 40\)\) after [\d.]+ ms",
            r" +[\d.]+ s  unit 7: WriteSingleRegisterRequest\(address=0, value=30\) -> "
            r"no answer \(silence\) after [\d.]+ ms",
            r"active faults: silence",
        ]
    )
    assert result.stdout.str().count("- Modbus device") == 2


def test_a_failure_of_another_fixture_shows_the_requests(run: pytest.Pytester) -> None:
    result = outcome(
        run,
        """
@pytest.fixture
def device(modbus_device):
    device = modbus_device(meter())
    with connect(device.endpoint) as client:
        client.read_holding_registers(0)
        client.read_holding_registers(9)

def test_it(device):
    pass
""",
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*Modbus device tcp://*", "2 requests came:", "*exception 02, illegal data address*"]
    )


def test_everything_is_closed_if_a_test_fails(run: pytest.Pytester) -> None:
    result = outcome(
        run,
        """
import os

@pytest.fixture(autouse=True)
def nothing_is_left():
    yield
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(30.0)  # it is told to end, and may need a moment
    assert threading.active_count() == 1

@pytest.mark.parametrize("scheme", ["tcp", "udp", "rtu", "ascii+tcp"])
@pytest.mark.parametrize("turn", range(3))
def test_it_fails(scheme, turn, modbus_device):
    device = modbus_device(meter(), scheme)
    device.faults.delay(100, function=6)
    with connect(device.endpoint) as client:
        client.read_holding_registers(0)
        client.write_register(0, 1, timeout=0.05)

def test_descriptors(modbus_device):
    if os.path.isdir("/proc/self/fd"):
        before = len(os.listdir("/proc/self/fd"))
        device = modbus_device(meter())
        assert len(os.listdir("/proc/self/fd")) > before
        device.close()
        assert len(os.listdir("/proc/self/fd")) == before < 20
""",
    )
    result.assert_outcomes(passed=1, failed=12)


def test_an_error_of_a_unit_fails_no_teardown_and_is_logged(run: pytest.Pytester) -> None:
    result = outcome(
        run,
        """
class Broken(Unit):
    def execute(self, request, *, broadcast=False):
        raise RuntimeError("the meter burns")

def test_it(modbus_device):
    with connect(modbus_device(Broken()).endpoint) as client:
        client.read_coils(0)
""",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*the meter burns*", "*Modbus device*", "*exception 04, server device failure*"]
    )


def test_a_unit_that_hangs_is_an_error_of_the_teardown(
    run: pytest.Pytester,
) -> None:
    result = outcome(
        run,
        """
hold = threading.Event()

class Hanging(Unit):
    def execute(self, request, *, broadcast=False):
        hold.wait(30)

def test_it(modbus_device):
    with connect(modbus_device(Hanging()).endpoint) as client:
        with pytest.raises(TimeoutError):
            client.read_coils(0, timeout=0.1)

def test_release():
    hold.set()
""",
    )
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*RuntimeError: tcp://*: a unit hangs in a request at the end"])


def test_devices_of_many_processes_do_not_meet(run: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    result = outcome(
        run,
        """
@pytest.mark.parametrize("number", range(24))
@pytest.mark.parametrize("scheme", ["tcp", "udp", "rtu"])
def test_it(modbus_device, scheme, number):
    device = modbus_device(meter(), scheme)
    device.holding_registers[0] = number
    with connect(device.endpoint) as client:
        assert client.read_holding_registers(0) == [number]
    assert len(device.requests) == 1
    assert (number, scheme) != (20, "udp")
""",
        "-n",
        "2",
    )
    result.assert_outcomes(passed=71, failed=1)
    result.stdout.fnmatch_lines(["*Modbus device udp://*", "1 request came:"])


def test_a_device_of_a_wider_scope_is_made_with_the_class(run: pytest.Pytester) -> None:
    result = outcome(
        run,
        """
from pytest_modwire import Device

@pytest.fixture(scope="module")
def device():
    with Device(meter(), "rtu+tcp") as device:
        yield device

@pytest.mark.parametrize("count", [1, 2])
def test_it(device, count):
    with connect(device.endpoint) as client:
        client.read_holding_registers(0)
    assert len(device.requests) == count
""",
    )
    result.assert_outcomes(passed=2)


def test_the_plugin_is_one_however_it_is_loaded(run: pytest.Pytester, tmp_path: Path) -> None:
    """By its entry point, as when it is installed, by `-p` and by a conftest, all at once."""
    place = tmp_path / "installed" / "pytest_modwire-1.dist-info"
    place.mkdir(parents=True)
    (place / "METADATA").write_text("Metadata-Version: 2.1\nName: pytest-modwire\nVersion: 1\n")
    text = (Path(__file__).parents[2] / "packages/testing/pyproject.toml").read_text()
    found = re.search(r"^\[project.entry-points.pytest11\]\n(.*)$", text, re.MULTILINE)
    assert found is not None
    line = found[1].replace('"', "")
    (place / "entry_points.txt").write_text(f"[pytest11]\n{line}\n")
    path = f"{place.parent}{os.pathsep}{os.environ['PYTHONPATH']}"
    run._monkeypatch.setenv("PYTHONPATH", path)
    run.makeconftest("pytest_plugins = ['pytest_modwire']")
    run.makepyfile(
        PREPARED + "def test_it(modbus_device):\n    modbus_device(meter())\n    assert 0"
    )
    for arguments in ((), ("-p", "pytest_modwire")):
        result = run.runpytest_subprocess(*arguments)
        result.assert_outcomes(failed=1)
        assert result.stdout.str().count("- Modbus device") == 1
    run.makeconftest("")
    run.runpytest_subprocess().assert_outcomes(failed=1)


def test_a_device_takes_less_than_50_ms() -> None:
    """The goal is that nobody avoids the fixture because it is slow."""
    for scheme in ("tcp", "udp", "rtu"):
        times: list[float] = []
        for _ in range(11):
            began = perf_counter()
            with Device(Unit(holding_registers=SequentialBlock(0, [1])), scheme):
                pass
            times.append(perf_counter() - began)
        assert median(times) < 0.05, scheme

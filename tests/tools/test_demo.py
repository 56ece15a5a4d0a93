"""`modwire demo`, which `make demo` runs: the first impression of a user must be right."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest

from modwire import Unit
from modwire_command import good, modwire, started
from modwire_tools.demo import demonstrate
from modwire_tools.demo.meter import make_meter
from programs import run

# Starting a process takes seconds on a busy machine.
pytestmark = pytest.mark.timeout(300)

# The values that the demo sets in the meter, or writes to it.
METER = {
    "voltage_l1": "230.4",
    "voltage_l2": "231.1",
    "voltage_l3": "229.7",
    "current_l1": "4.82",
    "current_l2": "5.17",
    "current_l3": "4.55",
    "frequency": "49.98",
    "power_factor": "-0.962",
    "active_power": "3218.25",
    "energy": "18462.903",
    "phase_missing": "off",
    "cover_closed": "on",
    "demand_period": "30",
    "ct_ratio": "40",
    "power_limit": "4200.5",
    "relay_1": "on",
    "relay_2": "on",
}
DEMO_RTU_REQUEST = "01 04 00 00 00 03 b0 0b"
DEMO_RTU_RESPONSE_PDU = "04 06 09 00 09 07 08 f9"
PACKAGES = [name for name in ("asyncio", "trio", "gevent") if find_spec(f"modwire_{name}")]
VALUES = 34 * (1 + len(PACKAGES))  # read over TCP and RTU with sync and these
has_ptys = pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals")
ROOT = Path(__file__).parents[2]


def demonstrated(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the output of the first part."""
    assert demonstrate() == []
    return capsys.readouterr().out.splitlines()


def fields(lines: list[str], title: str) -> bytes:
    """Return the bytes that the demo explains under `title`, joined again."""
    start = next(at for at, line in enumerate(lines) if line.startswith(title)) + 1
    found = b""
    for line in lines[start:]:
        match = re.match(r" +(\d+)  ((?:[0-9a-f]{2} )+) +\S", line)
        if match is None:
            break
        assert int(match[1]) == len(found)
        found += bytes.fromhex(match[2])
    return found


@has_ptys
def test_the_demo_reads_what_was_put_in_over_both_links(capsys: pytest.CaptureFixture[str]) -> None:
    lines = demonstrated(capsys)
    rows = [line for line in lines if re.match(r"\w{2,14} +(co|di|hr|ir):\d", line)]
    table = {line.split()[0]: line.split()[-3:] for line in rows}
    assert table.keys() == METER.keys()
    for name, text in METER.items():
        assert table[name].count(text) == 2, name
    assert [f"  through modwire_{name}, over TCP and RTU" for name in PACKAGES] == (
        lines[-2 - len(PACKAGES) : -2]
    )
    assert lines[-1] == f"All {VALUES} values are what was put in or written."
    assert max(map(len, lines)) < 80


@has_ptys
def test_the_demo_explains_the_bytes_of_a_real_exchange(capsys: pytest.CaptureFixture[str]) -> None:
    lines = demonstrated(capsys)
    assert fields(lines, "RTU request").hex(" ") == DEMO_RTU_REQUEST
    assert fields(lines, "RTU response")[1:-2].hex(" ") == DEMO_RTU_RESPONSE_PDU
    request, response = fields(lines, "TCP request"), fields(lines, "TCP response")
    assert request[2:].hex(" ") == "00 00 00 06 01 04 00 00 00 03"
    assert response[2:].hex(" ") == f"00 00 00 09 01 {DEMO_RTU_RESPONSE_PDU}"
    assert request[:2] == response[:2]
    assert "\n".join(lines).count("low byte first: right") == 2


def test_the_demo_fails_if_a_value_is_not_what_was_put_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """`make demo` is also a check: exit code 0 means that all values were right."""

    def make_wrong_meter() -> Unit:
        meter = make_meter()
        assert meter.input_registers is not None
        meter.input_registers.write(1, [2312])
        return meter

    monkeypatch.setattr("modwire_tools.demo.demonstration.make_meter", make_wrong_meter)
    result = modwire("demo", "--once")
    assert result.code == 1
    assert "voltage_l2 over TCP is 231.2, not 231.1" in result.err


def test_the_demo_does_without_pseudo_terminals(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On Windows it uses only TCP, and says so."""
    monkeypatch.delattr(os, "openpty", raising=False)
    lines = demonstrated(capsys)
    assert "  (and not over RTU: this system has no pseudo-terminals)" in lines
    assert lines[-1] == f"All {VALUES // 2} values are what was put in or written."


def test_the_demo_ends_with_a_page_that_answers() -> None:
    """It runs as a process in Python's development mode, to check that nothing is left open."""
    lines = run("-m", "modwire_tools", "demo", "--once")
    assert f"All {VALUES} values are what was put in or written." in lines
    assert re.fullmatch(r"  its page  http://127\.0\.0\.1:\d+/", lines[-4])
    assert re.fullmatch(r"The page answers, and Voltage L1 is 2\d\d\.\d V\.", lines[-1])


def test_the_demo_lives_until_ctrl_c() -> None:
    with started("demo") as demo:
        link = demo.read_until(r"its page  (http://127\.0\.0\.1:\d+/)")[1]
        endpoint = demo.read_until(r"over TCP  (tcp://127\.0\.0\.1:\d+)\s+try")[1] + "?timeout=20"
        demo.read_until("Ctrl")
        with build_opener(ProxyHandler({})).open(link, timeout=20) as page:
            assert b"<html" in page.read()
        assert re.fullmatch(
            r"ir:0\t2\d\d(\.\d)?\n", good("read", endpoint, "ir:0", "--scale", "0.1")
        )
        assert demo.interrupt() == 130
        assert "Traceback" not in demo.text


def test_the_demo_names_a_command_that_can_be_typed(tmp_path: Path) -> None:
    """`make demo` installs `modwire` in a virtual environment that is not activated."""
    python = Path(sys.executable)
    folder = python.parent.resolve()
    shown = subprocess.run(
        [folder / python.name, "-m", "modwire_tools", "demo", "--once"],
        cwd=folder.parent,
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    ).stdout
    assert f"  try       {folder.name}/modwire read tcp://127.0.0.1:" in shown


def test_make_demo_is_this_command() -> None:
    shown = subprocess.run(
        ["make", "-n", "demo", "ONCE=1", f"PYTHON={sys.executable}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "-m modwire_tools demo --once" in shown.stdout

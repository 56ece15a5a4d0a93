"""The benchmarks run: `make bench` must not fail on whoever wants to check a claim of speed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parents[1] / "benchmarks" / "run.py"

LOADS = (
    "1 connection",
    "50 connections",
    "1,000 connections",
    "1 connection, 16 pipelined",
)
# A family and what its rows are called.
ROWS = {
    "codec": [
        f"{message}, {framing}"
        for framing in ("TCP", "RTU")
        for message in (
            "FC3, 10 registers",
            "FC3, 125 registers",
            "FC16, 123 registers",
            "FC1, 2000 coils",
            "FC15, 1968 coils",
        )
    ],
    "stream": [
        "4 KiB of responses of 10 registers, TCP",
        "4 KiB of requests, TCP",
        "4 KiB of responses of 10 registers, RTU",
        "4 KiB of requests, RTU",
    ],
    "client": ["FC3 of 10, one connection"],
    "server": [f"FC3 of 10, {load} |" for load in LOADS],
    **{
        family: [
            f"{family} client: FC3 of 10, 1 caller |",
            f"{family} client: FC3 of 10, 16 callers on one connection |",
            f"{family} client: FC3 of 10, 16 callers, server on another processor |",
            *(f"{family} server: FC3 of 10, {load} |" for load in LOADS),
        ]
        for family in ("trio", "gevent")
    },
    "import": [
        "`import modwire_sync`, time over a bare interpreter",
        "`import modwire_sync`, memory over a bare interpreter",
    ],
    "crc": [f"CRC-16 of {size} bytes" for size in (6, 25, 64, 253)],
    "messages": ["construct request and response", "define 40 classes"],
    "planner": [
        *(
            f"{points}, {link} |"
            for points in (
                "three-phase meter, 44 floats",
                "inverter, 26 points in 4 models",
                "controller, 25 clusters",
                "20 blocks of 60 registers, 6 apart",
                "200 points strewn over 4,000",
                "400 coils strewn over 8,000",
            )
            for link in ("RTU 9600", "TCP")
        ),
        "10,000 points, RTU 9600",
        "10,000 points, TCP",
        "9,961 points, 100 addresses forbidden",
    ],
}
STORES = [
    f"{store}: {request} |"
    for store in ("Redis", "PostgreSQL", "SQLite")
    for request in (
        "FC3, 10 registers",
        "FC16, 10 registers of 640",
        "FC16, the same 10 registers",
        "FC23, the same 10 registers",
    )
]
LINUX_ONLY = {"server", "client", "trio", "gevent", "import"}  # epoll, /proc


@pytest.mark.parametrize("family", ROWS)
def test_each_family_runs_and_prints_every_row(family: str) -> None:
    """A row that went missing would be a claim that nobody measures any more."""
    if family in LINUX_ONLY and not sys.platform.startswith("linux"):
        pytest.skip(f"{family} is measured on Linux only")
    done = subprocess.run(
        [sys.executable, str(RUN), family, "--quick"],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = ROWS[family]
    if "too few files may be open" in done.stdout:
        rows = [row for row in rows if "1,000 connections" not in row]
    if "there is no second processor" in done.stdout:
        rows = [row for row in rows if "another processor" not in row]
    missing = [row for row in rows if f"| {row}" not in done.stdout]
    assert not missing, done.stdout
    if family == "planner":  # computed, not measured: no other tool's requests cost less
        assert not re.findall(r"(?m)^\| (?!\d+,\d+ points).*missed.*", done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the load is an epoll loop")
def test_several_processes_on_one_store_are_measured(tmp_path: Path) -> None:
    """It fails by itself where the store has not what was written."""
    store = f"sqlite:///{tmp_path / 'registers.db'}"
    arguments = [store, "--processes", "2", "--seconds", "0.1"]
    done = subprocess.run(
        [sys.executable, str(RUN.parent / "stores.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = [row.replace("SQLite", "sqlite") for row in STORES if row.startswith("SQLite")]
    missing = [row for row in rows if f"| {row}" not in done.stdout]
    assert not missing, done.stdout


def test_the_page_has_a_table_of_every_family() -> None:
    """README.md is where the claims of speed are looked up."""
    page = (RUN.parent / "README.md").read_text(encoding="utf-8")
    rows = [*(row for rows in ROWS.values() for row in rows), *STORES]
    missing = [row for row in rows if f"| {row}" not in page]
    assert not missing


@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
def test_many_simulated_devices_can_be_polled() -> None:
    arguments = ["--devices", "20", "--seconds", "1"]
    result = subprocess.run(
        [sys.executable, str(RUN.with_name("simulator.py")), *arguments],
        capture_output=True,
        text=True,
        timeout=50,
    )
    # A busy machine may be late; an answer that is wrong is none of its faults.
    assert "| 20 | 20 |" in result.stdout, result.stderr
    assert result.stdout.splitlines()[-1].split("|")[4].strip() == "0"

"""Exit codes are those that `--help` documents, for every command."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from modwire import SequentialBlock, Unit, Units
from modwire_command import good, modwire, process, started
from modwire_sync import TcpServer
from modwire_tools.cli.app import COMMANDS, FAILURES
from modwire_tools.cli.ending import DONE, FAILED, INTERRUPTED, WRONG_ARGUMENT
from peers import refusing_port
from reference_readers import LISTS

pytestmark = pytest.mark.timeout(300)
SILENT = ("--units", "7", "--timeout", "20ms")


def test_the_codes_are_documented() -> None:
    assert (DONE, FAILED, WRONG_ARGUMENT, INTERRUPTED) == (0, 1, 2, 130)
    assert FAILURES.keys() == COMMANDS.keys()
    for name in COMMANDS:
        text = " ".join(good(name, "--help").split())
        expected = f"Exit codes: 0 success; 1 {FAILURES[name]}; 2 an argument was wrong; 130 Ctrl+C"
        assert expected in text, name
    assert "Exit codes: 0 success; 1 the device or the link failed" in " ".join(
        good("--help").split()
    )


# The words of each command that succeeds: ENDPOINT is a device, FOLDER a new folder.
SUCCESSES = {
    "read": "ENDPOINT hr:0",
    "write": "ENDPOINT hr:0=1 --verify",
    "scan": "ENDPOINT --units 1",
    "bench": "ENDPOINT --requests 3",
    "scrape": "ENDPOINT -o FOLDER/copy.toml --unit 1 --addresses 0..9",
    "map": "import LISTS/plain.csv -o FOLDER/plain.toml",
    "parse": "0103006b00037417",
    "sniff": "/dev/null",
    "generate": "3",
    "pki": "",
}
FAILING = {
    "read": [
        "ENDPOINT hr:60",
        "NOBODY hr:0",
        "ENDPOINT hr:0 hr:60",
        "ENDPOINT hr:0 --device FOLDER/x",
    ],
    "write": ["ENDPOINT hr:60=1", "NOBODY hr:0=1", "ENDPOINT hr:49=1"],
    "scan": [
        f"ENDPOINT {' '.join(SILENT)}",
        "ENDPOINT --table hr --addresses 60..70",
        "NOBODY",
        "ENDPOINT --units 1 --resume FOLDER/no/scan.json",
    ],
    "bench": ["ENDPOINT -a hr:60 --requests 2", "NOBODY"],
    "scrape": ["NOBODY -o FOLDER/copy.toml", "ENDPOINT -o FOLDER/a.toml --unit 9 --timeout 20ms"],
    "map": ["import LISTS/modbus.yml -o FOLDER --name meter --unit 7", "class FOLDER/no.toml"],
    "poll": ["FOLDER/no.toml", "check FOLDER/no.toml"],
    "gateway": ["tcp://192.0.2.7:1 NOBODY", "tcp://127.0.0.1:0 rtu:///dev/no-such-port"],
    "serve": ["tcp://192.0.2.7:1", "rtu:///dev/no-such-port"],
    "simulate": ["--tcp 192.0.2.7:1", "FOLDER/no.toml", "--serial /dev/no-such-port"],
    "parse": ["FOLDER/no.pcap"],
    "pki": ["show FOLDER", "init FOLDER/no/folder"],
    "sniff": ["FOLDER/no.bin", "rtu:///dev/no-such-port", "/dev/null -o FOLDER/no/bus.pcap"],
}  # fmt: skip
WRONG = {
    "read": "ENDPOINT hr:x",
    "write": "ENDPOINT hr:0=x",
    "scan": "ENDPOINT --units x",
    "ports": "x",
    "bench": "ENDPOINT --requests 0",
    "scrape": "ENDPOINT -o FOLDER/x.txt",
    "map": "import LISTS/plain.csv -o FOLDER/x.txt",
    "poll": "FOLDER/a.toml FOLDER/b.toml",
    "gateway": "tcp://:0 x",
    "serve": "tcp://:0 --units 300",
    "simulate": "--devices 0",
    "gui": "--port 70000",
    "parse": "zz",
    "sniff": "tcp://x",
    "generate": "99",
    "pki": "x",
    "demo": "x",
}


@pytest.fixture
def words(endpoint: str, tmp_path: Path) -> Callable[[str], list[str]]:
    """Return a function that puts the endpoint and the folder into words."""
    with refusing_port() as port:
        nobody = f"tcp://127.0.0.1:{port}"

    def replaced(text: str) -> list[str]:
        text = text.replace("ENDPOINT", endpoint).replace("NOBODY", nobody)
        text = text.replace("LISTS", str(LISTS))
        return text.replace("FOLDER", str(tmp_path)).split()

    return replaced


@pytest.mark.parametrize("name", SUCCESSES)
def test_success_is_0(name: str, words: Callable[[str], list[str]]) -> None:
    assert modwire(name, *words(SUCCESSES[name])).code == 0


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name, texts in FAILING.items() for text in texts]
)
def test_a_failure_is_1(name: str, text: str, words: Callable[[str], list[str]]) -> None:
    result = modwire(name, *words(text))
    assert result.code == 1
    assert result.err.startswith("modwire: ") or "\nmodwire: " in result.err


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_argument_is_2(name: str, words: Callable[[str], list[str]]) -> None:
    result = modwire(name, *words(WRONG[name]))
    assert (result.out, result.code) == ("", 2)
    assert result.err.startswith("modwire: ")


def test_every_command_has_a_wrong_argument() -> None:
    assert WRONG.keys() == COMMANDS.keys()


RUNNING = [
    ("read", "ENDPOINT hr:0 --watch 10ms", r"hr:0\t\d"),
    ("scan", "ENDPOINT --units 2..250 --timeout 30s -v", "sent"),
    ("bench", "ENDPOINT --duration 100s", "Ctrl\\+C ends it early"),
    ("gateway", "tcp://127.0.0.1:0 ENDPOINT", "Ctrl\\+C ends"),
    ("serve", "tcp://127.0.0.1:0", "Ctrl\\+C ends"),
    ("simulate", "--tcp 0", "Ctrl\\+C ends"),
]


@pytest.mark.parametrize(("name", "text", "said"), RUNNING, ids=[each[0] for each in RUNNING])
def test_ctrl_c_is_130(name: str, text: str, said: str, words: Callable[[str], list[str]]) -> None:
    with started(name, *words(text), terminal=name == "bench") as running:
        running.read_until(said)
        assert running.interrupt() == 130
    assert "Traceback" not in running.text


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGTERM")
@pytest.mark.parametrize(
    ("name", "text", "said"),
    [each for each in RUNNING if each[0] in ("gateway", "serve", "simulate")],
)
def test_a_service_that_is_stopped_ends_with_0(
    name: str, text: str, said: str, words: Callable[[str], list[str]]
) -> None:
    assert re.search("130 Ctrl\\+C, and 0 for SIGTERM", " ".join(good(name, "--help").split()))
    with started(name, *words(text)) as running:
        running.read_until(said)
        running.child.send_signal(signal.SIGTERM)
        assert running.wait() == 0


def test_a_value_that_the_device_does_not_keep_is_1() -> None:
    block = SequentialBlock(0, [0], on_write=lambda address, values: block.__setitem__(0, 9))
    with TcpServer(Units({1: Unit(holding_registers=block)}), ("127.0.0.1", 0)) as server:
        place = f"tcp://127.0.0.1:{server.address[1]}"
        assert modwire("write", place, "hr:0=1", "--verify").code == 1


def test_the_codes_are_those_of_the_process(words: Callable[[str], list[str]]) -> None:
    for text, code in (("ENDPOINT hr:0", 0), ("ENDPOINT hr:60", 1), ("ENDPOINT hr:x", 2)):
        assert process("read", *words(text)).code == code

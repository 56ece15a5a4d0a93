"""`modwire poll` as a command: checking, reading once, signals, reloading, and exit codes."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
from pathlib import Path
from urllib.request import urlopen

import pytest

from modwire import SequentialBlock, Unit, Units
from modwire_command import COMMAND, PATIENCE, modwire, started
from modwire_sync import TcpServer
from polled_plant import device


@pytest.fixture
def served():  # type: ignore[no-untyped-def]
    unit = Unit(
        coils=SequentialBlock(0, [True] * 20), holding_registers=SequentialBlock(0, [7] * 20)
    )
    with TcpServer(Units.single(unit), ("127.0.0.1", 0)) as server:
        yield server.address[1]


def plant(folder: Path, text: str) -> Path:
    file = folder / "plant.toml"
    file.write_text(text)
    return file


def test_once_prints_each_value_once(served: int, tmp_path: Path) -> None:
    result = modwire("poll", "run", plant(tmp_path, device("tank", served)), "--once")
    assert (result.err, result.code) == ("", 0)
    lines = [json.loads(line) for line in result.out.splitlines()]
    assert [(each["point"], each["value"], each["quality"]) for each in lines] == [
        ("level", 7, "good"),
        ("pump", True, "good"),
    ]


def test_once_fails_if_a_device_does_not_answer(served: int, tmp_path: Path) -> None:
    text = device("tank", served) + device("away", 1)
    result = modwire("poll", plant(tmp_path, text), "--once")
    assert result.code == 1
    assert result.err.endswith("modwire: away: no connection: Connection refused\n")
    assert '"value":7' in result.out


def test_check_says_what_would_be_read(tmp_path: Path) -> None:
    text = device("tank", 5020, tags='{ hall = "3" }').replace('"20ms"', '"1s"')
    text += '[[sink]]\njson = "values.jsonl"\n[spool]\nfile = "values.spool"\nsize = "1MB"\n'
    result = modwire("poll", "check", plant(tmp_path, text))
    assert result.err == ""
    assert result.out.splitlines() == [
        "tcp 127.0.0.1:5020: 1 device, 2 requests per second",
        "  tank: unit 1, tcp://127.0.0.1:5020?timeout=5",
        "    every 1 s: 2 points in 2 requests: coils 0, holding registers 0",
        f"sink: json {tmp_path}/values.jsonl",
        f"spool: {tmp_path}/values.spool, 1000000 bytes, 604800 s",
    ]
    assert result.code == 0


def serial(count: int, interval: str, registers: int, baudrate: int = 9600) -> str:
    return "".join(
        f'[[device]]\nname = "m{unit}"\ninterval = "{interval}"\n'
        f'endpoint = "rtu:///dev/ttyUSB0?baudrate={baudrate}&unit={unit}"\n'
        f'point = [{{ name = "a", at = "hr:0" }}, {{ name = "b", at = "hr:{registers - 1}" }}]\n'
        for unit in range(1, count + 1)
    )


@pytest.mark.parametrize(
    ("text", "load", "said"),
    [
        (serial(10, "1s", 2), "38%", ""),
        (serial(10, "400ms", 2), "94%", "need 94% of the line's time: a device that does"),
        (serial(10, "100ms", 2), "375%", "need 375% of the line's time: choose longer intervals"),
        (serial(1, "1s", 100), "7%", ""),
        (serial(1, "50ms", 1, 300), "", "m1: 1 requests need"),
    ],
)
def test_check_says_how_full_a_serial_line_is(
    text: str, load: str, said: str, tmp_path: Path
) -> None:
    """At 9600 baud a request for 2 registers takes 37.5 ms with the answer after 10 ms."""
    result = modwire("poll", "check", plant(tmp_path, text))
    assert re.search(rf"per second, {load}", result.out)
    assert said in result.err
    assert result.code == bool(said)


def test_all_mistakes_are_printed(tmp_path: Path) -> None:
    text = device("tank", 99999, unit=1, max_gap=-1).replace('"20ms"', '"never"')
    result = modwire("poll", "check", plant(tmp_path, text))
    assert result.code == 2
    assert [re.sub(r".*plant.toml", "", line)[:4] for line in result.err.splitlines()] == [
        ":4: ",
        ":6: ",
        ":7: ",
    ]
    assert result.err.endswith(" (3 mistakes)\n")


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        ((), "PLANT must be one file, got none; see modwire poll --help", 2),
        (("a", "b"), "PLANT must be one file, got a b; see modwire poll --help", 2),
        (("check", "plant.toml", "--once"), "check takes no options: it reads no device", 2),
        (("nix.toml",), "cannot read nix.toml: No such file or directory", 1),
        (("plant.toml", "--watch"), "--watch needs a terminal", 2),
    ],
)
def test_wrong_arguments(
    words: tuple[str, ...], said: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, device("tank", 5020))
    monkeypatch.chdir(tmp_path)
    result = modwire("poll", *words)
    assert result.err == f"modwire: {said}\n"
    assert result.code == code


def test_sigterm_ends_it_and_delivers_what_was_read(served: int, tmp_path: Path) -> None:
    text = device("tank", served) + f'[[sink]]\njson = "{tmp_path}/v.jsonl"\n[[sink]]\ncsv = "-"\n'
    with started("poll", plant(tmp_path, text)) as command:
        command.read_until(r"tank,level,7,mm,good,\n")
        command.child.send_signal(signal.SIGTERM)
        assert command.wait() == 0
    lines = (tmp_path / "v.jsonl").read_text().splitlines()
    assert len(lines) == len(re.findall(r"tank,", command.text))


def test_ctrl_c_is_130(served: int, tmp_path: Path) -> None:
    with started("poll", plant(tmp_path, device("tank", served))) as command:
        command.read_until(r'"value":7')
        assert command.interrupt() == 130
    assert "Traceback" not in command.text


def test_it_ends_when_nobody_reads_its_output(served: int, tmp_path: Path) -> None:
    """As in `modwire poll plant.toml | head`."""
    file = plant(tmp_path, device("tank", served))
    child = subprocess.Popen(
        [*COMMAND, "poll", str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stderr is not None
    assert '"device":"tank"' in child.stdout.readline()
    child.stdout.close()
    assert child.wait(PATIENCE) == 1
    assert child.stderr.read() == ""
    child.stderr.close()


def test_sighup_reads_the_file_again_and_a_mistake_changes_nothing(
    served: int, tmp_path: Path
) -> None:
    sinks = '[[sink]]\njson = "-"\n[[sink]]\nprometheus = "127.0.0.1:0"\n'
    file = plant(tmp_path, device("tank", served) + sinks)
    with started("poll", file) as command:
        url = command.read_until(r"Metrics: (http:\S+)\n")[1]
        command.read_until(r'"device":"tank"')
        file.write_text(device("tank", served) + "[[device]]\nnam = 3\n" + sinks)
        command.child.send_signal(signal.SIGHUP)
        # The mistake comes last: --watch shows the latest sentence.
        command.read_until(
            r"(?s)The plant file was not taken, all goes on as before:\n"
            r".*plant.toml:17: device 2 may have name, .*did you mean name\?"
        )
        count = command.text.count('"device":"tank"')
        command.read_until(rf'(?s)("device":"tank".*){{{count + 2}}}')
        file.write_text(device("tank", served) + device("second", served, 2) + sinks)
        command.child.send_signal(signal.SIGHUP)
        command.read_until(r"read again: 1 devices as before; new or changed: second\.")
        command.read_until(r'"device":"second"')
        file.unlink()
        command.child.send_signal(signal.SIGHUP)
        command.read_until(r"as before:\n.*cannot read .*plant.toml: No such file or directory")
        with urlopen(url) as answer:
            figures = answer.read().decode()
        for outcome, count in (("taken", 1), ("refused", 2)):
            assert f'modwire_poll_reloads_total{{outcome="{outcome}"}} {count}\n' in figures


def test_reload_follows_the_file(served: int, tmp_path: Path) -> None:
    file = plant(tmp_path, device("tank", served))
    with started("poll", file, "--reload") as command:
        command.read_until(r'"device":"tank"')
        file.write_text(device("renamed", served))
        command.read_until(r'"device":"renamed"')


def test_a_second_poller_with_the_same_spool_is_refused(served: int, tmp_path: Path) -> None:
    """The first one goes on, and keeps the spool through a reload, until it ends."""
    text = device("tank", served) + '[spool]\nfile = "values.spool"\n[[sink]]\njson = "-"\n'
    file = plant(tmp_path, text)
    with started("poll", file) as command:
        command.read_until(r'"device":"tank"')
        who = f"process {command.child.pid} on {socket.gethostname()}"
        said = (
            f"modwire: the spool {tmp_path}/values.spool is in use by {who}: "
            "each poller needs a spool of its own\n"
        )
        for options in ((), ("--once",)):
            result = modwire("poll", file, *options)
            assert (result.out, result.err, result.code) == ("", said, 1)
        file.write_text(text + device("second", served, 2))
        command.child.send_signal(signal.SIGHUP)
        command.read_until(r"read again: 1 devices as before; new or changed: second\.")
        assert modwire("poll", file, "--once").err == said
        count = command.text.count('"device":"tank"')
        command.read_until(rf'(?s)("device":"tank".*){{{count + 2}}}')
        command.child.kill()
        command.child.wait()
    assert modwire("poll", file, "--once").code == 0


def test_the_live_table_shows_devices_and_sinks(served: int, tmp_path: Path) -> None:
    text = device("tank", served) + device("away", 1)
    text += f'[[sink]]\njson = "{tmp_path}/v.jsonl"\n'
    with started("poll", plant(tmp_path, text), "--watch", terminal=True, size=(20, 160)) as it:
        # Between the cells are the codes of colours.
        it.read_until(r"away\W[^\n]*✗[^\n]*  0 [^\n]*  0 [^\n]*  2[^\n]*refused")
        it.read_until(r"tank\W[^\n]*●[^\n]*  2 [^\n]*  0 [^\n]*  0 ")
        it.read_until(r"refused")
        it.read_until(r"v\.jsonl: [1-9]\d* taken")
        assert it.interrupt() == 130

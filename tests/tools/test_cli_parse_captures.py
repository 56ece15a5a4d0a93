"""`modwire parse`: its output for captures, from files and pipes."""

from __future__ import annotations

import json
import select
import subprocess
from pathlib import Path
from typing import Any

import pytest

from captures import Connection, on_link, pcap, pcapng, timed
from conversations import capture
from modwire_command import COMMAND, PATIENCE, modwire


def piped(given: bytes, *arguments: str) -> tuple[str, str, int]:
    """Run the command as a process with `given` on its standard input."""
    ended = subprocess.run(
        [*COMMAND, "parse", *arguments], input=given, capture_output=True, timeout=3 * PATIENCE
    )
    return ended.stdout.decode(), ended.stderr.decode(), ended.returncode


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("write", [pcap, pcapng])
def test_a_capture(tmp_path: Path, write: Any) -> None:
    path = tmp_path / "it"
    path.write_bytes(capture(write))
    result = modwire("parse", path)
    ends = "10.0.0.1:50000 > 10.0.0.2:502              "
    assert result.out == (
        "# seconds since 2023-11-14 22:13:20.000000 UTC\n"
        f"#    seconds        ms  {'client > server':<43} unit  request -> answer\n"
        f"    0.003000     1.000  {ends}    1  read 3 holding registers from 16 -> 1, 2, 255\n"
        f"    0.005000     1.000  {ends}    1  read 3 holding registers from 16 -> "
        "exception 02, illegal data address\n"
        f"    0.007000            {ends}    1  read 3 holding registers from 16 -> no answer\n"
    )
    assert result.err == (
        "8 packets, 5 Modbus frames, 3 exchanges: 1 good, 1 with an exception, "
        "1 without an answer\n"
    )
    assert result.code == 0


def test_a_capture_in_fields_and_as_json(tmp_path: Path) -> None:
    path = tmp_path / "it"
    path.write_bytes(capture())
    out = modwire("parse", path, "--fields").out
    assert "       0  00 01                    transaction id      1\n" in out
    assert "      13  00 ff                    register 18         255\n" in out
    found = objects(modwire("parse", path, "--json").out)
    assert found[0] == {
        "number": 1,
        "time": pytest.approx(1_700_000_000.003),
        "milliseconds": pytest.approx(1.0, abs=0.01),
        "client": "10.0.0.1:50000",
        "server": "10.0.0.2:502",
        "link": "tcp",
        "unit": 1,
        "transaction": 1,
        "outcome": "ok",
        "request": "0300100003",
        "response": "03060001000200ff",
        "request_text": "read 3 holding registers from 16",
        "response_text": "1, 2, 255",
        "wrong": [],
    }
    assert [each["outcome"] for each in found] == ["ok", "exception", "silence"]
    assert found[2]["response"] is None
    found = objects(modwire("parse", path, "--json", "--fields").out)
    assert [field["name"] for field in found[0]["response_fields"]][-1] == "register 18"
    assert found[2]["response_fields"] == []


def test_incidents_are_lines_of_their_own(tmp_path: Path) -> None:
    connection = Connection()
    packets = [*connection.open(), connection.send(b"GET / HTTP/1.1\r\n\r\n")]
    path = tmp_path / "it"
    path.write_bytes(pcap(timed([on_link(packet) for packet in packets])))
    result = modwire("parse", path)
    assert (
        "   !  MBAP protocol id must be 0, got 21536: this looks like an HTTP client\n"
        in result.out
    )
    assert "1 place with bytes that are no frame, or are missing" in result.err
    (found,) = objects(modwire("parse", path, "--json").out)
    assert (
        found["incident"] == "MBAP protocol id must be 0, got 21536: this looks like an HTTP client"
    )
    assert (found["sender"], found["receiver"]) == ("10.0.0.1:50000", "10.0.0.2:502")


def test_a_capture_whose_clock_is_beyond_all_years(tmp_path: Path) -> None:
    data = bytearray(capture(pcapng))
    at = data.index((6).to_bytes(4, "little"), 28)  # the first packet's block
    data[at + 12 : at + 16] = b"\xff\xff\xff\x7f"
    path = tmp_path / "far.pcapng"
    path.write_bytes(data)
    result = modwire("parse", path)
    assert result.out.startswith("# seconds since the second 92233720329")
    assert result.code == 0


def test_other_ports(tmp_path: Path) -> None:
    path = tmp_path / "it"
    path.write_bytes(capture(port=5020))
    result = modwire("parse", path)
    assert (result.out, result.code) == ("", 0)
    assert result.err == (
        "8 packets, 0 Modbus frames on port 502; there is data on tcp 5020: --port says where "
        "Modbus is\n"
    )
    assert len(modwire("parse", path, "--port", 502, "--port", 5020).out.splitlines()) == 5


def test_a_capture_from_a_pipe() -> None:
    out, err, code = piped(capture(), "--json")
    assert len(objects(out)) == 3
    assert err.startswith("8 packets, 5 Modbus frames, 3 exchanges")
    assert code == 0


def test_a_capture_is_read_while_it_is_made() -> None:
    """With `tcpdump -U -w - | modwire parse`, an exchange is printed before the next packet."""
    data = capture()
    third = data.index(bytes.fromhex("000200000006010300100003")) - 70
    with subprocess.Popen(
        [*COMMAND, "parse", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as command:
        assert command.stdin is not None
        assert command.stdout is not None
        command.stdin.write(data[:third])
        command.stdin.flush()
        ready, _, _ = select.select([command.stdout], [], [], PATIENCE)
        assert ready
        assert json.loads(command.stdout.readline())["response_text"] == "1, 2, 255"
        command.stdin.write(data[third:])
        command.stdin.close()
        assert len(command.stdout.readlines()) == 2
        assert command.wait(PATIENCE) == 0


def test_a_broken_capture_gives_what_it_has_and_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "it"
    path.write_bytes(capture()[:-3])
    result = modwire("parse", path)
    assert len(result.out.splitlines()) == 4
    assert result.err.splitlines()[-1] == f"modwire: {path} is cut off in packet 8"
    assert result.code == 1

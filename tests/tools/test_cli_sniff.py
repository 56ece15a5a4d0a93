"""`modwire sniff`: lines, JSON and the table, from files, pipes, captures and a line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tty
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from modwire_command import COMMAND, PATIENCE, modwire, started
from noisy_line import NoisyLine, rtu
from sniffed_line import ANSWER, PACKETS, RAW, READ, RTAC, SAID, STEP, USER0

# Starting a process takes seconds on a busy machine.
pytestmark = pytest.mark.timeout(300)

LINES = """\
# seconds since 2023-11-14 22:13:20.000000 UTC
#    seconds        ms  unit  request -> answer
    0.000000    30.000     1  read 2 holding registers from 0 -> 1, 2
    0.060000    30.000     2  write register 5: 1911 -> done
    0.150000               1  ! wrong checksum, 9 bytes: 01 03 04 00 01 00 02 2a 00
    0.120000               1  read 2 holding registers from 0 -> no answer
    0.180000    30.000     1  read 20 coils from 768 -> 1 0 0 0 1 0 0 0 0 1 0 0 0 1 0 0 and 4 more
    0.240000               0  write register 5: 1911 -> no answer is due, a broadcast
    0.270000    30.000     3  write 1 register from 1: 4660 -> exception 03, illegal data value
    0.330000    30.000     3  read the basic device identification -> vendor name "ABC"
    0.390000               4  read 2 holding registers from 0 -> no answer
    0.390000    60.000     4  read 2 holding registers from 0 -> 1, 2 (late answer)
    0.420000    60.000     5  diagnostics 0, return query data: A5A5 -> A5A5
"""


@pytest.mark.parametrize("capture", [USER0, RTAC], ids=["USER0", "RTAC"])
def test_a_serial_capture(tmp_path: Path, capture: bytes) -> None:
    path = tmp_path / "bus"
    path.write_bytes(capture)
    result = modwire("sniff", path)
    assert result.code == 0
    assert result.out == LINES
    assert result.err.startswith(
        "10 exchanges: 5 good, 1 with an exception, 1 broadcast, 2 without an answer, 1 with a "
        "late answer; damaged bytes: 1 wrong checksum\n"
    )
    assert (
        "  unit 1: 3 requests, 2 answered, min/median/max 30.0/30.0/30.0 ms, 1 unanswered, "
        "1 wrong checksum\n"
    ) in result.err
    assert "  unit 3: 2 requests, 2 answered, " in result.err
    assert "1 03 illegal data value\n" in result.err


def test_json_and_fields(tmp_path: Path) -> None:
    path = tmp_path / "bus.pcap"
    path.write_bytes(USER0)
    found = [json.loads(line) for line in modwire("sniff", path, "--json").out.splitlines()]
    assert found[0] == {
        "time": pytest.approx(PACKETS[0][0]),
        "milliseconds": pytest.approx(1000 * STEP, abs=0.01),
        "unit": 1,
        "outcome": "answered",
        "attempt": 1,
        "answered_by": 1,
        "request": READ.replace(" ", ""),
        "response": ANSWER.replace(" ", ""),
        "request_text": "read 2 holding registers from 0",
        "response_text": "1, 2",
        "wrong": [],
    }
    assert found[2] == {
        "time": pytest.approx(PACKETS[5][0]),
        "unit": 1,
        "error": "wrong checksum",
        "bytes": SAID[5][1].hex(),
    }
    fields = modwire("sniff", path, "--fields").out
    assert re.search(r"^ +2  04 +byte count +4", fields, re.MULTILINE)
    # The request of the late answer is shown twice.
    assert fields.count("CRC-16") == len(SAID) - 1 + 1
    detailed = json.loads(modwire("sniff", path, "--json", "--fields").out.splitlines()[0])
    assert detailed["response_fields"][-1]["meaning"].startswith("2")


def test_raw_bytes_have_no_times(tmp_path: Path) -> None:
    path = tmp_path / "bus.bin"
    path.write_bytes(RAW)
    out = modwire("sniff", path).out
    assert out.startswith("#    seconds        ms  unit  request -> answer\n")
    assert re.search(r"^ {27}1  read 2 holding registers from 0 -> 1, 2$", out, re.MULTILINE)
    found = [json.loads(line) for line in modwire("sniff", path, "--json").out.splitlines()]
    assert {each["time"] for each in found} == {None}
    assert [each.get("outcome", each.get("error")) for each in found].count("answered") == 5


def test_ascii_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "bus.txt"
    path.write_bytes(b":010300000002FA\r\n:0103040001000200\r\n:01030400010002F5\r\n")
    result = modwire("sniff", path, "--framing", "ascii", "--fields")
    assert "! wrong checksum, 19 bytes: 3a 30 31" in result.out
    assert "read 2 holding registers from 0 -> 1, 2" in result.out
    assert "LRC" in result.out


@pytest.mark.parametrize("given", [RAW, USER0], ids=["raw", "capture"])
def test_standard_input(given: bytes) -> None:
    ended = subprocess.run(
        [*COMMAND, "sniff", "-", "--json"], input=given, capture_output=True, timeout=3 * PATIENCE
    )
    found = [json.loads(line) for line in ended.stdout.decode().splitlines()]
    assert ended.returncode == 0
    assert [each["outcome"] for each in found if "outcome" in each].count("answered") == 5
    assert all(each["time"] > 1_600_000_000 for each in found)
    if given is RAW:  # request and answer came in one piece
        assert {each.get("milliseconds") for each in found} == {None}
        assert b"0.0/" not in ended.stderr


@pytest.fixture
def port() -> Iterator[tuple[int, str]]:
    """The far end of a line, and the name of its port."""
    far, near = os.openpty()
    tty.setraw(near)
    yield far, os.ttyname(near)
    os.close(far)
    os.close(near)


def test_a_line_live(port: tuple[int, str], tmp_path: Path) -> None:
    far, name = port
    path = tmp_path / "bus.pcap"
    source = f"rtu://{name}?baudrate=115200&timeout=0.3"
    with started("sniff", source, "-o", path) as command:
        command.read_until("listens on")
        os.write(far, rtu(1, READ) + rtu(1, ANSWER))
        command.read_until(r"1  read 2 holding registers from 0 -> 1, 2\n")
        os.write(far, rtu(2, READ))
        command.read_until(r"2  read 2 holding registers from 0 -> no answer\n")
        assert command.interrupt() == 130
        assert re.search(r"unit 2: 1 request, 0 answered, 1 unanswered", command.text)
    os.set_blocking(far, False)
    with pytest.raises(BlockingIOError):
        os.read(far, 1)  # the sniffer has sent nothing
    assert path.stat().st_size > 150


def test_a_live_table(port: tuple[int, str]) -> None:
    far, name = port
    with started("sniff", f"rtu://{name}?baudrate=115200", terminal=True) as command:
        command.read_until("requests")
        os.write(far, rtu(17, READ) + rtu(17, ANSWER) + rtu(17, READ) + rtu(17, "83 02"))
        command.read_until("17.*02: 1")
        command.read_until("Ctrl.C ends")
        assert command.interrupt() == 130


def test_the_table_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "bus.pcap"
    path.write_bytes(USER0)
    out = modwire("sniff", path, "--table").out
    assert re.search(r"^ +1 +3 +\d\.\d +30\.0 +30\.0  30\.0 +1 unanswered", out, re.MULTILINE)


def test_a_duration_ends_it(port: tuple[int, str]) -> None:
    result = modwire("sniff", f"rtu://{port[1]}", "--duration", "100ms")
    assert result.code == 0
    assert ", Ctrl+C ends it\n0 exchanges\nmodwire: no byte came: is the line in use" in result.err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["tcp://127.0.0.1"], "SOURCE must be a serial line or a file"),
        (["rtu://"], "SOURCE: endpoint 'rtu://': path is missing"),
        (["x.bin", "--framing", "tcp"], "--framing must be rtu, ascii or binary, got 'tcp'"),
        (["rtu:///dev/x", "--framing", "rtu"], "--framing is for files"),
        (["x.bin", "--json", "--table"], "--json and --table exclude each other"),
        (["/dev/zero"], "/dev/zero is a device: write it as rtu:///dev/zero"),
    ],
)
def test_wrong_arguments(arguments: list[str], text: str) -> None:
    result = modwire("sniff", *arguments)
    assert (result.out, result.code) == ("", 2)
    assert result.err.startswith(f"modwire: {text}")


def test_a_capture_with_odd_times(tmp_path: Path) -> None:
    from captures import pcapng

    path, made = tmp_path / "odd.pcapng", tmp_path / "made.pcap"
    frames = [rtu(1, READ), rtu(1, ANSWER)]
    path.write_bytes(pcapng([(9e12, frames[0]), (9e12 - 5, frames[1])], 147))
    result = modwire("sniff", path, "-o", made)
    assert result.code == 0
    assert "# seconds since the second 9000000000000.0" in result.out
    assert "-> 1, 2" in result.out
    assert "-> 1, 2" in modwire("sniff", made).out


def test_what_cannot_be_read(tmp_path: Path) -> None:
    from conversations import capture

    assert modwire("sniff", tmp_path / "none").code == 1
    network = tmp_path / "network.pcap"
    network.write_bytes(capture())
    result = modwire("sniff", network)
    assert result.code == 1
    assert f"only of link types 1: `modwire parse {network}` reads network captures" in result.err
    serial = tmp_path / "serial.pcap"
    serial.write_bytes(USER0)
    assert "not known (147), for which there is `modwire sniff`" in modwire("parse", serial).err
    broken = tmp_path / "broken.pcap"
    broken.write_bytes(USER0[:-3])
    result = modwire("sniff", broken)
    assert result.code == 1
    assert "is cut off in packet 17" in result.err
    assert "read 2 holding registers from 0 -> 1, 2" in result.out
    absent = modwire("sniff", "rtu:///dev/no-such-port").err
    assert "No such file" in absent
    assert "exchanges" not in absent


@pytest.mark.parametrize("link", ["the file", "symlink_to", "hardlink_to"])
def test_a_recording_is_not_overwritten_by_its_own_capture(tmp_path: Path, link: str) -> None:
    path = other = tmp_path / "raw.bin"
    path.write_bytes(RAW)
    if link != "the file":
        other = tmp_path / "link"
        getattr(other, link)(path)
    result = modwire("sniff", path, "-o", other)
    assert (result.out, result.code) == ("", 2)
    assert f"--output: {other} is SOURCE itself, name another file" in result.err
    with path.open("rb") as given:
        ended = subprocess.run(
            [*COMMAND, "sniff", "-", "-o", other],
            stdin=given,
            capture_output=True,
            timeout=3 * PATIENCE,
        )
    assert ended.returncode == 2
    assert path.read_bytes() == RAW


def test_a_capture_is_not_written_to_the_line(port: tuple[int, str]) -> None:
    far, name = port
    result = modwire("sniff", f"rtu://{name}", "-o", name, "--duration", "50ms")
    assert result.code == 2
    assert "is SOURCE itself" in result.err
    os.set_blocking(far, False)
    with pytest.raises(BlockingIOError):
        os.read(far, 1)


ASCII = b":010300000002FA\r\n:01030400010002F5\r\n" * 3


@pytest.mark.parametrize(
    ("data", "arguments", "text"),
    [
        (RAW, ["--framing", "ascii"], "no ASCII frame was found: this looks like RTU, try --fr"),
        (RAW, ["--framing", "binary"], "no Binary frame was found: this looks like RTU, try --fr"),
        (ASCII, [], "no RTU frame was found: this looks like ASCII, try --framing ascii"),
        (bytes(range(3, 90)), [], "no RTU frame was found: check the framing (--framing), and"),
        (b"", [], "there are no bytes"),
    ],
)
def test_a_file_without_frames_says_why(
    tmp_path: Path, data: bytes, arguments: list[str], text: str
) -> None:
    path = tmp_path / "raw.bin"
    path.write_bytes(data)
    result = modwire("sniff", path, *arguments)
    assert f"modwire: {text}" in result.err
    assert result.err.count("0 exchanges") == 1
    assert result.code == 0
    table = modwire("sniff", path, "--table", *arguments)
    assert (table.out + table.err).count("0 exchanges") == 1


# Captures for Wireshark.


def written(tmp_path: Path, said: bytes) -> Path:
    source, made = tmp_path / "source.pcap", tmp_path / "made.pcap"
    source.write_bytes(said)
    assert modwire("sniff", source, "-o", made).code == 0
    return made


def test_a_written_capture_is_read_again(tmp_path: Path) -> None:
    assert modwire("sniff", written(tmp_path, USER0)).out == LINES


def told_by_tshark(path: Path) -> list[dict[str, Any]]:
    """Return what tshark says about each packet, without any preference."""
    program = which("tshark")
    if program is None:
        pytest.skip("tshark is missing; to install it: apt-get install tshark")
    fields = [
        "frame.time_epoch",
        "mbtcp.unit_id",
        "modbus.func_code",
        "_ws.col.Info",
        "_ws.malformed",
        "modbus.request_frame",
        "data.data",
    ]
    chosen = [word for field in fields for word in ("-e", field)]
    ended = subprocess.run(
        [program, "-r", str(path), "-T", "fields", *chosen],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
        env={**os.environ, "HOME": str(path.parent), "XDG_CONFIG_HOME": str(path.parent)},
    )
    return [dict(zip(fields, line.split("\t"), strict=True)) for line in ended.stdout.splitlines()]


def test_tshark_agrees_about_each_frame(tmp_path: Path) -> None:
    told = told_by_tshark(written(tmp_path, USER0))
    assert len(told) == len(SAID)
    for (kind, frame), (time, _), each in zip(SAID, PACKETS, told, strict=True):
        assert float(each["frame.time_epoch"]) == pytest.approx(time, abs=1e-6)
        assert not each["_ws.malformed"]
        if kind == "damaged":
            assert bytes.fromhex(each["data.data"]) == frame
            continue
        assert int(each["mbtcp.unit_id"]) == frame[0]
        assert int(each["modbus.func_code"]) == frame[1] & 0x7F
        word = "Query" if kind == "request" else "Response"
        assert each["_ws.col.Info"].strip().startswith(f"{word}:")
    assert told[1]["modbus.request_frame"] == "1"
    assert told[15]["modbus.request_frame"] == "14"  # the late answer


def test_tshark_agrees_about_a_noisy_line(tmp_path: Path) -> None:
    from captures import START, pcap

    line = NoisyLine(seed=7, damaged=0.02).run(4.0)
    packets = [
        (START + began + len(frame) * line.character_time, frame)
        for frame, began in line.sent
        if frame
    ]
    told = told_by_tshark(written(tmp_path, pcap(packets, 147)))
    directions = [each["_ws.col.Info"].split(":")[0].strip() for each in told]
    asked = {ask for ask, _, _ in line.good}
    answers = {answer for _, answer, _ in line.good}
    by_time = dict(zip([f"{time:.5f}" for time, _ in packets], packets, strict=True))
    checked = 0
    for each, direction in zip(told, directions, strict=True):
        _, frame = by_time.get(f"{float(each['frame.time_epoch']):.5f}", (0, b""))
        if frame in asked | answers and each["mbtcp.unit_id"]:
            assert (int(each["mbtcp.unit_id"]), int(each["modbus.func_code"])) == (
                frame[0],
                frame[1] & 0x7F,
            )
            if frame not in asked & answers:
                assert direction == ("Query" if frame in asked else "Response")
            checked += 1
    assert checked > 0.9 * len(packets)

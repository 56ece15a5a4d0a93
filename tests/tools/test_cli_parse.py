"""`modwire parse`: its output for messages in any form, files, pipes and captures."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from conversations import capture
from modwire_command import COMMAND, PATIENCE, good, modwire, started

FORMS = "modwire: a message is pairs of hexadecimal digits such as 0103006b00037417 ("


def piped(given: bytes, *arguments: str) -> tuple[str, str, int]:
    """Run the command as a process with `given` on its standard input."""
    ended = subprocess.run(
        [*COMMAND, "parse", *arguments], input=given, capture_output=True, timeout=3 * PATIENCE
    )
    return ended.stdout.decode(), ended.stderr.decode(), ended.returncode


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_all_that_the_parser_of_pymodbus_1_shows() -> None:
    """Its example has a wrong protocol id and a wrong length, but everything is explained."""
    lines = [" ".join(line.split()) for line in good("parse", "000112340006ff076d").splitlines()]
    assert lines[0] == (
        "TCP frame (MBAP, which has no checksum), 9 bytes, framing guessed: 000112340006ff076d"
    )
    request = lines.index(next(line for line in lines if line.startswith("As a request: ")))
    response = lines.index(next(line for line in lines if line.startswith("As a response: ")))
    for start, name, last in (
        (request, "ReadExceptionStatusRequest", "8 6d trailing bytes wrong, the message ends"),
        (
            response,
            "ReadExceptionStatusResponse",
            "8 6d status 6D, outputs 0 to 7: 1 0 1 1 0 1 1 0",
        ),
    ):
        part = lines[start : start + 10]
        assert f": {name}" in part[0]
        assert "eight" in part[1]  # the purpose of the message
        for line in (
            "0 00 01 transaction id 1",
            "2 12 34 protocol id 4660 (1234); wrong, must be 0 (Modbus)",
            "4 00 06 length 6 bytes follow: unit id and PDU; wrong, 3 are there",
            "6 ff unit id 255, the device itself",
            "7 07 function code 7, read exception status",
        ):
            assert line in part
        assert any(line.startswith(last) for line in part)
    assert "wrong: MBAP protocol id must be 0, got 4660 (1234)" in lines
    assert "wrong: the frame is cut off: its length says 6 bytes, 3 are there" in lines
    assert "Other framings that it may be, with --framing:" in lines


def test_a_good_message() -> None:
    assert good("parse", "0103006b00037417") == (
        "RTU frame, 8 bytes, framing guessed: 0103006b00037417\n"
        "As a request: ReadHoldingRegistersRequest, read 3 holding registers from 107\n"
        "  Asks for the contents of 1 to 125 holding registers that follow each other.\n"
        "   0  01                       unit id             1\n"
        "   1  03                       function code       3, read holding registers\n"
        "   2  00 6b                    address             107, reference 40108\n"
        "   4  00 03                    quantity            3 registers\n"
        "   6  74 17                    CRC-16              1774, low byte first: right\n"
        "As a response: no, ReadHoldingRegistersResponse must be 2 + byte count (2..250, even) "
        "bytes, got 5: 03 00 6b 00 03\n"
    )


@pytest.mark.parametrize(
    "words",
    [
        ["0103006B00037417"],
        ["01 03 00 6b 00 03 74 17"],
        ["01:03:00:6b:00:03:74:17"],
        ["01-03-00-6b-00-03-74-17"],
        ["0x01 0x3 0x00 0x6B 0x00 0x03 0x74 0x17"],
        ["[0x01, 0x03, 0x00, 0x6b, 0x00, 0x03, 0x74, 0x17]"],
        ["0x0103006b00037417"],
        [r"\x01\x03\x00\x6b\x00\x03\x74\x17"],
        [r"b'\x01\x03\x00k\x00\x03t\x17'"],
        ["01", "03", "00", "6b", "00", "03", "74", "17"],
        ["0103", "006b", "0003", "7417"],
        ["rtu request 0103006b00037417 # as generate prints it"],
    ],
    ids=" ".join,
)
def test_forms_of_a_message(words: list[str]) -> None:
    (message,) = objects(good("parse", "--json", *words))
    assert message["bytes"] == "0103006b00037417"
    assert message["readings"][0]["words"] == "read 3 holding registers from 107"


@pytest.mark.parametrize(
    "text",
    [":0103006B00038E", r":0103006B00038E\r\n", ":0103006b00038e", "3a303130330d0a"],
)
def test_ascii_frames(text: str) -> None:
    (message,) = objects(good("parse", "--json", text))
    assert message["readings"][0]["framing"] == "ascii"
    assert bytes.fromhex(message["bytes"]).endswith(b"\r\n")


def test_directions_and_framings() -> None:
    out = good("parse", "--response", "--framing", "rtu", "0103006b00037417")
    assert "As a request" not in out
    assert "guessed" not in out
    assert "byte count          0 bytes; wrong, 3 follow" in out
    out = good("parse", "--request", "--framing", "TCP", "--no-fields", "0103006b00037417")
    assert "As a response" not in out
    assert "function code  " not in out
    assert "wrong: MBAP protocol id must be 0" in out


def test_an_answer_is_explained_with_the_request_before_it() -> None:
    request, answer = "000700000006010100130003", "0007000000040101 01fd"
    both = objects(good("parse", "--json", request, answer))
    assert both[1]["readings"][1]["words"] == "1 0 1"
    assert both[1]["readings"][1]["fields"][-1]["name"] == "coils 19 to 21"
    (alone,) = objects(good("parse", "--json", answer))
    assert alone["readings"][1]["fields"][-1]["name"] == "coils 1 to 8 of 8"


def test_frames_in_a_row_are_parted() -> None:
    found = objects(good("parse", "--json", "0001000000060103000000010001000000050103020005"))
    assert [message["readings"][index]["words"] for index, message in enumerate(found)] == [
        "read 1 holding register from 0",
        "5",
    ]


def test_a_file_of_messages(tmp_path: Path) -> None:
    path = tmp_path / "messages"
    path.write_text("# a comment\n\n0103006b00037417\nrtu response 010302000578\n:0107F8 # end\n")
    for arguments in ([str(path)], ["--file", str(path)]):
        found = objects(good("parse", "--json", *arguments))
        assert [message["readings"][0]["name"] for message in found] == [
            "ReadHoldingRegistersRequest",
            "ReadHoldingRegistersResponse",
            "ReadExceptionStatusRequest",
        ]


def test_lines_that_are_no_messages(tmp_path: Path) -> None:
    """The other lines are still explained; the error at the end names the first wrong line."""
    path = tmp_path / "messages.txt"
    path.write_text("0103006b00037417\nnonsense\n010\n010\n:0107F8\n")
    result = modwire("parse", "--json", path)
    assert len(objects(result.out)) == 2
    assert result.code == 1
    assert result.err.startswith(f"modwire: line 2 of {path} is no message: a message is pairs")
    assert result.err.endswith("got 'nonsense', where 'n' is no digit (and 2 more)\n")


def test_a_line_without_an_end_is_no_message(tmp_path: Path) -> None:
    """A file of megabytes without messages fails at once."""
    path = tmp_path / "messages.txt"
    path.write_text("01" * 2_000_000 + "\n0103006b00037417\n" + "01" * 50_000)
    result = modwire("parse", "--json", path)
    assert len(objects(result.out)) == 1
    assert result.code == 1
    assert result.err == (
        f"modwire: line 1 of {path} is no message: a line has at most 65536 characters "
        "(and 1 more)\n"
    )


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/full", "/dev/urandom"])
def test_a_device_that_never_ends_is_not_read(name: str) -> None:
    result = modwire("parse", name)
    assert result == ("", f"modwire: {name} is a device: name a file or a pipe\n", 2)
    assert modwire("parse", "/dev/null").code == 0


def test_a_pipe_is_read() -> None:
    for arguments in ([], ["-"], ["--file", "-"]):
        out, err, code = piped(b"0103006b00037417\n", "--json", *arguments)
        assert (err, code) == ("", 0)
        assert objects(out)[0]["readings"][0]["words"] == "read 3 holding registers from 107"


@pytest.mark.parametrize(
    ("closed", "code"), [(">&-", 0), ("2>&-", 0), ("- <&- >&-", 2)], ids=["out", "err", "in"]
)
def test_standard_streams_that_are_closed_are_no_crash(closed: str, code: int) -> None:
    message = "" if closed[0] == "-" else "0103006b00037417"
    ended = subprocess.run(
        ["sh", "-c", f'"$@" {message} {closed}', "sh", *COMMAND, "parse"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (ended.returncode, "Traceback" in ended.stderr) == (code, False)


def test_faults_are_red_on_a_terminal() -> None:
    with started("parse", "0103006b00030000", terminal=True) as command:
        assert command.wait() == 0
        assert re.search(r"\x1b\[31mwrong: CRC-16 must be 1774", command.text)
    with started("parse", "0103006b00030000", terminal=True, NO_COLOR="1") as command:
        assert command.wait() == 0
        assert "wrong: CRC-16 must be 1774" in command.text
        assert "\x1b[31m" not in command.text


# Mistakes.


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["xyz"], f"{FORMS}spaces, colons, dashes, commas, 0x and \\x may stand between them), or "
         "an ASCII frame such as :0103006B00038E; got 'xyz', where 'x' is no digit"),
        (["010"], "got '010', an odd number of digits (3)"),
        ([""], "got nothing"),
        (["rtu"], "got nothing behind the words that describe it"),
        ([":01\u20ac"], "got ':01\u20ac', which has other characters"),
        (["b'\\x0'"], 'got "b\'\\\\x0\'"'),
        (["[]"], "got '[]'"),
        (["g" * 100], "got 'gggggggggggggggggggggggggggggggggggggggg' and so on, where 'g' is no"),
        (["# only"], "nothing to parse: the arguments are comments"),
        (["0107", "--framing", "udp"], "--framing must be tcp, rtu, ascii, binary or pdu"),
        (["0107", "--request", "--response"], "--request and --response exclude each other"),
        (["0107", "--port", "502"], "--port is for captures, and there is none to read"),
        (["0107", "--port", "0"], "--port must be 1..65535, got 0"),
        (["0107", "--file", "x"], "give messages or --file, not both; got '0107' too"),
        (["CAPTURE", "--framing", "pdu"], "--framing pdu is for messages, and this is a capture"),
        (["CAPTURE", "--request"], "--request and --response are for messages, and this is a"),
        (["CAPTURE", "CAPTURE"], "one file at a time, and no messages beside it; got"),
        (["0107", "-"], "one file at a time, and no messages beside it; got '-'"),
        (["TEXT", "--port", "502"], "is none: a capture is a pcap or a pcapng file"),
    ],
)  # fmt: skip
def test_mistakes(tmp_path: Path, words: list[str], sentence: str) -> None:
    for name, data in (("CAPTURE", capture()), ("TEXT", b"0107\n")):
        path = tmp_path / name
        path.write_bytes(data)
        words = [str(path) if word == name else word for word in words]
    result = modwire("parse", *words)
    assert result.code == 2
    assert result.out == ""
    assert sentence in result.err
    assert result.err.startswith("modwire: ")
    assert result.err.count("\n") == 1


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for arguments in (["missing.pcap"], ["--file", str(tmp_path / "missing")]):
        result = modwire("parse", *arguments)
        assert result.code == 1
        assert "missing" in result.err
        assert "No such file" in result.err or "no such file" in result.err.lower()


def test_one_byte_is_a_byte() -> None:
    out = good("parse", "07", "--request")
    assert out.startswith("PDU without a frame, 1 byte, ")
    assert "ReadExceptionStatusRequest must be 1 byte, got 2: 07 6d" in good(
        "parse", "076d", "--framing", "pdu"
    )

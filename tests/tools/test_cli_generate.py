"""`modwire generate`: every message with given arguments, and every mistake in them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modwire_command import good, modwire, process


def test_lines() -> None:
    out = good("generate", "3", "--address", "0x10", "--values", "1,2,3", "--unit", "17")
    assert [" ".join(line.split()) for line in out.splitlines()] == [
        "# 3, read holding registers",
        "tcp request 000100000006110300100003 # read 3 holding registers from 16",
        "tcp response 000100000009110306000100020003 # 1, 2, 3",
        "rtu request 110300100003069e # read 3 holding registers from 16",
        "rtu response 11030600010002000330b4 # 1, 2, 3",
        "ascii request :110300100003D9 # read 3 holding registers from 16",
        "ascii response :110306000100020003E0 # 1, 2, 3",
        "binary request 7b110300100003069e7d # read 3 holding registers from 16",
        "binary response 7b11030600010002000330b47d # 1, 2, 3",
    ]  # fmt: skip


def test_json() -> None:
    out = good(
        "generate", "write_single_coil", "--json", "--framing", "ascii", "--value", "off",
        "--transaction", "9",
    )  # fmt: skip
    request, response = [json.loads(line) for line in out.splitlines()]
    assert request == {
        "name": "WriteSingleCoilRequest",
        "framing": "ascii",
        "direction": "request",
        "unit": 1,
        "transaction": None,
        "pdu": "0500120000",
        "bytes": b":010500120000E8\r\n".hex(),
        "text": ":010500120000E8",
        "words": "write coil 18: off",
    }
    assert (response["direction"], response["words"]) == ("response", "done")


def found(*arguments: object) -> list[tuple[str, str]]:
    """Return direction and PDU of the generated messages, without framing."""
    out = good("generate", "--framing", "pdu", *arguments)
    lines = [line.split() for line in out.splitlines() if not line.startswith("#")]
    return [(line[1], line[2]) for line in lines]


@pytest.mark.parametrize(
    "name",
    ["read_coils", "ReadCoils", "ReadCoilsRequest", "read-coils", "read coils", "1", "0x01"],
)
def test_names_and_codes(name: str) -> None:
    assert found(name) == [("request", "0100120008"), ("response", "0101ff")]


@pytest.mark.parametrize(
    ("arguments", "pdus"),
    [
        (["43/14"], ["2b0e0100", "2b0e018100000300076d6f6477697265010"]),
        (["8/11", "--answer", "5"], ["08000b0000", "08000b0005"]),
        (["return_query_data", "--data", "0xA537,1"], ["080000a5370001", "080000a5370001"]),
        (["8/4"], ["0800040000"]),
        (["8/19", "--answer", "5"], ["0800130000", "0800130005"]),
        (["8/21"], ["0800150003", "0800150003006c" + "0000" * 54]),
        (["8/21", "--data", "0"], ["0800150000"] * 2),
        (["8/21", "--data", "4"], ["0800150004"] * 2),
        (["20", "--records", ""], ["1400"] * 2),
        (["21", "--records", ""], ["1500"] * 2),
        (["15", "--values", "1011"], ["0f00120004010d", "0f00120004"]),
        (["15", "--values", "on off"], ["0f001200020101", "0f00120002"]),
        (["16", "--count", "2"], ["10001200020400010001", "1000120002"]),
        (["23", "--count", "1", "--write-address", "3", "--values", "7", "--read-values", "9"],
         ["17001200010003000102 0007", "17020009"]),
        (["20", "--records", "4:1:2;3:9:1", "--values", "1,2;3"],
         ["140e 06000400010002 06000300090001", "140a 050600010002 03060003"]),
        (["21", "--records", "4:7=1,2"], ["150b 0600040007000200010002"] * 2),
        (["17", "--server-id", "0x0a", "--running", "off", "--additional", "V1"],
         ["11", "11040a005631"]),
        (["12", "--status", "0xffff", "--events", "0x20,0"], ["0c", "0c08ffff000800082000"]),
        (["24", "--values", "440,4740"], ["180012", "1800060002 01b81284"]),
        (["43/14", "--read-code", "specific", "--object-id", "2"],
         ["2b0e0402", "2b0e048100000102 03312e30"]),
        (["43/14", "--objects", "128=0xFF00", "--next-object-id", "129", "--read-code", "3"],
         ["2b0e0300", "2b0e0381ff81018002ff00"]),
        (["43/13", "--data", "0x01", "--answer", "0x02"], ["2b0d01", "2b0d02"]),
        (["3", "--exception", "2"], ["0300120008", "8302"]),
        (["3", "--request"], ["0300120008"]),
        (["--pdu", "41 01 02", "--response"], ["410102"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)  # fmt: skip
def test_arguments(arguments: list[str], pdus: list[str]) -> None:
    made = [pdu for _, pdu in found(*arguments)]
    assert len(made) == len(pdus)
    for pdu, wanted in zip(made, pdus, strict=True):
        assert pdu.startswith(wanted.replace(" ", ""))
        assert len(wanted) > 30 or pdu == wanted.replace(" ", "")


def test_all_of_them() -> None:
    """There are 20 functions, with all sub-functions of 8; sub-function 4 has no response."""
    lines = [json.loads(line) for line in good("generate", "--json").splitlines()]
    names = {line["name"] for line in lines}
    assert len(names) == 40
    pdus: dict[str, set[Any]] = {}
    for line in lines:
        pdus.setdefault(line["framing"], set()).add((line["direction"], line["pdu"]))
    assert set(pdus) == {"tcp", "rtu", "ascii", "binary"}
    assert len({frozenset(each) for each in pdus.values()}) == 1
    assert len(pdus["tcp"]) == 2 * (19 + 17) - 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["foo"], "a function must be a code (1, 2, 3, "),
        (["9"], "got '9'; --pdu takes any other"),
        (["8/5"], "got '8/5'; --pdu takes any other"),
        (["1/2"], "got '1/2'"),
        (["3", "--framing", "udp"], "--framing must be tcp, rtu, ascii, binary or pdu, got 'udp'"),
        (["3", "--unit", "256"], "--unit must be 0..255, got 256"),
        (["3", "--transaction", "65536"], "--transaction must be 0..65535, got 65536"),
        (["3", "--exception", "0"], "--exception must be 1..255, got 0"),
        (["3", "--exception", "1", "--request"], "--exception is for responses, and --request"),
        (["3", "--request", "--response"], "--request and --response exclude each other"),
        (["3", "--pdu", "07"], "--pdu is a whole message: it takes no functions and no arguments"),
        (["--pdu", "00" * 254], "--pdu must be 1..253 bytes, got 254"),
        (["--pdu", "x"], "got 'x', where 'x' is no digit"),
        (["3", "--address", "x"], "--address must be a number such as 16 or 0x10, got 'x'"),
        (["3", "--address", "65536"], "address must be 0..65535, got 65536"),
        (["3", "--address", "65535", "--count", "2"], "address + count must be at most 65536"),
        (["3", "--count", "126"], "count must be 1..125 registers, got 126"),
        (["1", "--count", "0"], "--count must be at least 1, got 0"),
        (["3", "--count", "3", "--values", "1,2"], "--count must be the number of values, 2,"),
        (["6", "--value", "70000"], "value must be 0..65535, got 70000"),
        (["6", "--value", "1,2"], "--values must be one value for this function, got 2"),
        (["5", "--value", "2"], "--values must be 1 or on, or 0 or off, for each, got '2'"),
        (["6", "--count", "3"], "--count is no argument of write_single_register, which takes"),
        (["7", "11", "--address", "3"], "--address is no argument of any of these functions; they"),
        (["20", "--records", "4:1"], "--records must be FILE:RECORD:COUNT;..., got '4:1'"),
        (["21", "--records", "4:1:2"], "--records must be FILE:RECORD=VALUE,VALUE;... to write"),
        (["43/14", "--objects", "5"], "--objects must be ID=VALUE;..., got '5'"),
        (["43/14", "--objects", "5=0x1"], "--objects must be text, or pairs of hexadecimal digits"),
        (["43/14", "--read-code", "5"], "read device id code must be 1..4, got 5"),
        (["43/14", "--read-code", "x"], "--read-code must be a number such as"),
        (["43/14", "--more-follows", "x"], "--more-follows must be on or off, got 'x'"),
        (["17", "--running", "x"], "--running must be on or off, got 'x'"),
        (["8/1", "--data", "1"], "data of sub-function 1 must be 0000 or FF00, got 0001"),
        (["12", "--events", ",".join(["1"] * 65)], "count must be 0..64 events, got 65"),
        (["3", "16", "--count", "124"], "16, write multiple registers: count must be 1..123"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)  # fmt: skip
def test_mistakes(arguments: list[str], sentence: str) -> None:
    result = modwire("generate", *arguments)
    assert result.code == 2
    assert result.out == ""
    assert sentence in result.err
    assert result.err.startswith("modwire: ")
    assert result.err.count("\n") == 1


def test_as_a_process() -> None:
    result = process("generate", "7", "--framing", "rtu", "--request")
    assert (result.err, result.code) == ("", 0)
    assert result.out.split()[-8:-5] == ["rtu", "request", "010741e2"]
    result = process("generate", "7", "--unit", "x")
    assert (result.out, result.code) == ("", 2)
    assert "--unit" in result.err

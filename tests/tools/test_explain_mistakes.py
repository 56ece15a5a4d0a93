"""The explanation of a message that breaks the specification, or does not fit its request."""

from __future__ import annotations

import pytest

from explained import told
from modwire_tools.explain import describe_request, describe_response


@pytest.mark.parametrize(
    ("request_pdu", "response", "text"),
    [
        ("05 0001 ff00", "05 0002 ff00", "address: 2, reference 00003; wrong, the request had 1"),
        ("05 0001 ff00", "05 0001 0000", "value: 0000, off; wrong, the request had 65280"),
        ("06 0001 0003", "06 0001 0004", "register 1: 4; wrong, the request had 3"),
        ("10 0001 0001 02 0003", "10 0001 0002", "quantity: 2 registers; wrong, the request had 1"),
        ("16 0001 0002 0003", "16 0001 0002 0004", "OR mask: 0004, bit 2 set, where the AND mask "
         "has 0; wrong, the request had 3"),
        ("08 0000 0001", "08 0000 0002", "data: 0002, repeated; wrong, the request had 1"),
        ("03 0000 0002", "03 02 0000", "byte count: 2 bytes; wrong, 4 would be right for 2 regist"),
        ("01 0000 0009", "01 01 00", "byte count: 1 byte; wrong, 2 would be right for 9 coils"),
        ("01 0000 0003", "01 01 ff", "coils 0 to 2: 1 1 1, the rest pads; wrong, padding must be"),
        ("03 0000 0001", "04 02 0000", "function code: 4, read input registers; wrong, the reques"),
        ("14 07 06 0001 0000 0002", "14 04 03 06 0001", "group 1: length: 3 bytes; wrong, 5 would"),
        ("15 09 06 0001 0007 0001 0002", "15 09 06 0003 0007 0001 0002", "group 1: file: 3; wrong, "
         "the request had 1"),
        ("2b 0d 01", "2b 0e 01 01 00 00 00", "MEI type: 14, read device identification; wrong, "),
    ],
)  # fmt: skip
def test_an_answer_that_does_not_fit_its_request(
    request_pdu: str, response: str, text: str
) -> None:
    request = bytes.fromhex(request_pdu)
    every = told(bytes.fromhex(response), True, request)
    assert any(line.startswith(text) for line in every), every
    if "padding" not in text:
        assert "malformed" in describe_response(bytes.fromhex(response), request)


@pytest.mark.parametrize(
    ("pdu", "is_response", "text"),
    [
        ("", False, "function code: missing: 1 byte due"),
        ("03 00", False, "address: cut off: 2 bytes due, 1 there"),
        ("03 0000", False, "quantity: missing: 2 bytes due"),
        ("03 0000 0001 00", False, "trailing bytes: wrong, the message ends before: 1 byte too ma"),
        ("03 0000 007e", False, "quantity: 126 registers; wrong, 1 to 125 are allowed"),
        ("01 0000 07d1", False, "quantity: 2001 coils; wrong, 1 to 2000 are allowed"),
        ("03 ffff 0002", False, "quantity: 2 registers; wrong, they would end behind address 6553"),
        ("05 0000 0001", False, "value: 0001; wrong, FF00 (on) and 0000 (off) are allowed"),
        ("0f 0000 0009 01 00", False, "byte count: 1 byte; wrong, 2 would be right for 9 coils"),
        ("10 0000 0002 04 0001", False, "register 1: missing: 2 bytes due"),
        ("14 0e 06 0001 0000 0001", False, "group 2: reference type: missing: 1 byte due"),
        ("0c 07 0000 0000 0000", True, "event 0, the newest: missing: 1 byte due"),
        ("14 08 06 0000 2710 0000", False, "byte count: 8 bytes; wrong, 7 follow; wrong, 7 to 245"),
        ("14 07 07 0000 2710 0000", False, "group 1: reference type: 7; wrong, must be 6"),
        ("14 07 06 0000 2710 0001", False, "group 1: file: 0; wrong, 1 to 65535 are allowed"),
        ("14 07 06 0001 2710 0001", False, "group 1: record: 10000; wrong, 0 to 9999 are allowed"),
        ("14 07 06 0001 270f 0002", False, "group 1: length: 2 registers; wrong, they would end b"),
        ("08 0016 0000", False, "sub-function: 22, reserved"),
        ("08 0005 0000", False, "sub-function: 5, reserved"),
        ("08 0001 0001", False, "data: 0001; wrong, 0000 (the event log stays) and FF00 ("),
        ("08 000a 0001", False, "data: 0001; wrong, must be 0000"),
        ("2b 0c 00", False, "MEI type: 12, reserved"),
        ("2b 0e 05 00", False, "read device id code: 5; wrong, 1 to 4 are allowed"),
        ("2b 0e 01 04 01 00 02 00 01 41", True, "number of objects: 2; wrong, 1 follow"),
        ("2b 0e 01 04 00 00 01 00 05 41", True, "object 0: cut off: 5 bytes due, 1 there"),
        ("2b 0e 01 04 00 00 00", True, "conformity level: 04; wrong, 01, 02, 03, 81, 82 and 83 "),
        ("2b 0e 01 01 01 00 00", True, "more follows: 01; wrong, FF (yes) and 00 (no) are allowed"),
        ("18 0042 0020" + "0000" * 32, True, "FIFO count: 32 registers; wrong, 0 to 31 are allow"),
        ("11 02 41 07", True, 'server id: 41 07'),
        ("0b 0001 0000", True, "status: 0001; wrong, FFFF (busy with a program command) and"),
        ("41 0102", False, "function code: 65, a function that users define (65..72 and 100..110)"),
        ("41 0102", True, "data: nothing that the specification defines"),
        ("5a 00", False, "function code: 90, reserved: it is in use by companies"),
        ("1e 00", False, "function code: 30, a function that the specification does not have"),
        ("00 00", False, "function code: 0, which is no function code: 1..127 are"),
        ("83 02", False, "function code: 131, which is no function code: 1..127 are"),
        ("83 02 00", True, "trailing bytes: wrong"),
        ("83", True, "exception code: missing: 1 byte due"),
    ],
)  # fmt: skip
def test_what_breaks_the_specification_is_explained(pdu: str, is_response: bool, text: str) -> None:
    every = told(bytes.fromhex(pdu), is_response)
    assert any(line.startswith(text) for line in every), every


@pytest.mark.parametrize(
    ("pdu", "words"),
    [
        ("", "nothing"),
        ("41 0102", "function 65: 01 02"),
        ("41", "function 65"),
        ("03 0000 007e", "read holding registers, malformed: count must be 1..125 registers"),
        ("08 0016 00", "diagnostics, malformed: sub-function 22 is not known, and has 1 bytes of"),
    ],
)  # fmt: skip
def test_words_for_what_is_no_request(pdu: str, words: str) -> None:
    assert describe_request(bytes.fromhex(pdu)).startswith(words)


def test_without_the_request_values_are_counted() -> None:
    assert told(bytes.fromhex("03 04 0001 0002"), True)[2:] == [
        "register 1 of 2: 1",
        "register 2 of 2: 2",
    ]
    assert told(bytes.fromhex("01 02 01 80"), True)[2:] == [
        "coils 1 to 8 of 16: 1 0 0 0 0 0 0 0",
        "coils 9 to 16 of 16: 0 0 0 0 0 0 0 1",
    ]

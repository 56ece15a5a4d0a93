"""Messages as text: any line gives bytes or one sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modwire_tools.explain.text import Line, parse_line, parse_message


@given(st.one_of(st.text(), st.text("0123456789abcdefABCDEFx:\\ ,#'b[]", max_size=30)))
def test_any_text_is_bytes_or_a_sentence(text: str) -> None:
    try:
        line = parse_line(text)
    except ValueError as error:
        assert str(error).startswith("a message is pairs of hexadecimal digits such as ")
        assert "\n" not in str(error)
    else:
        assert line is None or line.data


@given(st.binary(min_size=1), st.sampled_from(["", " ", ":", "-", ", ", "0x"]))
def test_bytes_come_back(data: bytes, between: str) -> None:
    text = between.join([f"{byte:02x}" for byte in data])
    assert parse_message(text) == data
    assert parse_message(text.upper().replace("0X", "0x")) == data
    assert parse_message(repr(data)) == data
    assert parse_message("".join([f"\\x{byte:02x}" for byte in data])) == data


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", None),
        ("   # a comment", None),
        ("0107", Line(b"\x01\x07", None, None)),
        ("RTU  Response 01 07 # words", Line(b"\x01\x07", "rtu", True)),
        ("request pdu 07", Line(b"\x07", "pdu", False)),
        (":0107F8", Line(b":0107F8\r\n", None, None)),
        (r"ascii :0107F8\r\n", Line(b":0107F8\r\n", "ascii", None)),
    ],
)
def test_lines(text: str, line: Line | None) -> None:
    assert parse_line(text) == line

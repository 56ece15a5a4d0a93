"""Any bytes from a wire or a file can be explained: no error, and no lost byte."""

from __future__ import annotations

import json
from itertools import accumulate
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from modwire_tools.explain import describe_request, describe_response, explain_pdu
from modwire_tools.explain.walk import Field

VECTORS = Path(__file__).parents[1] / "vectors"
CODES = (*range(1, 9), 11, 12, 15, 16, 17, 20, 21, 22, 23, 24, 43, 65, 0x83, 0)

corpus = [
    (bytes.fromhex(entry["pdu"]), entry["direction"] == "response", entry["spec_conformant"])
    for name in ("spec_messages", "pymodbus1_messages")
    for entry in json.loads((VECTORS / f"{name}.json").read_text())
]
pdus = st.one_of(
    st.binary(max_size=260),
    st.builds(
        lambda code, data: bytes((code,)) + data, st.sampled_from(CODES), st.binary(max_size=60)
    ),
    # Good messages with a few bytes cut off, added or changed.
    st.builds(
        lambda entry, cut, more: entry[0][: len(entry[0]) - cut] + more,
        st.sampled_from(corpus),
        st.integers(0, 4),
        st.binary(max_size=4),
    ),
    st.builds(
        lambda entry, at, byte: (
            entry[0][: at % len(entry[0])] + bytes((byte,)) + entry[0][at % len(entry[0]) + 1 :]
        ),
        st.sampled_from(corpus),
        st.integers(0, 300),
        st.integers(0, 255),
    ),
)


def check_fields(fields: list[Field], data: bytes, start: int = 0) -> None:
    assert b"".join([field.data for field in fields]) == data
    ends = accumulate([len(field.data) for field in fields], initial=start)
    assert [field.start for field in fields] == list(ends)[:-1]
    for field in fields:
        assert field.name
        assert field.meaning
        assert "\n" not in field.name + field.meaning


@given(pdus, st.booleans(), st.one_of(st.none(), pdus), st.integers(0, 10))
def test_any_pdu_is_explained_to_its_last_byte(
    pdu: bytes, is_response: bool, request: bytes | None, start: int
) -> None:
    fields = explain_pdu(pdu, is_response=is_response, request=request, start=start)
    check_fields(fields, pdu, start)
    # Only the last field may be incomplete or empty because bytes are missing.
    assert all(field.data for field in fields[:-1])


@given(pdus, st.one_of(st.none(), pdus))
def test_any_pdu_has_a_line_of_words(pdu: bytes, request: bytes | None) -> None:
    for text in (describe_request(pdu), describe_response(pdu, request)):
        assert text
        assert text == text.strip()
        assert text.isprintable()


def test_no_good_message_of_the_corpus_is_called_wrong() -> None:
    for pdu, is_response, is_conformant in corpus:
        fields = explain_pdu(pdu, is_response=is_response)
        if is_conformant:
            for field in fields:
                assert "; wrong" not in field.meaning, (pdu.hex(), field)
                assert field.data, (pdu.hex(), field)

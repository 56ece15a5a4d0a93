"""Addresses as users write them: a typo must not read or write another address."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modwire.units.tables import TABLES
from modwire_tools import Place, parse_place


@pytest.mark.parametrize(
    ("text", "table", "address"),
    [
        ("hr:0x10", "holding_registers", 16),
        ("holding:16", "holding_registers", 16),
        ("40017", "holding_registers", 16),
        ("400017", "holding_registers", 16),
        ("HR:0XfF", "holding_registers", 255),
        ("ir:65535", "input_registers", 65535),
        ("30001", "input_registers", 0),
        ("input-registers:7", "input_registers", 7),
        ("di:007", "discrete_inputs", 7),
        ("10001", "discrete_inputs", 0),
        ("co:1", "coils", 1),
        (" coils : 2 ", "coils", 2),
        ("00001", "coils", 0),
    ],
)
def test_the_three_forms_of_an_address(text: str, table: str, address: int) -> None:
    assert parse_place(text) == (table, address)


@pytest.mark.parametrize(
    "text", ["hr:65536", "hr:-1", "hr:1_0", "hr:0x", "hr:", "xx:1", "17", "50001", "", "hr:\u0661"]
)
def test_a_wrong_address_says_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="an address is co:, di:, hr: or ir:") as caught:
        parse_place(text)
    assert f"; got {text!r}" in str(caught.value)


@given(st.builds(Place, st.sampled_from(TABLES), st.integers(0, 0xFFFF)))
def test_what_is_printed_can_be_typed(place: Place) -> None:
    assert parse_place(str(place)) == place

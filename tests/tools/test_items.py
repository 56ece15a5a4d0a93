"""Values as users write them: a typo must not become another value in a plant."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modwire.values import ABCD, CDAB
from modwire_tools.values.item_texts import parse_assignment, parse_item, parse_item_text
from modwire_tools.values.items import Defaults
from modwire_tools.values.types import FLOATS, INTEGERS, parse_type, shortest, shown


@pytest.mark.parametrize(
    ("text", "table", "address", "count", "kind"),
    [
        ("hr:16", "holding_registers", 16, 1, "uint16"),
        ("40017/float32", "holding_registers", 16, 2, "float32"),
        ("ir:0x10/float32x4", "input_registers", 16, 8, "float32x4"),
        ("hr:0/uint8x4", "holding_registers", 0, 2, "uint8x4"),
        ("hr:0/string:7", "holding_registers", 0, 4, "string:7"),
        ("hr:0/bcd:8", "holding_registers", 0, 2, "bcd:8"),
        ("hr:0/bits:20", "holding_registers", 0, 2, "bits:20"),
        ("hr:5/bit:3", "holding_registers", 5, 1, "bit:3"),
        ("co:7", "coils", 7, 1, "bit"),
        ("co:0/bitx3", "coils", 0, 3, "bitx3"),
    ],
)
def test_an_item_is_an_address_and_a_type(
    text: str, table: str, address: int, count: int, kind: str
) -> None:
    item = parse_item(text)
    assert (item.span.table, item.span.address, item.span.count) == (table, address, count)
    assert item.type == kind


def test_options_go_for_items_that_say_nothing_else() -> None:
    defaults = Defaults(parse_type("int32"), 3, CDAB)
    assert parse_item("hr:0", defaults).type == "int32x3"
    assert parse_item("hr:0/float32x2", defaults).type == "float32x2"
    assert parse_item("co:0", defaults).type == "bitx3"
    assert parse_item("hr:0", defaults).decode([1, 0, 2, 0, 3, 0]) == (1, 2, 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hr:0/flaot32", "a type is one of int8, uint8"),
        ("hr:0/string", "a type is one of int8, uint8"),
        ("hr:0/string:0", "length must be 1"),
        ("hr:0/float32x0", "the number of values must be a whole number, 1..65536, got '0'"),
        ("hr:0/bit:16", "a bit of a register is bit:0 to bit:15"),
        ("hr:0/bit", "a bit of a register is bit:0 to bit:15"),
        ("co:0/uint16", "is a bit, which has no type but bit"),
        ("co:0/bit:3", "is a bit itself"),
        ("hr:65535/float32", "addresses must be 0..65535"),
    ],
)
def test_a_wrong_type_says_what_is_allowed(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_item(text)


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("hr:0=22", [22]),
        ("hr:0=0xFFFF", [0xFFFF]),
        ("hr:0/int16=-1", [0xFFFF]),
        ("hr:0/float32=22.5", [0x41B4, 0]),
        ("hr:0/float64=nan", [0x7FF8, 0, 0, 0]),
        ("hr:0=1,2,3", [1, 2, 3]),
        ("hr:0/int32x2=1,-1", [0, 1, 0xFFFF, 0xFFFF]),
        ("hr:0/string:6=a,b=", [0x612C, 0x623D, 0]),
        ("hr:0/bcd:4=1234", [0x1234]),
        ("hr:0/bits:4=0101", [5]),
        ("hr:0/bit:3=on", [8]),
        ("hr:0/bit:3=off", [0]),
        ("co:0=on", [1]),
        ("co:0=1,0,true,OFF", [1, 0, 1, 0]),
    ],
)
def test_an_assignment_becomes_registers(text: str, encoded: list[int]) -> None:
    assert list(parse_assignment(text).encoded) == encoded


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hr:0", "write an address, = and a value"),
        ("hr:0=", "has no value after the ="),
        ("hr:0=65536", "uint16 must be an integer 0..65535, got 65536"),
        ("hr:0=1.5", "uint16 must be a whole number, such as 16 or 0x10, got '1.5'"),
        ("hr:0=0xZZ", "uint16 must be a whole number"),
        ("hr:0/float32=x", "float32 must be a number, such as 22.5, got 'x'"),
        ("hr:0/float32=1e99", "float32 must be a number -3.4"),
        ("hr:0/string:2=pump", "at most 2 bytes"),
        ("hr:0/bcd:2=123", "must be 0..99"),
        ("hr:0/bits:4=012", "must be 0 and 1"),
        ("hr:0/uint16x3=1,2", "takes 3 values, got 2"),
        ("co:0=2", "a bit must be on or off, 1 or 0, got '2'"),
        ("ir:0=1", "only coils and holding registers can"),
        ("di:0=1", "only coils and holding registers can"),
    ],
)
def test_a_wrong_assignment_says_what_is_allowed(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_assignment(text)


def test_what_serves_inputs_may_set_them() -> None:
    assert list(parse_assignment("ir:0=7", by_owner=True).encoded) == [7]


def test_scale_goes_both_ways() -> None:
    tenth = Defaults(scale=0.1)
    assert parse_item("ir:0", tenth).decode([2304]) == 230.4
    assert list(parse_assignment("hr:0=230.4", tenth).encoded) == [2304]
    assert parse_item("ir:0/float32", tenth).decode([0x41B4, 0]) == pytest.approx(2.25)
    with pytest.raises(ValueError, match="string:4 cannot be scaled, only numbers can"):
        parse_item("hr:0/string:4", tenth)


NUMBERS = [*INTEGERS, *FLOATS]


@settings(max_examples=50)
@given(st.data(), st.sampled_from(NUMBERS), st.sampled_from(["ABCD", "CDAB"]))
def test_what_is_shown_can_be_written(data: st.DataObject, name: str, order: str) -> None:
    """The output of `read`, copied into `write`, gives the same registers."""
    defaults = Defaults(parse_type(name), 1, CDAB if order == "CDAB" else ABCD)
    item = parse_item("hr:0", defaults)
    registers = data.draw(
        st.lists(st.integers(0, 0xFFFF), min_size=item.span.count, max_size=item.span.count)
    )
    if name.endswith("8"):
        registers = [register & 0xFF for register in registers]
    value = item.decode(registers)
    if isinstance(value, float) and math.isnan(value):
        return
    if name == "float64":  # users do not want to read all its 17 digits
        return
    assert item.decode(item.encode(item.shown(value))) == value


def test_values_as_text() -> None:
    item = parse_item("hr:0/bits:4x2")
    assert item.shown(item.decode([0x0508])) == "0101, 1000"
    assert shown((True, False)) == "on, off"
    assert shown(22.34000015258789) == "22.34"
    assert shortest(0.1) == 0.1
    assert shown(float("inf")) == "inf"
    assert shown(1e300) == "1e+300"


def test_types_are_read_in_any_case() -> None:
    assert parse_type("FLOAT32x2").repeats == 2


@given(
    st.data(),
    st.sampled_from([*NUMBERS, "string:4", "string:3", "bcd:4", "bits:16"]),
    st.integers(2, 5),
    st.sampled_from(["", "CDAB"]),
)
def test_several_values_are_as_many_items(
    data: st.DataObject, name: str, repeats: int, order: str
) -> None:
    """A table with a row for each value shows the same values as one with all in a row."""
    defaults = Defaults(parse_type(name), repeats, CDAB if order else ABCD)
    text = parse_item_text("hr:7")
    item = text.item(defaults)
    digit = st.sampled_from("01234567")  # texts and decimal digits too
    registers = data.draw(
        st.lists(
            st.text(digit, min_size=4, max_size=4).map(lambda text: int(text, 16)),
            min_size=item.span.count,
            max_size=item.span.count,
        )
    )
    parts = text.items(defaults)
    if item.is_packed:  # two values share a register
        assert [each.span for each in parts] == [item.span]
        return
    assert len(parts) == repeats
    assert parts[0].span.address == 7
    shown_alone = [
        part.shown(part.decode(registers[part.span.address - 7 : part.span.stop - 7]))
        for part in parts
    ]
    assert ", ".join(shown_alone) == item.shown(item.decode(registers))


def test_values_of_several_have_names_of_their_own() -> None:
    text = parse_item_text("ir:8/float32x2/CDAB")
    assert [each.name for each in text.items(single=True)] == [
        "ir:8/float32/CDAB",
        "ir:10/float32/CDAB",
    ]
    assert [each.name for each in text.items()] == ["ir:8/float32x2/CDAB"]
    coils = parse_item_text("co:3").items(Defaults(count=2))
    assert [(each.name, each.type, each.decode([1])) for each in coils] == [
        ("co:3", "bit", True),
        ("co:4", "bit", True),
    ]
    assert [each.name for each in parse_item_text("hr:5/bit:3").items()] == ["hr:5/bit:3"]


# Ranges, orders and scales.


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("hr:0..3", ["hr:0", "hr:1", "hr:2", "hr:3"]),
        ("40001..40003", ["hr:0", "hr:1", "hr:2"]),
        ("hr:8..hr:11/float32", ["hr:8/float32", "hr:10/float32"]),
        ("ir:0x10..0x11/0.1", ["ir:16/0.1", "ir:17/0.1"]),
        ("hr:0..7/string:8", ["hr:0/string:8", "hr:4/string:8"]),
        ("hr:0..1/bit:3", ["hr:0/bit:3", "hr:1/bit:3"]),
        ("di:5..6", ["di:5", "di:6"]),
        ("hr:0..3/uint16x2", ["hr:0/uint16x2", "hr:2/uint16x2"]),
        ("hr:0..1/uint8", ["hr:0..1/uint8"]),
        ("hr:7..7", ["hr:7"]),
    ],
)
def test_a_range_is_an_item_for_each_value(text: str, names: list[str]) -> None:
    items = parse_item_text(text).items()
    assert [each.name for each in items] == names
    assert items[-1].span.stop == 1 + parse_item_text(text).place.address + (
        (parse_item_text(text).addresses or 1) - 1
    )


def test_a_count_is_an_item_for_each_value() -> None:
    items = parse_item_text("hr:4").items(Defaults(parse_type("float32"), 3))
    assert [(each.name, each.type, each.span.address) for each in items] == [
        ("hr:4", "float32", 4),
        ("hr:6", "float32", 6),
        ("hr:8", "float32", 8),
    ]
    with pytest.raises(ValueError, match="addresses must be 0..65535"):
        parse_item_text("hr:65530").items(Defaults(count=10))


@pytest.mark.parametrize(
    ("text", "registers", "value"),
    [
        ("hr:0/float32/CDAB", [0, 0x41B4], 22.5),
        ("hr:0/cdab/float32", [0, 0x41B4], 22.5),
        ("hr:0/0.1", [2304], 230.4),
        ("hr:0/int16/-0.5", [0xFFFE], 1.0),
        ("hr:0/int32/DCBA/0.01", [0x3930, 0], 123.45),
        ("hr:0/bcd:4/0.1", [0x1234], 123.4),
    ],
)
def test_an_item_has_its_own_order_and_scale(text: str, registers: list[int], value: float) -> None:
    """Those of the options are for the others."""
    options = Defaults(scale=7.0, order=ABCD)
    if "0." not in text and "-0" not in text:
        options = Defaults()
    assert parse_item_text(text).item(options).decode(registers) == pytest.approx(value)
    assert list(parse_assignment(f"{text}={value}").encoded) == registers


@given(
    st.sampled_from(["co", "hr", "ir"]),
    st.integers(0, 1000),
    st.sampled_from([None, "0x20", "40"]),
    st.lists(st.sampled_from(["CDAB", "0.1", "float32", "DCBA", "int16x2", "3"]), max_size=4),
)
def test_the_name_of_an_item_can_be_typed(
    table: str, address: int, length: str | None, parts: list[str]
) -> None:
    last = "" if length is None else f"..{address + int(length, 0) - 1}"
    text = "/".join([f"{table}:{address}{last}", *parts])
    try:
        found = parse_item_text(text)
    except ValueError as error:
        assert str(error)
        return
    assert parse_item_text(found.name) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hr:9..0", "a range ascends in one table, as in hr:0..9 or 40001..40010"),
        ("hr:0..ir:5", "a range ascends in one table"),
        ("hr:0..", "a range ascends in one table"),
        ("hr:0..2/float32", "3 registers hold no whole number of values of 2 registers, take hr"),
        ("hr:0/float32/int16", "int16 is one too many, beside float32"),
        ("hr:0/CDAB/DCBA", "DCBA is one too many, beside CDAB"),
        ("hr:0/0.1/10", "10 is one too many, beside 0.1"),
        ("hr:0/0", "a scale must be a number other than 0"),
        ("co:0/0.1", "co:0 is a bit, which has no type but bit, no order and no scale"),
        ("co:0/CDAB", "co:0 is a bit, which has no type but bit, no order and no scale"),
        ("hr:0/string:4/0.1", "string:4 cannot be scaled, only numbers can"),
        ("hr:0/float", "did you mean float32?"),
        ("hr:0/REAL", "did you mean float32?"),
        ("hr:0/dint", "did you mean int32?"),
        ("hr:0/word", "did you mean uint16?"),
        ("hr:0/flaot32", "did you mean float32?"),
        ("hr0", "did you mean hr:0?"),
        ("hr:0-9", "did you mean hr:0..9?"),
        ("hr:0,1,2", "did you mean hr:0 hr:1 hr:2?"),
        ("4x0003", "did you mean 40003?"),
    ],
)
def test_a_wrong_item_says_what_is_meant(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_item_text(text).items()


@pytest.mark.parametrize(
    ("text", "suggested"),
    [
        ("hr:2=22.5", ["hr:2/float32=22.5", "hr:2/0.1=22.5"]),
        ("hr:2=-22.55", ["hr:2/float32=-22.55", "hr:2/int16/0.01=-22.55"]),
        ("hr:2=1e-5", ["hr:2/float32=1e-5"]),
        ("hr:2=99999.5", ["hr:2/float32=99999.5"]),
        ("hr:2/int16=22.5", ["hr:2/float32=22.5", "hr:2/0.1=22.5"]),
        ("hr:2=-5", ["hr:2/int16=-5"]),
        ("hr:2=70000", ["hr:2/uint32=70000"]),
        ("hr:2/int16=40000", ["hr:2/uint16=40000"]),
        ("hr:2=-40000", ["hr:2/int32=-40000"]),
        ("hr:2=1,-2", ["hr:2/int16=1,-2"]),
        ("hr:2=on", ["hr:2/bit:0=on"]),
        ("hr:2=pump", ["hr:2/string:4=pump"]),
        ("hr:2/string:2=pump", ["hr:2/string:4=pump"]),
        ("hr:2..3=1,2,3", []),
        ("hr:2/uint16x2=1", []),
        ("co:0=2", []),
        ("hr:2/bit:3=7", []),
    ],
)
def test_a_value_that_does_not_fit_is_answered_with_what_it_fits(
    text: str, suggested: list[str]
) -> None:
    with pytest.raises(ValueError, match="must be|takes|at most") as caught:
        parse_assignment(text)
    found = str(caught.value).partition("; try ")[2]
    assert [each for each in found.split(" or ") if each] == suggested
    for each in suggested:
        assert parse_assignment(each).encoded


def test_a_decimal_comma_is_not_two_floats() -> None:
    """It would write 22 into two registers, and 5 into the next two."""
    for text in ("hr:2/float32=22,5", "hr:2/0.1=22,5"):
        with pytest.raises(ValueError, match="22,5 is two values or one with a decimal comma"):
            parse_assignment(text)
    assert len(parse_assignment("hr:2/float32=22.0,5.0").encoded) == 4
    assert len(parse_assignment("hr:2/float32x2=22,5").encoded) == 4
    assert len(parse_assignment("hr:2..5/float32=22,5").encoded) == 4
    assert list(parse_assignment("hr:2=22,5").encoded) == [22, 5]

"""The tables of fields: complete, and with the same limits as the messages."""

from __future__ import annotations

from typing import Any

import pytest

from limits_table import LIMITS, SMALLEST_AND_LARGEST
from modwire import REQUESTS, ExceptionResponse, RawRequest, ReadHoldingRegistersRequest, Request
from modwire.messages.base import Message
from modwire.messages.fields import FIELDS, Field, FieldKind, fields_of

CLASSES: list[type[Message]] = [
    each for request in REQUESTS for each in (request, request.response_type)
]
BY_KEY = {(each.function_code, each.sub_code): each for each in REQUESTS}


def table(message_class: type[Message]) -> tuple[Field, ...]:
    found = fields_of(message_class)
    assert found is not None
    return found


def field(message_class: type[Message], name: str) -> Field:
    return next(each for each in table(message_class) if each.name == name)


def test_every_message_has_a_table() -> None:
    """A message without one is explained to users as raw bytes."""
    assert all(fields_of(each) is not None for each in (ExceptionResponse, *CLASSES))


def test_custom_functions_have_one_if_their_base_has() -> None:
    class Ours(Request[Any]):
        function_code = 65

    class Slow(ReadHoldingRegistersRequest):
        pass

    assert fields_of(Ours) is None
    assert fields_of(RawRequest) is None
    assert fields_of(Slow) == FIELDS[ReadHoldingRegistersRequest]


@pytest.mark.parametrize("key", SMALLEST_AND_LARGEST, ids=str)
def test_the_fields_of_fixed_size_are_as_long_as_the_message(key: tuple[int, int | None]) -> None:
    for message in SMALLEST_AND_LARGEST[key]:
        fields = table(type(message))
        if fields and all(each.size for each in fields) and not fields[0].variants:
            assert 1 + sum([each.size for each in fields]) == len(message.encode())


@pytest.mark.parametrize("key", SMALLEST_AND_LARGEST, ids=str)
def test_byte_counts_are_those_of_the_smallest_and_the_largest_message(
    key: tuple[int, int | None],
) -> None:
    four = SMALLEST_AND_LARGEST[key]
    for smallest, largest in (four[:2], four[2:]):
        at = 1
        for each in table(type(smallest)):
            if each.kind is FieldKind.BYTE_COUNT:
                for message, limit in ((smallest, each.least), (largest, each.most)):
                    counted = int.from_bytes(message.encode()[at : at + each.size], "big")
                    # 251 bytes of file groups are allowed, and their lengths are even.
                    assert counted == (250 if (key, limit) == ((20, None), 251) else limit)
                break
            at += each.size


@pytest.mark.parametrize(
    ("key", "limit", "name"),
    [
        *[((code, None), "quantity", "quantity") for code in (1, 2, 3, 4, 15, 16)],
        ((23, None), "read_quantity", "read quantity"),
        ((23, None), "write_quantity", "write quantity"),
    ],
)
def test_quantities_are_those_of_the_specification(
    key: tuple[int, int | None], limit: str, name: str
) -> None:
    found = field(BY_KEY[key], name)
    assert {"min": found.least, "max": found.most} == {
        bound: LIMITS[key][limit][bound] for bound in ("min", "max")
    }


def test_the_other_limits_are_those_of_the_specification() -> None:
    fifo = field(BY_KEY[24, None].response_type, "FIFO count")
    assert (fifo.least, fifo.most) == (0, LIMITS[24, None]["fifo_count"]["max"])
    levels = field(BY_KEY[43, 14].response_type, "conformity level").names
    assert set(levels) == {int(level, 16) for level in LIMITS[43, 14]["conformity"]}
    for message_class in (BY_KEY[8, None], BY_KEY[8, None].response_type):
        sub_functions = {each["sub"] for each in LIMITS[8, None]["subfunctions"]}
        assert set(table(message_class)[0].variants) == sub_functions | {19, 21}

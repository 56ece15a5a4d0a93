"""Functions of a user: a class that cannot work says how to write it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from modwire import Request, Response, WriteSingleCoilRequest


class PlainResponse(Response):
    """A response in the way of pymodbus: its constructor assigns to `self`."""

    function_code = 0x41

    def __init__(self, value: int) -> None:
        self.value = value


@dataclass
class MutableRequest(Request[PlainResponse]):
    """A dataclass whose constructor assigns to `self`, because it is not frozen."""

    function_code = 0x41
    value: int


@pytest.mark.parametrize("message", [PlainResponse, MutableRequest])
def test_a_message_that_assigns_to_self_learns_how_to_be_written(message: Any) -> None:
    name = message.__name__
    with pytest.raises(AttributeError) as caught:
        message(5)
    assert str(caught.value) == (
        f"{name} is immutable, 'value' cannot be set: make {name} a frozen dataclass, by "
        "@dataclass(frozen=True), whose fields are its arguments"
    )


def test_a_message_that_is_complete_is_only_immutable() -> None:
    with pytest.raises(AttributeError) as caught:
        WriteSingleCoilRequest(0, True).address = 5
    assert str(caught.value) == "WriteSingleCoilRequest is immutable, 'address' cannot be set"

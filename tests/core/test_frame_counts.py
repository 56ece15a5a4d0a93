"""The number of Python functions per message: each costs time at every request."""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import pytest

import modwire
from modwire import (
    MaskWriteRegisterRequest,
    ReadCoilsRequest,
    ReadDiscreteInputsRequest,
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    ReadWriteMultipleRegistersRequest,
    WriteMultipleCoilsRequest,
    WriteMultipleRegistersRequest,
    WriteSingleCoilRequest,
    WriteSingleRegisterRequest,
)
from modwire.messages.base import Request

AnyRequest = Request[Any]
COUNTED = (str(Path(modwire.__file__).parent), __file__)
TABLE = SimpleNamespace(
    read_bits=lambda address, count: b"\xff\x01",
    read_registers=lambda address, count: b"\0\1\0\2",
    write_bits=lambda address, count, data: None,
    write_registers=lambda address, data: None,
    mask_write=lambda address, and_mask, or_mask: None,
    write_read_registers=lambda write_address, data, read_address, read_count: b"\0\1\0\2",
)
DEVICE: Any = SimpleNamespace(
    coils=TABLE, discrete_inputs=TABLE, holding_registers=TABLE, input_registers=TABLE
)
REQUESTS: list[AnyRequest] = [
    ReadCoilsRequest(5, 9),
    ReadDiscreteInputsRequest(5, 9),
    ReadHoldingRegistersRequest(5, 2),
    ReadInputRegistersRequest(5, 2),
    WriteSingleCoilRequest(5, True),
    WriteSingleRegisterRequest(5, 7),
    WriteMultipleCoilsRequest(5, [True] * 9),
    WriteMultipleRegistersRequest(5, [1, 2, 3]),
    MaskWriteRegisterRequest(5, 0xF2, 0x25),
    ReadWriteMultipleRegistersRequest(5, 2, 9, [7, 8]),
]


def python_frames(call: Callable[..., object], *arguments: object) -> int:
    """Return the number of Python functions of modwire, and of this file, that run in `call`.

    A collection may run functions of others meanwhile.
    """
    count = 0

    def see(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call" and frame.f_code.co_filename.startswith(COUNTED)

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        call(*arguments)
    finally:
        sys.setprofile(before)
    return count


def by_code(request: AnyRequest) -> str:
    return str(request.function_code)


@pytest.mark.parametrize("sent", REQUESTS, ids=by_code)
def test_a_server_decodes_and_executes_a_request_in_one_function_each(sent: AnyRequest) -> None:
    pdu = sent.encode()
    assert python_frames(type(sent).decode, pdu) == 1
    assert python_frames(sent.execute, DEVICE) == 2  # one of them is the table's
    response = sent.execute(DEVICE)
    assert type(response) is sent.response_type
    assert python_frames(response.encode) == 1


@pytest.mark.parametrize("sent", REQUESTS, ids=by_code)
def test_a_client_decodes_a_response_in_one_function(sent: AnyRequest) -> None:
    pdu = sent.execute(DEVICE).encode()
    assert sent.decode_response(pdu) == sent.execute(DEVICE)
    assert python_frames(sent.decode_response, pdu) == 1


@pytest.mark.parametrize("sent", REQUESTS, ids=by_code)
def test_the_expected_length_is_that_of_the_response_and_costs_one_function(
    sent: AnyRequest,
) -> None:
    assert sent.expected_length() == len(sent.execute(DEVICE).encode())
    assert python_frames(sent.expected_length) == 1


@pytest.mark.parametrize(
    ("request_class", "arguments"),
    [
        (ReadCoilsRequest, (5, 9)),
        (ReadHoldingRegistersRequest, (5, 2)),
        (WriteSingleCoilRequest, (5, True)),
        (WriteSingleRegisterRequest, (5, 7)),
        (WriteMultipleRegistersRequest, (5, [1, 2, 3])),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_client_makes_a_request_in_one_function(
    request_class: Callable[..., object], arguments: tuple[object, ...]
) -> None:
    assert python_frames(request_class, *arguments) == 1


def test_numbers_that_are_no_plain_integers_become_some() -> None:
    """A bool or another library's number becomes an int before it is sent and compared."""

    class Place(IntEnum):
        PUMP = 1

    requests = WriteSingleRegisterRequest(Place.PUMP, False), WriteSingleCoilRequest(Place.PUMP, 1)
    for request in requests:
        assert repr(request) in (
            "WriteSingleRegisterRequest(address=1, value=0)",
            "WriteSingleCoilRequest(address=1, value=True)",
        )

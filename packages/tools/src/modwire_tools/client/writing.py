"""Writing typed values: their requests, and reading back the values from the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from modwire import (
    BlockingCalls,
    MaskWriteRegisterRequest,
    WriteMultipleCoilsRequest,
    WriteMultipleRegistersRequest,
    WriteSingleCoilRequest,
    WriteSingleRegisterRequest,
)
from modwire.planner import plan

from ..values.items import Assignment
from .reading import read_span

if TYPE_CHECKING:
    from modwire.messages.base import AnyRequest

_MOST_COILS, _MOST_REGISTERS = 1968, 123  # sections 6.11 and 6.12


class Write(NamedTuple):
    """An assignment, and the requests that write it."""

    assignment: Assignment
    requests: Sequence[AnyRequest]


def plan_write(assignment: Assignment, *, multiple: bool = False) -> Write:
    """Return the requests for `assignment`: function 5 or 6 for a single value, else 15 or 16.

    With `multiple`, a single coil or register is written by 15 or 16 too. A bit of a register is
    written by function 22, which keeps the other bits. If there are too many values for one
    request, they are split between two values.
    """
    item, encoded = assignment.item, assignment.encoded
    address = item.span.address
    requests: list[AnyRequest] = []
    if item.is_part:
        requests.append(MaskWriteRegisterRequest(address, ~item.mask & 0xFFFF, encoded[0]))
    elif item.place.table == "coils":
        if len(encoded) == 1 and not multiple:
            requests.append(WriteSingleCoilRequest(address, bool(encoded[0])))
        else:
            for at in range(0, len(encoded), _MOST_COILS):
                bits = [bool(bit) for bit in encoded[at : at + _MOST_COILS]]
                requests.append(WriteMultipleCoilsRequest(address + at, bits))
    elif len(encoded) == 1 and not multiple:
        requests.append(WriteSingleRegisterRequest(address, encoded[0]))
    else:
        size = 1 if item.single is None else item.single.register_count
        most = _MOST_REGISTERS - _MOST_REGISTERS % size if size <= _MOST_REGISTERS else size
        most = min(most, _MOST_REGISTERS)
        for at in range(0, len(encoded), most):
            requests.append(WriteMultipleRegistersRequest(address + at, encoded[at : at + most]))
    return Write(assignment, requests)


def read_back(client: BlockingCalls, assignment: Assignment, unit: int) -> Sequence[int]:
    """Return the device's registers or bits at `assignment`, only with the bits of the item."""
    item = assignment.item
    values = [value for span in plan([item.span]) for value in read_span(client, span, unit)]
    return [value & item.mask for value in values]

"""Writing typed values: their requests, and reading back the values from the device."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from modwire import BlockingCalls, MaskWriteRegisterRequest
from modwire.maps.transfer import run, send_write
from modwire.planner import WriteFunctions, plan

from ..values.item_texts import Assignment
from .reading import read_span

if TYPE_CHECKING:
    from modwire.planner.writes import PlainWrite


class Write(NamedTuple):
    """An assignment, and the requests that write it."""

    assignment: Assignment
    requests: Sequence[PlainWrite | MaskWriteRegisterRequest]


def plan_write(assignment: Assignment, functions: WriteFunctions = WriteFunctions.ALL) -> Write:
    """Return the requests for `assignment`, as `WriteFunctions` decides.

    If there are too many values for one request, they are split between two values. Raises
    ValueError if the device has no function for it.
    """
    item, encoded = assignment.item, assignment.encoded
    address = item.span.address
    if item.is_part:
        if not functions.can_mask:
            functions.check("holding_registers")
        mask = MaskWriteRegisterRequest(address, ~item.mask & 0xFFFF, encoded[0])
        return Write(assignment, [mask])
    size = 1 if item.single is None else item.single.register_count
    return Write(assignment, functions.requests(item.place.table, address, encoded, size=size))


def send(client: BlockingCalls, write: Write, unit: int, functions: WriteFunctions) -> None:
    """Send the requests of `write`; without function 22, a register is read and written back.

    Raises the errors of the client.
    """
    for request in write.requests:
        run(client, partial(send_write, functions, request), unit, None)


def read_back(client: BlockingCalls, assignment: Assignment, unit: int) -> Sequence[int]:
    """Return the device's registers or bits at `assignment`, only with the bits of the item."""
    item = assignment.item
    values = [value for span in plan([item.span]) for value in read_span(client, span, unit)]
    return [value & item.mask for value in values]

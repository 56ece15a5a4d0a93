"""`modwire write`: values into coils and holding registers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .annotations import AssignmentText
from .ending import FailedError, WrongArgumentError, argument
from .endpoints import EndpointArgument, UnitOption, unit_of, zero_is_broadcast
from .output import JsonFlag
from .value_options import (
    AddressValue,
    ByteOrderOption,
    OrderOption,
    ScaleOption,
    TypeOption,
    WordOrderOption,
    defaults_of,
)
from .verbose import VerboseFlag, diagnosing

if TYPE_CHECKING:
    from modwire import BlockingCalls
    from modwire_tools.values.items import Assignment

    from .diagnosis import Seen
    from .output import Json


def write(
    endpoint: EndpointArgument,
    assignments: Annotated[
        list[AssignmentText],
        AddressValue().argument(
            "ADDRESS=VALUE...",
            help="What to write: hr:16=22.5, co:3=on, hr:0=1,2,3, hr:8/string:6=pump, "
            "hr:5/bit:3=off.",
        ),
    ],
    kind: TypeOption = None,
    word_order: WordOrderOption = None,
    byte_order: ByteOrderOption = None,
    order: OrderOption = "ABCD",
    scale: ScaleOption = 1.0,
    unit: UnitOption = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read what was written, and fail if it differs.")
    ] = False,
    multiple: Annotated[
        bool,
        typer.Option(
            "--multiple", help="Write single values with functions 15 and 16 too, not 5 and 6."
        ),
    ] = False,
    as_json: JsonFlag = False,
    verbose: VerboseFlag = False,
) -> None:
    """Write values, and print what was written.

    All values are checked before the first request, and written in the given order. If the device
    refuses a value, the values after it are not written, and the exit code is 1.
    """
    from modwire_sync import connect
    from modwire_tools.client.writing import plan_write

    asked = unit_of(endpoint, unit)
    if verify and not asked and zero_is_broadcast(endpoint):
        raise WrongArgumentError(
            "--verify cannot read from unit 0, which is a broadcast: verify a unit of 1..255"
        )
    defaults = defaults_of(
        kind, order=order, byte_order=byte_order, word_order=word_order, scale=scale
    )
    with argument("ADDRESS=VALUE"):
        writes = [plan_write(each.assignment(defaults), multiple=multiple) for each in assignments]
    report = Report(as_json)
    try:
        with diagnosing(endpoint, verbose) as seen, connect(endpoint) as client:
            for number, (assignment, requests) in enumerate(writes):
                try:
                    for request in requests:
                        client.call(request, unit=asked)
                except Exception as error:
                    raise _not_written(error, seen, assignment, number, len(writes)) from error
                report.written(assignment)
            if verify:
                for assignment, _ in writes:
                    _verify(client, assignment, asked)
    finally:
        report.end()


class Report:
    """Prints a line for each written value, or a JSON list at the end."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._values: list[Json] = []

    def written(self, assignment: Assignment) -> None:
        """Print an assignment that the device has confirmed."""
        from .output import print_line
        from .printing import plain

        item = assignment.item
        value = item.decode(assignment.encoded)
        if self._as_json:
            self._values.append(
                {"address": str(item.place), "type": item.type, "value": plain(value)}
            )
        else:
            print_line(f"{item.name} = {item.shown(value)}")

    def end(self) -> None:
        """Print the JSON list."""
        from .output import print_json_list

        if self._as_json:
            print_json_list(self._values)


def _not_written(
    error: Exception, seen: Seen, assignment: Assignment, number: int, total: int
) -> Exception:
    """Return the error, with the number of values written before it."""
    from modwire import ModbusError

    from .hints import brief, described

    if not isinstance(error, ModbusError):
        return error
    name = assignment.item.name
    if total == 1:
        return FailedError(f"{name}: {described(error, seen)}")
    return FailedError(f"{name}: {brief(error)}; {number} of {total} values were written")


def _verify(client: BlockingCalls, assignment: Assignment, unit: int) -> None:
    from modwire_tools.client.writing import read_back

    item = assignment.item
    found = read_back(client, assignment, unit)
    if list(found) == list(assignment.encoded):
        return
    try:
        shown = item.shown(item.decode(found))
    except ValueError:
        shown = " ".join(f"{register:04X}" for register in found)
    wanted = item.shown(item.decode(assignment.encoded))
    raise FailedError(
        f"{item.name} was written as {wanted} and reads as {shown}: the device did not keep it, "
        "or changed it since"
    )

"""`modwire write`: values into coils and holding registers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from modwire_tools.values.numbers import parse_whole

from .annotations import WriteFunctions
from .device_option import Device, DeviceOption, EndpointTextArgument, find_device
from .ending import FailedError, WrongArgumentError, argument
from .endpoints import UnitOption, unit_of
from .output import JsonFlag
from .types import Completions, ParamType
from .value_options import (
    ByteOrderOption,
    OrderOption,
    ScaleOption,
    TypedAddress,
    TypeOption,
    WordOrderOption,
    defaults_of,
)
from .verbose import VerboseFlag, diagnosing

if TYPE_CHECKING:
    from modwire import BlockingCalls
    from modwire_tools.values.item_texts import Assignment
    from modwire_tools.values.items import Defaults

    from .diagnosis import Seen
    from .output import Json


class FunctionCodes(ParamType["WriteFunctions"]):
    """The codes of functions that write, such as 15,16."""

    metavar = "CODES"

    def parse(self, text: str) -> WriteFunctions:
        from modwire import planner

        return planner.WriteFunctions(
            *(parse_whole(part.strip(), 0, 255) for part in text.split(","))
        )

    def complete(self, incomplete: str) -> Completions:
        return [
            ("15,16", "multiple coils and registers only"),
            ("15,16,22", "the same, and mask write register"),
            ("5,6", "single coils and registers only"),
        ]


def write(
    place: EndpointTextArgument = None,
    assignments: Annotated[
        list[str] | None,
        TypedAddress().argument(
            "ADDRESS=VALUE...",
            help="What to write: hr:16=22, hr:2/float32=22.5, hr:2/0.1=22.5, co:3=on, hr:0=1,2,3, "
            "hr:8/string:6=pump, hr:5/bit:3=off. Type, order and scale as for read. With --device, "
            "also the names of points in the file: setpoint=22.5.",
        ),
    ] = None,
    kind: TypeOption = None,
    word_order: WordOrderOption = None,
    byte_order: ByteOrderOption = None,
    order: OrderOption = "ABCD",
    scale: ScaleOption = 1.0,
    unit: UnitOption = None,
    device: DeviceOption = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read what was written, and fail if it differs.")
    ] = False,
    functions: Annotated[
        WriteFunctions | None,
        FunctionCodes().option(
            "--functions",
            help="The functions that may write, of 5, 6, 15, 16 and 22 (the default is all): "
            "15,16 writes single values by them too. Without 22, the register of a bit is read "
            "first and written back; without 15 and 16, values are written one by one.",
        ),
    ] = None,
    as_json: JsonFlag = False,
    verbose: VerboseFlag = False,
) -> None:
    """Write values, and print what was written.

    All values are checked before the first request, and written in the given order. If the device
    refuses a value, the values after it are not written, and the exit code is 1. The answer to
    most writes equals the request: on a line that echoes, a write succeeds without any device. Add
    suppress_echo=true to the endpoint there, or --verify, which reads.
    """
    from modwire import planner
    from modwire_sync import connect
    from modwire_tools.client.writing import plan_write, send

    codes = functions or planner.WriteFunctions.ALL
    target = find_device("write", place, device, assignments or [])
    endpoint = target.endpoint
    if not target.words:
        raise WrongArgumentError("missing argument 'ADDRESS=VALUE...'; see modwire write --help")
    defaults = defaults_of(
        kind, order=order, byte_order=byte_order, word_order=word_order, scale=scale
    )
    with argument("ADDRESS=VALUE"):
        asked, assigned = assignments_of(target, unit, defaults)
        writes = [plan_write(each, codes) for each in assigned]
    if verify and not asked and endpoint.broadcasts_zero:
        raise WrongArgumentError(
            "--verify cannot read from unit 0, which is a broadcast: verify a unit of 1..255"
        )
    is_broadcast = not asked and endpoint.broadcasts_zero
    if is_broadcast and not codes.can_mask and any(each.item.is_part for each, _ in writes):
        raise WrongArgumentError(
            "--functions without 22 reads the register of a bit first, which unit 0, a broadcast, "
            "cannot: name a unit of 1..247"
        )
    report = Report(as_json)
    try:
        with diagnosing(endpoint, verbose) as seen, connect(endpoint) as client:
            for number, planned in enumerate(writes):
                try:
                    send(client, planned, asked, codes)
                except Exception as error:
                    assignment = planned.assignment
                    raise _not_written(error, seen, assignment, number, len(writes)) from error
                report.written(planned.assignment)
            if verify:
                for assignment, _ in writes:
                    _verify(client, assignment, asked)
    finally:
        report.end()


def assignments_of(
    target: Device, unit: int | None, defaults: Defaults
) -> tuple[int, list[Assignment]]:
    """Return the unit to ask, and the assignments that the words name; raises ValueError."""
    from modwire_tools.values.item_texts import parse_assignment

    points = target.points
    asked = points.unit(target.words, target.endpoint.unit if unit is None else unit)
    asked = unit_of(target.endpoint, asked)
    found: list[Assignment] = []
    for word in target.words:
        named = points.assignment(asked, word)
        if named is None:
            points.check_known(asked, word)
            named = parse_assignment(word, defaults)
        found.append(named)
    return asked, found


class Report:
    """Prints a line for each written value, or a JSON list at the end."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._values: list[Json] = []

    def written(self, assignment: Assignment) -> None:
        """Print an assignment that the device has confirmed."""
        from .output import print_line
        from .printing import described_item, plain

        item = assignment.item
        value = item.decode(assignment.encoded)
        if self._as_json:
            self._values.append({**described_item(item), "value": plain(value)})
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

    from .hints import described, doubt

    if not isinstance(error, ModbusError):
        return error
    parts = [f"{assignment.item.name}: {described(error, seen)}", doubt(error, seen)]
    if total > 1:
        parts.append(f"{number} of {total} values were written")
    return FailedError("; ".join(filter(None, parts)))


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

"""`modwire read`: reads values of a device, once or repeatedly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .annotations import ItemText
from .device_option import DeviceOption, EndpointTextArgument, device_endpoint
from .ending import FailedError, WrongArgumentError, argument
from .endpoints import UnitOption, check_no_broadcast, unit_of
from .output import JsonFlag
from .types import DURATION, Whole
from .value_options import (
    ByteOrderOption,
    CountOption,
    OrderOption,
    ScaleOption,
    TypedAddress,
    TypeOption,
    WordOrderOption,
    defaults_of,
)
from .verbose import VerboseFlag, diagnosing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modwire_tools.client.reading import Outcome

    from .diagnosis import Seen


def read(
    place: EndpointTextArgument,
    addresses: Annotated[
        list[ItemText],
        TypedAddress().argument(
            "ADDRESS...",
            help="What to read: hr:0x10, holding:16 or 40017, with a type of its own if needed, "
            "as in hr:16/float32.",
        ),
    ],
    kind: TypeOption = None,
    count: CountOption = 1,
    word_order: WordOrderOption = None,
    byte_order: ByteOrderOption = None,
    order: OrderOption = "ABCD",
    scale: ScaleOption = 1.0,
    show_registers: Annotated[
        bool, typer.Option("--hex", help="Show the registers too, in hexadecimal.")
    ] = False,
    unit: UnitOption = None,
    device: DeviceOption = None,
    watch: Annotated[
        float | None, DURATION.option("--watch", "-w", help="Read again after each TIME.")
    ] = None,
    times: Annotated[
        int | None, Whole(1).option("--times", help="With --watch: end after N times.")
    ] = None,
    as_json: JsonFlag = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    verbose: VerboseFlag = False,
) -> None:
    """Read values, with as few requests as possible.

    Prints a line for each address, or JSON or CSV; with --watch a live table on a terminal. If an
    address cannot be read, its line has the error, and the exit code is 1; with --times that of
    the last reading.
    """
    from modwire_sync import connect
    from modwire_tools.client.reading import Reading, limits_for

    if as_json and as_csv:
        raise WrongArgumentError("--json and --csv exclude each other, take one of them")
    if times is not None and watch is None:
        raise WrongArgumentError("--times goes with --watch, as in --watch 1s --times 10")
    endpoint = device_endpoint(place, device)
    asked = unit_of(endpoint, unit)
    check_no_broadcast(endpoint, asked)
    defaults = defaults_of(
        kind,
        order=order,
        byte_order=byte_order,
        word_order=word_order,
        scale=scale,
        count=count,
    )
    with argument("ADDRESS"):
        items = [each.item(defaults) for each in addresses]

    from .printing import printer_for

    printer = printer_for(as_json, as_csv, show_registers)
    if watch is not None and printer.live:
        from .watch import rows_of

        items = rows_of(items)
    with argument("ADDRESS"):
        reading = Reading(items, asked, limits_for(endpoint))
    with diagnosing(endpoint, verbose) as seen, connect(endpoint) as client:
        if watch is None:
            outcomes = reading.read(client)
            printer.once(outcomes)
            check_all_read(outcomes, seen)
        else:
            from .watch import watch_values

            watch_values(client, reading, printer, watch, times, seen)


def check_all_read(outcomes: Sequence[Outcome], seen: Seen | None = None) -> None:
    """Raise FailedError if an address could not be read; its text names them all."""
    from .hints import described, described_together

    failed = [(each.item.name, each.error) for each in outcomes if each.error is not None]
    if failed and len(outcomes) == 1:
        name, error = failed[0]
        raise FailedError(f"{name}: {described(error, seen)}")
    if failed:
        texts = described_together(dict(failed), seen)
        raise FailedError(f"{len(failed)} of {len(outcomes)} addresses could not be read: {texts}")

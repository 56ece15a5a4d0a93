"""`modwire read`: values of a device, once or again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .arguments import (
    EndpointText,
    JsonFlag,
    UnitText,
    parse_endpoint,
    parse_seconds,
    parse_whole,
    unit_of,
)
from .completion import complete_address
from .ending import FailedError, WrongArgumentError, argument
from .value_options import (
    ByteOrderOption,
    OrderOption,
    ScaleOption,
    TypeOption,
    WordOrderOption,
    parse_defaults,
)

if TYPE_CHECKING:
    from modwire_tools.reading import Outcome


def read(
    endpoint: EndpointText,
    addresses: Annotated[
        list[str],
        typer.Argument(
            metavar="ADDRESS...",
            help="What to read: hr:0x10, holding:16 or 40017, with a type of its own if need be, "
            "as in hr:16/float32.",
            autocompletion=complete_address,
        ),
    ],
    kind: TypeOption = "uint16",
    count: Annotated[
        str, typer.Option("--count", "-n", metavar="N", help="Values from each address on.")
    ] = "1",
    word_order: WordOrderOption = None,
    byte_order: ByteOrderOption = None,
    order: OrderOption = "ABCD",
    scale: ScaleOption = "1",
    show_registers: Annotated[
        bool, typer.Option("--hex", help="Show the registers too, in hexadecimal.")
    ] = False,
    unit: UnitText = None,
    watch: Annotated[
        str | None,
        typer.Option("--watch", "-w", metavar="TIME", help="Read again after each TIME."),
    ] = None,
    times: Annotated[
        str | None,
        typer.Option("--times", metavar="N", help="With --watch: end after N times."),
    ] = None,
    as_json: JsonFlag = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Read values, with as few requests as can be.

    Prints a line for each address; with --json and --csv as such, and with --watch a live table.
    What cannot be read is said for its address, and the exit code is 1.
    """
    from modwire_sync import connect
    from modwire_tools.items import parse_item
    from modwire_tools.reading import Reading, limits_for

    if as_json and as_csv:
        raise WrongArgumentError("--json and --csv exclude each other, take one of them")
    if times is not None and watch is None:
        raise WrongArgumentError("--times goes with --watch, as in --watch 1s --times 10")
    interval = None if watch is None else parse_seconds("--watch", watch)
    most = None if times is None else parse_whole("--times", times, 1)
    place = parse_endpoint(endpoint)
    asked = unit_of(place, unit)
    if not asked and place.framing != "tcp":
        raise WrongArgumentError(
            "--unit 0 is a broadcast on a serial line, which nobody answers: read from 1..247"
        )
    defaults = parse_defaults(
        kind,
        order=order,
        byte_order=byte_order,
        word_order=word_order,
        scale=scale,
        count=count,
    )
    with argument("ADDRESS"):
        items = [parse_item(each, defaults) for each in addresses]

    from .printing import printer_for
    from .watch import rows_of, watch_values

    printer = printer_for(as_json, as_csv, show_registers)
    if interval is not None and printer.live:
        items = rows_of(items)
    with argument("ADDRESS"):
        reading = Reading(items, asked, limits_for(place))
    with connect(place) as client:
        if interval is None:
            outcomes = reading.read(client)
            printer.once(outcomes)
            _check(outcomes)
            return
        watch_values(client, reading, printer, interval, most, str(place), show_registers)


def _check(outcomes: list[Outcome]) -> None:
    """Raise if something could not be read."""
    from .hints import brief, described

    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if not failed:
        return
    first = failed[0]
    assert first.error is not None
    if len(outcomes) == 1:
        raise FailedError(f"{first.item.name}: {described(first.error)}")
    texts = [f"{each.item.name}: {brief(each.error)}" for each in failed if each.error is not None]
    raise FailedError(
        f"{len(failed)} of {len(outcomes)} addresses could not be read: {'; '.join(texts)}"
    )

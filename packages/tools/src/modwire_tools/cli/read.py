"""`modwire read`: reads values of a device, once or repeatedly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .device_option import Device, DeviceOption, EndpointTextArgument, find_device
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
    from modwire_tools.values.items import Defaults, Item

    from .diagnosis import Seen


def read(
    place: EndpointTextArgument = None,
    addresses: Annotated[
        list[str] | None,
        TypedAddress().argument(
            "ADDRESS...",
            help="What to read: hr:0x10, holding:16 or 40017, or a range: hr:0..9. If needed, each "
            "has its own type, order and scale: hr:16/float32/CDAB, hr:2/int16/0.1. With --device, "
            "also the names of points in the file; without any, all of them.",
        ),
    ] = None,
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

    from .printing import printer_for

    if as_json and as_csv:
        raise WrongArgumentError("--json and --csv exclude each other, take one of them")
    if times is not None and watch is None:
        raise WrongArgumentError("--times goes with --watch, as in --watch 1s --times 10")
    target = find_device("read", place, device, addresses or [])
    endpoint = target.endpoint
    if not target.words and not target.points:
        raise WrongArgumentError("missing argument 'ADDRESS...'; see modwire read --help")
    defaults = defaults_of(
        kind,
        order=order,
        byte_order=byte_order,
        word_order=word_order,
        scale=scale,
        count=count,
    )
    printer = printer_for(as_json, as_csv, show_registers)
    is_live = watch is not None and printer.live
    with argument("ADDRESS"):
        asked, items = items_of(target, unit, defaults, single=is_live)
        check_no_broadcast(endpoint, asked)
        reading = Reading(items, asked, limits_for(endpoint))
    with diagnosing(endpoint, verbose) as seen, connect(endpoint) as client:
        if watch is None:
            outcomes = reading.read(client)
            printer.once(outcomes)
            check_all_read(outcomes, seen)
        else:
            from .watch import watch_values

            watch_values(client, reading, printer, watch, times, seen)


def items_of(
    target: Device, unit: int | None, defaults: Defaults, *, single: bool
) -> tuple[int, list[Item]]:
    """Return the unit to ask, and the items that the words name: addresses and names of points.

    Without words, they are all points of the unit. Raises ValueError.
    """
    from modwire_tools.values.item_texts import parse_item_text

    points = target.points
    asked = target.endpoint.unit if unit is None else unit
    if not target.words:
        every = points.all(asked)
        return unit_of(target.endpoint, points.unit([every[0].name], asked)), every
    asked = unit_of(target.endpoint, points.unit(target.words, asked))
    items: list[Item] = []
    for word in target.words:
        named = points.item(asked, word)
        if named is not None:
            items.append(named)
            continue
        points.check_known(asked, word)
        items += parse_item_text(word).items(defaults, single=single)
    return asked, items


def check_all_read(outcomes: Sequence[Outcome], seen: Seen | None = None) -> None:
    """Raise FailedError if an address could not be read; its text names them all."""
    from .hints import described, described_together
    from .printing import failures

    failed = failures(outcomes)
    count = sum(each.error is not None for each in outcomes)
    if len(failed) == 1 and count == len(outcomes):
        ((name, error),) = failed.items()
        raise FailedError(f"{name}: {described(error, seen)}")
    if failed:
        texts = described_together(failed, seen)
        raise FailedError(f"{count} of {len(outcomes)} addresses could not be read: {texts}")

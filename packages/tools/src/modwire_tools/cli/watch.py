"""`modwire read --watch`: a live table on a terminal, lines for other programs."""

from __future__ import annotations

from time import monotonic, sleep
from typing import TYPE_CHECKING

from modwire import ConnectionLostError, ModbusError

from .live_table import LiveTable
from .output import is_terminal
from .read import check_all_read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modwire import BlockingCalls
    from modwire_tools.client.reading import Outcome, Reading

    from .diagnosis import Seen
    from .printing import Printer


def watch_values(
    client: BlockingCalls,
    reading: Reading,
    printer: Printer,
    interval: float,
    most: int | None,
    seen: Seen,
) -> None:
    """Read every `interval` seconds, `most` times or until Ctrl+C.

    A reading that fails is shown, and reading continues, because a link may recover. Raises at the
    end if the last reading failed.
    """
    live: LiveTable | None = None
    if printer.live and is_terminal():
        live = LiveTable(str(seen.endpoint), reading.items, printer.show_registers)
        live.start(monotonic())
    failure: ModbusError | None = None
    outcomes: Sequence[Outcome] = ()
    try:
        begun = monotonic()
        number = 0
        while True:
            started = monotonic()
            found: Sequence[Outcome] | None = None
            failure = None
            try:
                outcomes = found = reading.read(client)
            except ModbusError as error:
                if not number and isinstance(error, ConnectionLostError):
                    raise
                failure = error
            number += 1
            if live is not None:
                now = monotonic()
                live.show(found, failure, reading.requests, now - started, now)
            elif failure is not None:
                printer.failed(reading.items, failure)
            else:
                printer.again(outcomes)
            if number == most:
                break
            # The times are multiples of the interval from the start, so that errors do not add up.
            # A time that is missed because reading took longer is skipped.
            now = monotonic()
            late = (now - begun) % interval
            sleep(interval - late)
    finally:
        if live is not None:
            live.stop()
    if failure is not None:
        raise failure
    check_all_read(outcomes, seen)

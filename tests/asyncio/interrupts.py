"""A program: interrupts every line of modwire while a client works, then uses the client.

    python interrupts.py LOOP KIND STEP

The loop is "asyncio" or "uvloop", the kind of device one of `cutting.device`. Every `STEP`th line
is interrupted, in calls, in the first call, in calls without an answer, in `connect` and `aclose`.
Then all tasks are cancelled, as `asyncio.run` does, and the client has to work, in the same loop or
in the next one. A client that does not is printed, and then the program ends with 1. If one hangs,
it ends with a traceback.

It is a program because a client that hangs can also keep pytest from ending, and because a mistake
with descriptors makes uvloop abort its process.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import logging
import sys
import warnings
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "helpers"))

from asyncio_peers import LOOPS, PATIENCE, NewLoop
from cutting import Cut, Cutter, Device, device
from modwire import ResponseTimeoutError
from modwire_asyncio import Client, connect
from own_sockets import count_descriptors

HANGS = 30.0  # seconds after which a place has hung
AT_ONCE = (
    1.5  # seconds; the timeout of calls is longer, but on a line, where a restart waits for it
)
SHORT = 0.05  # seconds: the timeout of calls that are not answered


class Interrupt(Cut, KeyboardInterrupt):
    """An exception of a signal handler, which ends the loop from any callback, as Ctrl+C does."""


class Lines(Cutter):
    """Interrupts lines only: Python handles no signal when a coroutine goes on or returns."""

    where = ""

    def _trace(self, frame: FrameType, event: str, argument: object) -> Any:
        if not self._is_ours(frame):
            return None
        if event == "line":
            if self._left == 1:
                self.where = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
            self._count()
        return self._trace


async def read(client: Client) -> None:
    assert await client.read_holding_registers(7) == [7]


async def time_out(client: Client) -> None:
    with suppress(ResponseTimeoutError):
        await client.read_holding_registers(7, timeout=SHORT)


RUNS: dict[str, Callable[[Client], Awaitable[None]]] = {
    "call": read,
    "first call": read,
    "no answer": time_out,
    "connect": Client.connect,
    "close": Client.aclose,
}
OPENED = ("call", "no answer", "close")  # runs that begin with an open link


async def check(client: Client, first: int) -> None:
    """Fail unless the client works, at once and without an error."""
    began = monotonic()
    for value in (first, first + 1):
        found = await client.read_holding_registers(value, timeout=PATIENCE)
        assert found == [value], found
    assert monotonic() - began < AT_ONCE, "it took too long"


class Place:
    """One line that is interrupted, with a client and loops of its own."""

    def __init__(self, endpoint: str, new_loop: NewLoop, keeps_loop: bool) -> None:
        self.client = connect(endpoint)
        self._new_loop = new_loop
        self._keeps_loop = keeps_loop
        self.loop = self._opened()

    def _opened(self) -> asyncio.AbstractEventLoop:
        loop = self._new_loop()
        loop.set_exception_handler(lambda loop, fault: None)
        return loop

    def cut(self, cutter: Lines, what: str, place: int, slow: Device) -> bool:
        """Interrupt a line of a run; return False if it has fewer lines."""
        if what in OPENED:
            self.loop.run_until_complete(check(self.client, 1))
        slow.is_silent = what == "no answer"
        slow.pause = 4 * SHORT if slow.is_silent else 0.0
        was_cut = True
        with suppress(Exception):  # uvloop turns an interrupt into the loss of a link
            was_cut = cutter.run(
                lambda: self.loop.run_until_complete(RUNS[what](self.client)),
                place,
                by_lines=True,
                error=Interrupt,
            )
        slow.pause, slow.is_silent = 0.0, False
        self._settle()
        if left := asyncio.all_tasks(self.loop):
            for task in left:
                task.cancel()
            self.loop.run_until_complete(asyncio.wait(left))
            for task in left:
                task.cancelled() or task.exception()
        return was_cut

    def _settle(self) -> None:
        """Let the loop stop for a run that has ended: a run of few passes would leave its own."""
        with suppress(RuntimeError):
            self.loop.run_until_complete(asyncio.sleep(0.001))

    def fault(self, value: int) -> str:
        """Use the client; return why it does not work, "" if it does."""
        if not self._keeps_loop:
            self.loop.close()
            self.loop = self._opened()
        self._settle()
        try:
            self.loop.run_until_complete(check(self.client, value))
        except Exception as error:  # noqa: BLE001 - printed
            return repr(error)
        finally:
            self.loop.run_until_complete(self.client.aclose())
            self.loop.close()
        return ""


def interrupt(endpoint: str, slow: Device, new_loop: NewLoop, what: str, step: int) -> list[str]:
    """Interrupt every `step`th line of a run; return the faults."""
    cutter, faults = Lines(), []
    for keeps_loop in (True, False):
        for number in count(1, step):
            faulthandler.dump_traceback_later(HANGS, exit=True)
            place = Place(endpoint, new_loop, keeps_loop)
            cutter.where = "nothing"
            was_cut = place.cut(cutter, what, number, slow)
            if fault := place.fault(100 + number % 100):
                same = "the same" if keeps_loop else "the next"
                faults.append(f"{what}, {cutter.where} interrupted, then in {same} loop: {fault}")
            if not was_cut:
                break
        assert number > 20, f"{what} has {number} lines"
    faulthandler.cancel_dump_traceback_later()
    return faults


def main() -> None:
    name, kind, step = sys.argv[1:]
    logging.disable()
    # What an interrupted function has just opened is closed by the collector.
    warnings.simplefilter("ignore")
    sys.unraisablehook = lambda what: None
    LOOPS[name]().close()  # the first one of uvloop opens some files that stay
    descriptors = count_descriptors()
    timeout = 0.1 if kind == "rtu" else 2.0
    faults = []
    with device(kind) as (slow, endpoint):
        endpoint += f"{'&' if '?' in endpoint else '?'}timeout={timeout}&late_reply_window=0.01"
        for what in RUNS:
            faults += interrupt(endpoint, slow, LOOPS[name], what, int(step))
    until = monotonic() + HANGS
    while count_descriptors() > descriptors and monotonic() < until:
        gc.collect()
    if count_descriptors() > descriptors:
        faults.append(f"{count_descriptors() - descriptors} descriptors are left open")
    print("\n".join(faults))
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()

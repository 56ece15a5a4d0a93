"""The threads that execute calls to units that block, so that the server's thread never waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Lock, get_ident
from typing import TYPE_CHECKING

from ..gateway import Device
from ..threads import Threads

if TYPE_CHECKING:
    from typing import TypeAlias

    from modwire import Call, Response, ServerProtocol, Unit, Units

    from ..gateway import Forwarded

    Done: TypeAlias = Callable[[Call, Response | None], None]


class Workers:
    """At most `count` threads, started when a call is first submitted.

    Calls to devices behind a gateway take none of them: they wait in its queue, and its threads
    ask. `wake` is called from any of these when results are ready; `deliver`, in the server's own
    thread, hands them to whoever submitted the calls.
    """

    def __init__(self, count: int, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._pool = Threads(count, "modwire-unit")
        self._results: deque[tuple[Done, Call, Response | None]] = deque()
        self._threads: set[int] = set()  # that execute calls, or are in hooks
        self._forwarding: set[_Forwarding] = set()
        self.outstanding = 0

    def submit(
        self, protocol: ServerProtocol, call: Call, units: Units, done: Done
    ) -> Callable[[], None] | None:
        """Execute `call` in a thread; `done(call, response)` comes out of `deliver`.

        A function that is given withdraws the call: if it still waits for its turn at a gateway,
        it is done at once.
        """
        addressed, found = protocol.addressed(call, units)
        self.outstanding += 1
        devices = [unit for unit in found if isinstance(unit, Device)]
        if not devices:
            try:
                self._pool.run(self._execute, protocol, call, units, done)
            except RuntimeError as error:
                self._end(done, call, protocol.failed(call, error))
            return None
        units.bus.messages += 1
        others = [unit for unit in found if not isinstance(unit, Device)]
        forwarding = _Forwarding(protocol, addressed, len(devices) + bool(others), self._threads)

        def end(response: Response | None) -> None:
            self._forwarding.discard(forwarding)
            self._end(done, call, response)

        forwarding.end = end
        self._forwarding.add(forwarding)
        for device in devices:
            forwarding.forward(device)
        if others:
            try:
                self._pool.run(forwarding.execute_on, others)
            except RuntimeError as error:
                forwarding.conclude(error)
        return forwarding.withdraw

    def _end(self, done: Done, call: Call, response: Response | None) -> None:
        self._results.append((done, call, response))
        self._wake()

    def _execute(self, protocol: ServerProtocol, call: Call, units: Units, done: Done) -> None:
        self._threads.add(get_ident())
        response: Response | None = None
        try:
            response = protocol.execute(call, units)
        except BaseException as error:  # noqa: BLE001 - SystemExit too: this thread is no program
            response = protocol.failed(call, error)
        finally:
            self._end(done, call, response)

    def run_here(self) -> bool:
        """Whether the caller is in one of the threads, or in a hook that a gateway calls."""
        return get_ident() in self._threads

    def deliver(self) -> None:
        """Call `done` for every call that has ended."""
        while self._results:
            done, call, response = self._results.popleft()
            self.outstanding -= 1
            done(call, response)

    def close(self) -> None:
        """Drop the calls that no thread has begun; those that run are left to themselves."""
        for forwarding in list(self._forwarding):
            forwarding.withdraw()
        self._pool.close()


class _Forwarding:
    """A call that goes to devices behind a gateway: a broadcast may go to several lines.

    `end` is called once, when as many `parts` of it as there are have ended. `threads` are those
    in which hooks are called.
    """

    end: Callable[[Response | None], None]

    def __init__(self, protocol: ServerProtocol, call: Call, parts: int, threads: set[int]) -> None:
        self._protocol = protocol
        self._call = call
        self._left = parts
        self._threads = threads
        self._lock = Lock()
        self._tickets: list[Forwarded] = []

    def forward(self, device: Device) -> None:
        """Let the call wait for its turn at a device, unless it is to be refused."""
        protocol, call = self._protocol, self._call
        try:
            refusal = protocol.refusal(device, call)
        except BaseException:  # of a hook, which wants to end the program
            self._end_part(None)
            raise
        if refusal is not None:
            self.conclude(device.refuse(refusal, broadcast=call.broadcast))
            return
        ticket = device.submit(protocol.asker, call.request, call.broadcast, self.conclude)
        if ticket is not None:
            self._tickets.append(ticket)

    def execute_on(self, units: list[Unit]) -> None:
        """Execute a broadcast on units that are behind no line, in the thread that it runs in."""
        try:
            for unit in units:
                self._protocol.execute_on(unit, self._call)
        except BaseException as error:  # noqa: BLE001 - SystemExit too: this thread is no program
            self._protocol.failed(self._call, error)
        self._end_part(None)

    def withdraw(self) -> None:
        """Leave the queues."""
        for ticket in self._tickets:
            ticket.withdraw()

    def conclude(self, outcome: object) -> None:
        """A part has ended: with a response, None, or an error; in any thread."""
        response: Response | None = None
        here = get_ident()
        is_new = here not in self._threads
        self._threads.add(here)
        try:
            response = self._protocol.concluded(self._call, outcome)
        except BaseException as error:
            response = self._protocol.failed(self._call, error)
            if isinstance(error, KeyboardInterrupt):
                raise  # it is the program's, where this is its main thread
        finally:
            if is_new:
                self._threads.discard(here)
            self._end_part(response)

    def _end_part(self, response: Response | None) -> None:
        with self._lock:
            self._left -= 1
            is_over = not self._left
        if is_over:
            self.end(None if self._call.broadcast else response)

"""`Faults`: what a device does wrong, switched on and off by the test."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from modwire import ExceptionCode, FaultyResponse, InvalidRequestError, Response
from modwire.arguments import check_arguments
from modwire.options import check_count, check_range, check_timeout

from .damage import Damage, DamagedResponse, first_half, one_byte_less, other_transaction

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from modwire import BaseUnit, Endpoint, Framing
    from modwire.messages.base import AnyRequest


class Which(TypedDict, total=False):
    """The requests that have a fault."""

    times: int
    unit: int
    function: int
    address: int


class Asked(NamedTuple):
    """A request to a unit."""

    unit: BaseUnit
    request: AnyRequest

    def execute(self) -> Response | None:
        """Return the response of the unit. Raises TypeError if it returns something else."""
        response = self.unit.execute(self.request)
        if response is None or isinstance(response, Response):
            return response
        raise TypeError(f"execute() of {self.unit!r} must return a response, got {response!r}")

    def refuse(self, code: int) -> Response | None:
        """Return an exception response of the unit."""
        function = self.request.function_code
        return self.unit.refuse(InvalidRequestError("an injected fault", function, code))


Answer = Callable[[Asked], FaultyResponse]
"""Returns the faulty response to a request."""


class Fault:
    """A fault that is active until `stop()`, the end of its `with` block, or its last time.

    - `name`: such as "silence", as in the log.
    - `seconds`: the delay of the answer.
    - `count`: number of requests that had the fault.
    - `is_active`: False from the end on.
    """

    def __init__(
        self,
        name: str,
        answer: Answer | None,
        *,
        seconds: float = 0.0,
        times: int | None = None,
        unit: int | None = None,
        function: int | None = None,
        address: int | None = None,
    ) -> None:
        if times is not None:
            check_count("times", times)
        self.name = name
        self.answer = answer
        self.seconds = seconds
        self.count = 0
        self.is_active = True
        self._times = times
        self._unit = unit
        self._function = function
        self._address = address

    def take(self, unit: int, request: AnyRequest) -> bool:
        """Return True, and count it, if this request has the fault."""
        if not self.is_active or not self._fits(unit, request):
            return False
        self.count += 1
        if self.count == self._times:
            self.is_active = False
        return True

    def _fits(self, unit: int, request: AnyRequest) -> bool:
        address: object = getattr(request, "address", None)
        return (
            self._unit in (None, unit)
            and self._function in (None, request.function_code)
            and self._address in (None, address)
        )

    def stop(self) -> None:
        """End the fault; may be called again."""
        self.is_active = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Fault {self.name}: {self.count} times{'' if self.is_active else ', ended'}>"


class Faults:
    """Switches the faults of a device: each method begins one, and returns it.

        device.faults.busy(times=2)              # the next two requests
        with device.faults.silence(function=16):  # until the end of the block
            ...
        late = device.faults.delay(0.5)          # until late.stop(), or device.faults.clear()

    `times` is how many requests have the fault; `unit`, `function` (a function code) and `address`
    limit it to such requests; an `address` is that of the request, not any that it covers. If
    several faults fit a request, it gets all delays, and of the others the one that began first.
    Broadcasts and requests that break the specification have no faults.

    A request whose answer is delayed or wrong is executed. One that gets no answer, an exception,
    or a closed connection is not, unless `executed` is True: then only its answer is lost.
    """

    def __init__(self, endpoint: Endpoint, tear_next: Callable[[int, float], None]) -> None:
        self._endpoint = endpoint
        self._tear_next = tear_next
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {', '.join(each.name for each in self.active) or 'none'}>"

    # Faults.

    def delay(self, seconds: float, **which: Unpack[Which]) -> Fault:
        """Answer after `seconds`. Other connections are served meanwhile."""
        check_timeout(seconds, "seconds")
        return self._begin("delay", None, which, seconds)

    def silence(self, *, executed: bool = False, **which: Unpack[Which]) -> Fault:
        """Do not answer."""

        def answer(asked: Asked) -> FaultyResponse:
            if executed:
                asked.execute()
            return FaultyResponse(None, fault="silence")

        return self._begin("silence", answer, which)

    def exception(self, code: int, **which: Unpack[Which]) -> Fault:
        """Answer with an exception, such as 4 or `ExceptionCode.SERVER_DEVICE_FAILURE`."""
        return self._begin_exception("exception", check_range("code", code, 1, 0xFF), which)

    def busy(self, **which: Unpack[Which]) -> Fault:
        """Answer with exception 06, server device busy."""
        return self._begin_exception("busy", ExceptionCode.SERVER_DEVICE_BUSY, which)

    def damage(self, **which: Unpack[Which]) -> Fault:
        """Answer with a wrong checksum; MBAP has none, and gets a wrong protocol id."""

        def answer(asked: Asked) -> FaultyResponse:
            return FaultyResponse(asked.execute(), is_damaged=True, fault="damage")

        return self._begin("damage", answer, which)

    def wrong_length(self, **which: Unpack[Which]) -> Fault:
        """Answer with a frame that is one byte shorter than it says.

        With MBAP that is the length in its header. A serial frame has less data than its byte
        count, and a right checksum.
        """
        return self._begin_damage("wrong_length", one_byte_less, which)

    def wrong_transaction(self, **which: Unpack[Which]) -> Fault:
        """Answer with another transaction id. Raises ValueError unless the frames are MBAP."""
        if self._endpoint.framing != "tcp":
            raise ValueError(f"{self._endpoint}: {self._endpoint.framing} has no transaction ids")
        return self._begin_damage("wrong_transaction", other_transaction, which)

    def cut(self, **which: Unpack[Which]) -> Fault:
        """Send only the first half of the answer."""
        return self._begin_damage("cut", first_half, which)

    def tear(self, pause: float = 0.05, *, at: int | None = None, **which: Unpack[Which]) -> Fault:
        """Send the answer in two pieces, with `pause` seconds between them.

        The first piece has `at` bytes, by default half of the frame. The device does nothing else
        during the pause. Raises ValueError on UDP, where a frame is one datagram.
        """
        if self._endpoint.transport == "udp":
            raise ValueError(f"{self._endpoint}: a frame is one datagram, which cannot be torn")
        check_timeout(pause, "pause")
        if at is not None:
            check_count("at", at)

        def damage(framing: Framing, unit: int, transaction: int, pdu: bytes) -> bytes:
            frame = framing.wrap(unit, transaction, pdu)
            self._tear_next(len(frame) // 2 if at is None else at, pause)
            return frame

        return self._begin_damage("tear", damage, which)

    def drop(self, *, executed: bool = False, **which: Unpack[Which]) -> Fault:
        """Close the connection in place of an answer.

        Raises ValueError on UDP and serial lines, which have no connections.
        """
        if self._endpoint.transport != "tcp":
            raise ValueError(f"{self._endpoint} has no connections to close: take silence()")

        def answer(asked: Asked) -> FaultyResponse:
            if executed:
                asked.execute()
            return FaultyResponse(None, drops=True, fault="drop")

        return self._begin("drop", answer, which)

    def _begin_exception(self, name: str, code: int, which: Which) -> Fault:
        def answer(asked: Asked) -> FaultyResponse:
            return FaultyResponse(asked.refuse(code), fault=name)

        return self._begin(name, answer, which)

    def _begin_damage(self, name: str, damage: Damage, which: Which) -> Fault:
        def answer(asked: Asked) -> FaultyResponse:
            response = asked.execute()
            damaged = None if response is None else DamagedResponse(response, damage)
            return FaultyResponse(damaged, is_damaged=True, fault=name)

        return self._begin(name, answer, which)

    def _begin(self, name: str, answer: Answer | None, which: Which, seconds: float = 0.0) -> Fault:
        check_arguments(name, which, Which.__annotations__, {})
        fault = Fault(name, answer, seconds=seconds, **which)
        with self._lock:
            self._faults = [*(each for each in self._faults if each.is_active), fault]
        return fault

    # All of them.

    def clear(self) -> None:
        """End all faults."""
        for each in self.active:
            each.stop()

    @property
    def active(self) -> list[Fault]:
        """The faults that have not ended, in the order in which they began."""
        return [each for each in self._faults if each.is_active]

    @property
    def may_delay(self) -> bool:
        """True if there is an active delay."""
        return any(each.answer is None for each in self.active)

    def take(self, unit: int, request: AnyRequest) -> tuple[float, Fault | None]:
        """Return the delay of this request in seconds, and its other fault."""
        with self._lock:
            seconds, found = 0.0, None
            for each in self._faults:
                if (each.answer is None or found is None) and each.take(unit, request):
                    seconds += each.seconds
                    if each.answer is not None:
                        found = each
            return seconds, found

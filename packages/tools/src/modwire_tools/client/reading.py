"""`Reading`: several items of a device, read with few requests; each gets a value or an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modwire import (
    BlockingCalls,
    Endpoint,
    ExceptionResponseError,
    IllegalDataAddressError,
    IllegalFunctionError,
    ModbusError,
    ReadCoilsRequest,
    ReadDiscreteInputsRequest,
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    Request,
)
from modwire.messages.bit_access import ReadBitsResponse
from modwire.messages.forms import ReadRegistersResponse
from modwire.planner import TEMPORARY_REFUSALS, PlanLimits, Planner, Span

from ..values.items import Item

if TYPE_CHECKING:
    from typing import TypeAlias

    from ..values.types import Value

    ReadRequest: TypeAlias = Request[ReadBitsResponse | ReadRegistersResponse]

_REQUESTS: Mapping[str, Callable[[int, int], ReadRequest]] = {
    "coils": ReadCoilsRequest,
    "discrete_inputs": ReadDiscreteInputsRequest,
    "holding_registers": ReadHoldingRegistersRequest,
    "input_registers": ReadInputRegistersRequest,
}


@dataclass(frozen=True)
class Outcome:
    """The result of reading an item: its value with the registers or bits, or the error."""

    item: Item
    value: Value = ""
    raw: Sequence[int] = ()
    error: Exception | None = None


class Reading:
    """Reads `items` from `unit`.

    A request that the device refuses is sent again in parts, down to single values: some devices
    refuse long reads. An item of several values fails with the first of them that is refused alone.
    Missing addresses are remembered for later calls of `read`.
    """

    def __init__(self, items: Sequence[Item], unit: int, limits: PlanLimits) -> None:
        self.items = items
        self.requests = 0
        """Number of requests so far, with or without a response."""
        self._unit = unit
        values = {span for item in items for span in item.value_spans()}
        self._values = sorted(values, key=lambda each: (each.table, each.address, each.count))
        self._planner = Planner(self._values, limits)
        self._missing: set[Span] = set()  # the items with a missing address
        self._errors: dict[Span, Exception] = {}  # permanent errors

    def read(self, client: BlockingCalls) -> list[Outcome]:
        """Return an outcome for each item.

        Raises the error of the client if there is no link, or if no request got a response.
        """
        known: dict[tuple[str, int], int] = {}
        missed: dict[Span, Exception] = {}
        failed = set(self._missing)
        pending = self._without(failed, self._planner.requests()[::-1])
        is_answered = False
        while pending:
            span = pending.pop()
            self.requests += 1
            try:
                values = read_span(client, span, self._unit)
            except IllegalDataAddressError as error:
                is_answered = True
                self._errors[span] = error
                pending += (parts := self._planner.refused(span)[::-1])
                if not parts:
                    self._missing |= self._overlapping(span)
                    pending = self._without(failed := failed | self._missing, pending)
            except TEMPORARY_REFUSALS as error:
                is_answered = True
                missed[span] = error
                pending += (parts := self._halves(span))
                if not parts:
                    pending = self._without(failed := failed | self._overlapping(span), pending)
            except IllegalFunctionError as error:
                # The device does not have this table.
                is_answered = True
                missed[span] = error
                for other in [each for each in pending if each.table == span.table]:
                    missed[other] = error
                    pending.remove(other)
            except ModbusError as error:
                if not is_answered and not isinstance(error, ExceptionResponseError):
                    raise
                missed[span] = error
            else:
                is_answered = True
                places = ((span.table, at) for at in range(span.address, span.stop))
                known.update(zip(places, values, strict=True))
        return [self._outcome(item, known, missed) for item in self.items]

    def _halves(self, span: Span) -> list[Span]:
        """Return two spans with the values in `span`, the first one last; [] for a single value."""
        inside = [value for value in self._values if span.contains(value)]
        half = len(inside) // 2
        return [_around(each) for each in (inside[half:], inside[:half])] if half else []

    def _overlapping(self, span: Span) -> set[Span]:
        """Return the spans of the items that need a part of `span`."""
        return {item.span for item in self.items if _overlap(item.span, span)}

    def _without(self, failed: set[Span], pending: Sequence[Span]) -> list[Span]:
        """Return the spans in `pending` that an item needs which has not failed."""
        needed = {item.span for item in self.items} - failed
        return [each for each in pending if any(_overlap(each, item) for item in needed)]

    def _outcome(
        self, item: Item, known: dict[tuple[str, int], int], missed: dict[Span, Exception]
    ) -> Outcome:
        span = item.span
        try:
            raw = [known[span.table, at] for at in range(span.address, span.stop)]
        except KeyError:
            errors = {**self._errors, **missed}
            _, closest = min((each.count, each) for each in errors if _overlap(span, each))
            return Outcome(item, error=errors[closest])
        try:
            return Outcome(item, item.decode(raw), raw)
        except ValueError as error:
            return Outcome(item, raw=raw, error=error)


def limits_for(endpoint: Endpoint) -> PlanLimits:
    """Return the limits and costs of requests at `endpoint`."""
    if endpoint.transport == "serial":
        return PlanLimits.for_line(endpoint.baudrate)
    if endpoint.framing == "tcp":
        return PlanLimits.for_network()
    return PlanLimits()  # a gateway with a serial line of unknown speed


def read_request(table: str, address: int, count: int) -> ReadRequest:
    """Return the request to read `count` values; raises ValueError if that is too many."""
    return _REQUESTS[table](address, count)


def read_span(client: BlockingCalls, span: Span, unit: int | None = None) -> Sequence[int]:
    """Return the registers or bits of `span`; raises the errors of the client."""
    request = read_request(span.table, span.address, span.count)
    response = client.call(request, unit=unit)
    return response.bits if isinstance(response, ReadBitsResponse) else response.registers


def _around(spans: Sequence[Span]) -> Span:
    """Return the span from the first to the end of the last of `spans`, which are in order."""
    first = spans[0]
    return Span(first.table, first.address, max(each.stop for each in spans) - first.address)


def _overlap(one: Span, other: Span) -> bool:
    return one.table == other.table and one.address < other.stop and other.address < one.stop

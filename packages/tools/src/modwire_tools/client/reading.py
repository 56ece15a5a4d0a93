"""`Reading`: several items of a device, read with few requests; each gets a value or an error."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
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
        self._values = sorted(values, key=lambda each: (*_place(each), each.count))
        self._planner = Planner(self._values, limits)
        self._spans_at: dict[tuple[str, int], list[Span]] = {}  # of the items, by address
        for span in {item.span for item in items}:
            for place in _places(span):
                self._spans_at.setdefault(place, []).append(span)
        self._missing: set[Span] = set()  # the items with a missing address
        self._errors: dict[Span, Exception] = {}  # permanent errors

    def read(self, client: BlockingCalls) -> list[Outcome]:
        """Return an outcome for each item.

        Raises the error of the client if there is no link, or if no request got a response.
        """
        known: dict[tuple[str, int], int] = {}
        missed: dict[Span, Exception] = {}
        failed = set(self._missing)
        pending = self._planner.requests()[::-1]
        is_answered = False
        while pending:
            span = pending.pop()
            if self._overlapping(span) <= failed:
                continue
            self.requests += 1
            try:
                values = read_span(client, span, self._unit)
            except IllegalDataAddressError as error:
                is_answered = True
                self._errors[span] = error
                pending += (parts := self._planner.refused(span)[::-1])
                if not parts:
                    self._missing |= self._overlapping(span)
                    failed |= self._overlapping(span)
            except TEMPORARY_REFUSALS as error:
                is_answered = True
                missed[span] = error
                pending += (parts := self._halves(span))
                if not parts:
                    failed |= self._overlapping(span)
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
                known.update(zip(_places(span), values, strict=True))
        errors = {**self._errors, **missed}
        closest: dict[tuple[str, int], Span] = {}  # the shortest request that failed
        for span in sorted(errors, key=lambda each: (each.count, each), reverse=True):
            closest.update(dict.fromkeys(_places(span), span))
        return [_outcome(item, known, errors, closest) for item in self.items]

    def _halves(self, span: Span) -> list[Span]:
        """Return two spans with the values in `span`, the first one last; [] for a single value."""
        first, last = (
            bisect_left(self._values, (span.table, at), key=_place)
            for at in (span.address, span.stop)
        )
        inside = [value for value in self._values[first:last] if span.contains(value)]
        half = len(inside) // 2
        return [_around(each) for each in (inside[half:], inside[:half])] if half else []

    def _overlapping(self, span: Span) -> set[Span]:
        """Return the spans of the items that need a part of `span`."""
        return {each for at in _places(span) for each in self._spans_at.get(at, ())}


def _outcome(
    item: Item,
    known: Mapping[tuple[str, int], int],
    errors: Mapping[Span, Exception],
    closest: Mapping[tuple[str, int], Span],
) -> Outcome:
    """Return the value of an item, or the error of the shortest request for a part of it."""
    try:
        raw = [known[place] for place in _places(item.span)]
    except KeyError:
        failed = {closest[place] for place in _places(item.span) if place in closest}
        return Outcome(item, error=errors[min(failed, key=lambda each: (each.count, each))])
    try:
        return Outcome(item, item.decode(raw), raw)
    except ValueError as error:
        return Outcome(item, raw=raw, error=error)


def _place(span: Span) -> tuple[str, int]:
    return span.table, span.address


def _places(span: Span) -> Iterable[tuple[str, int]]:
    """Return the table and the address of each value of `span`."""
    return ((span.table, at) for at in range(span.address, span.stop))


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

"""`Reading`: several items of a device, read with few requests, each with its value or its error.

For `modwire read`; once, or again and again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modwire import (
    BlockingCalls,
    Endpoint,
    ExceptionResponseError,
    IllegalDataAddressError,
    IllegalDataValueError,
    IllegalFunctionError,
    ModbusError,
    ServerDeviceFailureError,
)
from modwire.planner import PlanLimits, Planner, Span

from .items import Item

if TYPE_CHECKING:
    from .value_types import Value

# A device may say so of a request because of one value in it, and for a while only.
_FAILURES = (IllegalDataValueError, ServerDeviceFailureError)


@dataclass(frozen=True)
class Outcome:
    """What came of an item: its value, and the registers or bits, or the error in their place."""

    item: Item
    value: Value = ""
    raw: Sequence[int] = ()
    error: Exception | None = None


class Reading:
    """Reads `items` from `unit`; what the device refuses is asked for in parts, and remembered."""

    def __init__(self, items: Sequence[Item], unit: int, limits: PlanLimits) -> None:
        self.items = items
        self.requests = 0
        """How many requests there were, answered or not."""
        self._unit = unit
        self._planner = Planner((item.span for item in items), limits)
        self._errors: dict[Span, Exception] = {}  # why a point cannot be read, for ever

    def read(self, client: BlockingCalls) -> list[Outcome]:
        """An outcome for each item.

        Raises what the client raises if there is no link, or if nothing at all was answered: then
        there is nothing to be said of single items.
        """
        known: dict[tuple[str, int], int] = {}
        missed: dict[Span, Exception] = {}
        pending = self._planner.requests()[::-1]
        is_answered = False
        while pending:
            span = pending.pop()
            self.requests += 1
            try:
                values = read_span(client, span, self._unit)
            except IllegalDataAddressError as error:
                is_answered = True
                self._errors[span] = error
                pending += self._planner.refused(span)[::-1]
            except _FAILURES as error:
                is_answered = True
                missed[span] = error
                pending += self._singly(span)
            except IllegalFunctionError as error:
                # No part of the table is there.
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

    def _singly(self, span: Span) -> list[Span]:
        """The items in `span`, each by itself; [] where it is one."""
        inside = {item.span for item in self.items if span.contains(item.span)}
        return sorted(inside - {span}, reverse=True) if span not in inside else []

    def _outcome(
        self, item: Item, known: dict[tuple[str, int], int], missed: dict[Span, Exception]
    ) -> Outcome:
        span = item.span
        try:
            raw = [known[span.table, at] for at in range(span.address, span.stop)]
        except KeyError:
            errors = {**self._errors, **missed}
            closest = min((each for each in errors if _overlap(span, each)), key=_size)
            return Outcome(item, error=errors[closest])
        try:
            return Outcome(item, item.decode(raw), raw)
        except ValueError as error:
            return Outcome(item, raw=raw, error=error)


def limits_for(endpoint: Endpoint) -> PlanLimits:
    """What requests cost there."""
    if endpoint.transport == "serial":
        return PlanLimits.for_line(endpoint.baudrate)
    if endpoint.framing == "tcp":
        return PlanLimits.for_network()
    return PlanLimits()  # behind the gateway is a line of some speed


def read_span(
    client: BlockingCalls, span: Span, unit: int, timeout: float | None = None
) -> Sequence[int]:
    """The registers or bits of `span`; raises what the client raises."""
    address, count = span.address, span.count
    if span.table == "coils":
        return client.read_coils(address, count, unit=unit, timeout=timeout)
    if span.table == "discrete_inputs":
        return client.read_discrete_inputs(address, count, unit=unit, timeout=timeout)
    if span.table == "holding_registers":
        return client.read_holding_registers(address, count, unit=unit, timeout=timeout)
    return client.read_input_registers(address, count, unit=unit, timeout=timeout)


def _size(span: Span) -> int:
    return span.count


def _overlap(one: Span, other: Span) -> bool:
    return one.table == other.table and one.address < other.stop and other.address < one.stop

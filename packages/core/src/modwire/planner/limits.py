"""`Span` and `PlanLimits`: the arguments of the read planner."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..arguments import explained
from ..immutable import Immutable, set_field
from ..messages.bit_access import MAX_READ_BITS
from ..messages.forms import MAX_READ_REGISTERS
from ..options import check_count, check_range, check_seconds, check_timeout, silent_interval
from ..units.tables import ADDRESSES, BIT_TABLES, TABLES

if TYPE_CHECKING:
    from typing_extensions import Self

# Characters on an RTU line: request (8) and answer (5) without the registers, 2 for a register.
_FRAMES, _REGISTER = 13, 2


class Span(Immutable):
    """`count` addresses of a table, starting at `address`: a point to read, or a request.

    `table` is "coils", "discrete_inputs", "holding_registers" or "input_registers"; `stop` is the
    address after the last one. Immutable, hashable, ordered by table and address. Raises
    ValueError for another table, and for addresses outside 0..65535.
    """

    __slots__ = ("address", "count", "table")
    __match_args__ = ("table", "address", "count")
    table: str
    address: int
    count: int

    def __init__(self, table: str, address: int, count: int = 1) -> None:
        _check_table(table)
        if not isinstance(address, int) or not isinstance(count, int) or count < 1:
            raise ValueError(
                f"address and count must be whole numbers, count at least 1, "
                f"got {address!r} and {count!r}"
            )
        if not 0 <= address <= ADDRESSES - count:
            raise ValueError(
                f"addresses must be 0..65535, got {address}..{address + count - 1} of {table}"
            )
        set_field(self, "table", table)
        set_field(self, "address", address)
        set_field(self, "count", count)

    @property
    def stop(self) -> int:
        """The address after the last one."""
        return self.address + self.count

    def contains(self, other: Span) -> bool:
        """True if this span has every address of `other`."""
        return (
            self.table == other.table and self.address <= other.address and other.stop <= self.stop
        )

    def __lt__(self, other: Span) -> bool:
        return self._values() < other._values()

    def _values(self) -> tuple[str, int, int]:
        return self.table, self.address, self.count


class PlanLimits(Immutable):
    """The costs of reading, and the limits of one request; immutable.

    - `request_cost`, above 0: the cost of a request without its values. `item_cost`, 0 or more:
      the cost of each register in it; a coil or a discrete input costs 1/16 of that. Only the
      ratio matters, so any unit can be used: reading a hole of fewer than `request_cost /
      item_cost` registers is cheaper than a second request. The default, 16, fits a serial line
      with a device that answers after 10 ms, at 9600 bit/s (14) and at 19200 (19). `for_line` and
      `for_network` calculate it.
    - `max_registers` (1..125) and `max_bits` (1..2000): the most that one request may read. The
      defaults are those of the specification (sections 6.1 to 6.4); some devices and gateways
      allow less.
    - `max_gap`: maximum number of consecutive addresses without a point in a request; None for
      any number, 0 for a device that answers only for its documented addresses.
    - `forbidden`: the addresses and ranges that no request may touch, by table:
      `{"holding_registers": [7, range(100, 120)]}`. A point there is an error.

    Raises ValueError for an argument out of range.
    """

    __match_args__ = (
        "request_cost",
        "item_cost",
        "max_registers",
        "max_bits",
        "max_gap",
        "forbidden",
    )
    request_cost: float
    item_cost: float
    max_registers: int
    max_bits: int
    max_gap: int | None
    forbidden: Mapping[str, tuple[range, ...]]

    @explained
    def __init__(
        self,
        request_cost: float = 16.0,
        item_cost: float = 1.0,
        max_registers: int = MAX_READ_REGISTERS,
        max_bits: int = MAX_READ_BITS,
        max_gap: int | None = None,
        forbidden: Mapping[str, Iterable[int | range]] | None = None,
    ) -> None:
        for name, cost, least in (
            ("request_cost", request_cost, "greater than 0"),
            ("item_cost", item_cost, "at least 0"),
        ):
            is_number = isinstance(cost, (int, float)) and not isinstance(cost, bool)
            if not is_number or not math.isfinite(cost) or cost < 0:
                raise ValueError(f"{name} must be a number, {least}, got {cost!r}")
        if not request_cost:
            raise ValueError("request_cost must be a number, greater than 0, got 0")
        check_range("max_registers", max_registers, 1, MAX_READ_REGISTERS)
        check_range("max_bits", max_bits, 1, MAX_READ_BITS)
        if max_gap is not None:
            check_count("max_gap", max_gap, 0)
        set_field(self, "request_cost", float(request_cost))
        set_field(self, "item_cost", float(item_cost))
        set_field(self, "max_registers", max_registers)
        set_field(self, "max_bits", max_bits)
        set_field(self, "max_gap", max_gap)
        set_field(self, "forbidden", MappingProxyType(_forbidden(forbidden or {})))

    @classmethod
    def for_line(cls, baudrate: int, *, latency: float = 0.01) -> Self:
        """Return the costs on an RTU line, in seconds.

        `baudrate` is in bit/s; `latency`, 0..1e9 seconds, is the time before the device answers,
        including the way through a gateway. A request costs its 8 characters, the 5 of an
        answer without registers, and the silence before each; a register costs 2 characters
        (MODBUS over Serial Line V1.02, section 2.5.1). At 9600 bit/s that is 32.9 ms, including a
        latency of 10 ms, and 2.3 ms for a register: holes of up to 14 registers are worth reading.
        Raises ValueError for an argument out of range.
        """
        silence = silent_interval(baudrate)
        check_seconds("latency", latency)
        character = 11 / baudrate
        return cls(_FRAMES * character + 2 * silence + latency, _REGISTER * character)

    @classmethod
    def for_network(cls, *, round_trip: float = 0.002) -> Self:
        """Return the costs on TCP and UDP, in seconds.

        `round_trip`, above 0, is the time in seconds from a request to its answer. A register
        costs the time of its 2 bytes at 10 Mbit/s, 1.6 µs, so any hole that fits into a request is
        worth reading: a round trip of 2 ms costs as much as 1250 registers. Raises ValueError.
        """
        return cls(check_timeout(round_trip, "round_trip"), 1.6e-6)

    def replace(self, **changes: object) -> Self:
        """Return a copy with `changes`; raises as the constructor does."""
        arguments: dict[str, Any] = {**vars(self), **changes}
        return type(self)(**arguments)

    def cost(self, requests: Iterable[Span]) -> float:
        """Return the cost of all `requests`, in the unit of `request_cost`."""
        number = bits = registers = 0
        for span in requests:
            number += 1
            if span.table in BIT_TABLES:
                bits += span.count
            else:
                registers += span.count
        return number * self.request_cost + (registers + bits / 16) * self.item_cost

    def _values(self) -> tuple[object, ...]:
        return tuple({**vars(self), "forbidden": dict(self.forbidden)}.values())

    def __hash__(self) -> int:
        return hash(self._values()[:-1])

    def __reduce__(self) -> tuple[object, ...]:
        # A mappingproxy can be neither pickled nor copied.
        return type(self), self._values()


def _forbidden(given: Mapping[str, Iterable[int | range]]) -> dict[str, tuple[range, ...]]:
    """Return the ranges by table, sorted and merged."""
    merged: dict[str, tuple[range, ...]] = {}
    if not isinstance(given, Mapping):
        raise ValueError(f"forbidden must name its tables, {{table: [addresses]}}, got {given!r}")
    for table, addresses in given.items():
        _check_table(table)
        ranges: list[range] = []
        if not isinstance(addresses, Iterable):
            raise ValueError(f"forbidden must have a list for {table}, got {addresses!r}")
        for each in addresses:
            span = range(each, each + 1) if isinstance(each, int) else each
            if not isinstance(span, range) or span.step != 1:
                raise ValueError(
                    f"forbidden must be addresses and ranges of them, with step 1, got {each!r}"
                )
            if span and not 0 <= span.start < span.stop <= ADDRESSES:
                raise ValueError(f"forbidden addresses must be 0..65535, got {each!r} of {table}")
            ranges.append(span)
        found: list[range] = []
        for span in sorted(filter(None, ranges), key=lambda each: each.start):
            if found and span.start <= found[-1].stop:
                span = range(found[-1].start, max(found.pop().stop, span.stop))
            found.append(span)
        merged[table] = tuple(found)
    return merged


def _check_table(table: str) -> None:
    if table not in TABLES:
        raise ValueError(f"table must be one of {', '.join(TABLES)}, got {table!r}")

"""What the read planner is told: the points as spans, what reading costs, what may be read at once.

For whoever calls `plan` or `Planner`, which pass the names on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

from ..messages.bit_access import MAX_READ_BITS
from ..messages.register_access import MAX_READ_REGISTERS
from ..options import silent_interval
from ..units.tables import ADDRESSES, BIT_TABLES, TABLES

if TYPE_CHECKING:
    from typing_extensions import Self

# Characters on an RTU line: request (8) and answer (5) without the registers, 2 for a register.
_FRAMES, _REGISTER = 13, 2

# Slots are written once, in the constructor, past the guard in __setattr__.
_set = object.__setattr__


class Span:
    """`count` addresses of a table, from `address` on: a point that is wanted, or a request.

    `table` is "coils", "discrete_inputs", "holding_registers" or "input_registers"; `stop` is the
    address behind the last. Immutable, hashable, sorted by table and address. Raises ValueError
    for another table, and for addresses that are not within 0..65535.
    """

    __slots__ = ("address", "count", "table")
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
        _set(self, "table", table)
        _set(self, "address", address)
        _set(self, "count", count)

    @property
    def stop(self) -> int:
        """The address behind the last one."""
        return self.address + self.count

    def contains(self, other: Span) -> bool:
        """Whether every address of `other` is one of this span."""
        return (
            self.table == other.table and self.address <= other.address and other.stop <= self.stop
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Span) and self._key() == other._key()

    def __lt__(self, other: Span) -> bool:
        return self._key() < other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"Span({self.table!r}, {self.address}, {self.count})"

    def __reduce__(self) -> tuple[type[Span], tuple[str, int, int]]:
        return type(self), self._key()

    def _key(self) -> tuple[str, int, int]:
        return self.table, self.address, self.count

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"Span is immutable, {name!r} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"Span is immutable, {name!r} cannot be deleted")


class PlanLimits:
    """What reading costs, and what may be read at once; immutable.

    - `request_cost` is what a request costs by itself, `item_cost` what each register in it adds;
      a coil or a discrete input adds 1/16 of it. Any unit will do, only the ratio counts: a hole of
      fewer than `request_cost / item_cost` registers is cheaper read than left out. The default, 16
      registers, is about a serial line with a device that answers after 10 ms, at 9600 baud (14)
      and at 19200 (19); `for_line` and `for_network` know it better.
    - `max_registers` (1..125) and `max_bits` (1..2000) are the most that one request may read: what
      the specification allows, or less for a device or a gateway that cannot do it.
    - `max_gap` is how many addresses in a row a request may read that no point wants; None for any
      number, 0 for a device that answers for nothing but what it documents.
    - `forbidden` names by table the addresses, and ranges of them, that no request may touch:
      `{"holding_registers": [7, range(100, 120)]}`. Not even a point may.

    Raises ValueError where one of them is not of this kind.
    """

    __slots__ = ("forbidden", "item_cost", "max_bits", "max_gap", "max_registers", "request_cost")
    request_cost: float
    item_cost: float
    max_registers: int
    max_bits: int
    max_gap: int | None
    forbidden: Mapping[str, tuple[range, ...]]

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
            if not isinstance(cost, (int, float)) or not math.isfinite(cost) or cost < 0:
                raise ValueError(f"{name} must be a number, {least}, got {cost!r}")
        if not request_cost:
            raise ValueError("request_cost must be a number, greater than 0, got 0")
        for name, most, limit in (
            ("max_registers", max_registers, MAX_READ_REGISTERS),
            ("max_bits", max_bits, MAX_READ_BITS),
        ):
            if not isinstance(most, int) or not 1 <= most <= limit:
                raise ValueError(f"{name} must be 1..{limit}, got {most!r}")
        if max_gap is not None and (not isinstance(max_gap, int) or max_gap < 0):
            raise ValueError(f"max_gap must be None or at least 0 addresses, got {max_gap!r}")
        _set(self, "request_cost", float(request_cost))
        _set(self, "item_cost", float(item_cost))
        _set(self, "max_registers", max_registers)
        _set(self, "max_bits", max_bits)
        _set(self, "max_gap", max_gap)
        _set(self, "forbidden", MappingProxyType(_forbidden(forbidden or {})))

    @classmethod
    def for_line(cls, baudrate: int, *, latency: float = 0.01) -> Self:
        """The costs on an RTU line, in seconds; `latency` is how long the device thinks.

        A request costs its 8 characters, the 5 of an answer without its registers, and the silence
        before each; a register costs 2 characters (Serial Line V1.02, section 2.5.1). At 9600 baud
        that is 32.9 ms, the latency of 10 ms among it, and 2.3 ms for a register: a hole is worth
        reading up to 14 registers. Behind a gateway, `latency` has the way to it too.
        """
        if not isinstance(baudrate, (int, float)) or not 0 < baudrate < math.inf:
            raise ValueError(f"baudrate must be greater than 0, got {baudrate!r}")
        silence = silent_interval(baudrate)
        if not isinstance(latency, (int, float)) or not 0 <= latency < math.inf:
            raise ValueError(f"latency must be at least 0 seconds, got {latency!r}")
        character = 11 / baudrate
        return cls(_FRAMES * character + 2 * silence + latency, _REGISTER * character)

    @classmethod
    def for_network(cls, *, round_trip: float = 0.002) -> Self:
        """The costs on TCP and UDP, in seconds; `round_trip` is the time from request to answer.

        A register costs the time of its 2 bytes at 10 Mbit/s, 1.6 µs, so that any hole is worth
        reading that fits into the request: a round trip of 2 ms is as dear as 1250 registers.
        """
        if not isinstance(round_trip, (int, float)) or not 0 < round_trip < math.inf:
            raise ValueError(f"round_trip must be more than 0 seconds, got {round_trip!r}")
        return cls(round_trip, 1.6e-6)

    def replace(self, **changes: object) -> Self:
        """A copy with other values for what `changes` names; raises as the constructor does."""
        arguments: dict[str, Any] = {name: getattr(self, name) for name in PlanLimits.__slots__}
        arguments.update(changes)
        return type(self)(**arguments)

    def __reduce__(self) -> tuple[type[Self], tuple[object, ...]]:
        costs = self.request_cost, self.item_cost
        most = self.max_registers, self.max_bits, self.max_gap
        return type(self), (*costs, *most, dict(self.forbidden))

    def cost(self, requests: Iterable[Span]) -> float:
        """What `requests` cost together, in the unit of `request_cost`."""
        number = bits = registers = 0
        for span in requests:
            number += 1
            if span.table in BIT_TABLES:
                bits += span.count
            else:
                registers += span.count
        return number * self.request_cost + (registers + bits / 16) * self.item_cost

    def __repr__(self) -> str:
        values = ", ".join(
            f"{name}={getattr(self, name)!r}"
            for name in ("request_cost", "item_cost", "max_registers", "max_bits", "max_gap")
        )
        return f"PlanLimits({values}, forbidden={dict(self.forbidden)!r})"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"PlanLimits is immutable, {name!r} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"PlanLimits is immutable, {name!r} cannot be deleted")


def _forbidden(given: Mapping[str, Iterable[int | range]]) -> dict[str, tuple[range, ...]]:
    """The ranges by table, sorted, none of which overlap."""
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
            if span:
                ranges.append(span)
        found: list[range] = []
        for span in sorted(ranges, key=lambda each: each.start):
            if found and span.start <= found[-1].stop:
                found[-1] = range(found[-1].start, max(found[-1].stop, span.stop))
            else:
                found.append(span)
        merged[table] = tuple(found)
    return merged


def _check_table(table: str) -> None:
    if table not in TABLES:
        raise ValueError(f"table must be one of {', '.join(TABLES)}, got {table!r}")

"""`View`: all that the page and the window show of a running simulation, and all they can change.

Both are front ends without logic of their own. Every method returns at once and belongs in the
thread in which the simulation's trio loop runs. What is given is plain values, ready for JSON.
A device is named by its index, 0 and up; a unit by its unit id; a table by its name in `TABLES`.
Wrong arguments raise ValueError with one sentence for the user; an unknown device, unit or point
raises LookupError.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class UnitInfo:
    """A unit of a device."""

    id: int
    name: str


@dataclass(frozen=True)
class DeviceInfo:
    """A simulated device; `endpoints` are where it is served, as text such as "tcp://[::1]:502"."""

    index: int
    name: str
    running: bool
    endpoints: list[str]
    units: list[UnitInfo]
    requests: int  # that it was asked since it was started
    connections: int  # that are open now


@dataclass(frozen=True)
class TableInfo:
    """The addresses of one table, as (first address, count) in ascending order."""

    table: str
    ranges: list[tuple[int, int]]
    writable: bool  # for Modbus clients; the page and the window may write to each


@dataclass(frozen=True)
class PointInfo:
    """A typed, named value of a unit.

    `value` is a number, a text, a bool or a list; `behaviour` is a text for people, such as "sine
    around 230, 60 s", and "" for a value that stays; `held` says that it was told to stand still.
    """

    name: str
    table: str
    address: int
    size: int  # in registers or bits
    type: str  # "float32"
    unit: str  # "V"
    value: object
    behaviour: str
    held: bool


@dataclass(frozen=True)
class ConnectionInfo:
    """A client that is connected, or was heard on UDP or a serial line in the last minute."""

    device: int
    endpoint: str
    peer: str
    since: float  # seconds since the epoch, as all times here
    heard: float
    requests: int


@dataclass(frozen=True)
class Message:
    """One request and what was answered to it. Numbers ascend without gaps from 1."""

    number: int
    time: float
    milliseconds: float  # from the request to its answer
    device: int
    endpoint: str
    peer: str
    unit: int
    function: int
    request: str  # the PDU, as hexadecimal digits
    response: str  # the same, "" where nothing was answered
    request_text: str  # in words: "read 3 holding registers from 16"
    response_text: str  # "1, 2, 3", or "exception 02, illegal data address", or "no answer: fault"
    outcome: str  # "ok", "exception", "silence"
    fault: str  # which fault was done to it: "", "delay", "silence", "damage", "exception", "drop"


@dataclass(frozen=True)
class TrafficFilter:
    """Which messages are wanted; None wants all."""

    device: int | None = None
    unit: int | None = None
    peer: str | None = None  # that contains this text
    functions: Sequence[int] | None = None
    outcome: str | None = None
    text: str | None = None  # in either text, whatever its case


@dataclass(frozen=True)
class Faults:
    """What a unit does wrong, each at a rate of 0.0 (never) to 1.0 (always); drawn in this order.

    `drop` closes the connection without an answer, `silence` answers nothing, `damage` answers
    with a wrong checksum (on MBAP, a wrong protocol id), `exception` answers `exception_code`;
    `delay` waits `delay_seconds` before whatever is answered.
    """

    drop: float = 0.0
    silence: float = 0.0
    damage: float = 0.0
    exception: float = 0.0
    exception_code: int = 4
    delay: float = 0.0
    delay_seconds: float = 1.0


class View(Protocol):
    """See the module; `simulator.simulation.Simulation.view` is the one that there is."""

    def title(self) -> str:
        """What is simulated, in a few words."""
        ...

    def devices(self, start: int = 0, count: int | None = None) -> list[DeviceInfo]:
        """All devices, or `count` of them from index `start` on."""
        ...

    def device_count(self) -> int:
        """How many devices there are."""
        ...

    def tables(self, device: int, unit: int) -> list[TableInfo]:
        """The tables that a unit has."""
        ...

    def values(
        self, device: int, unit: int, table: str, address: int, count: int
    ) -> list[int | None]:
        """`count` (1..1000) values from `address` on; None where no address is, bits are 0, 1."""
        ...

    def write(
        self, device: int, unit: int, table: str, address: int, values: Sequence[int]
    ) -> None:
        """Put values into a table, as the owner: read-only tables too."""
        ...

    def points(self, device: int, unit: int) -> list[PointInfo]:
        """The named points of a unit, with their values."""
        ...

    def write_point(self, device: int, unit: int, name: str, value: object) -> None:
        """Set a point; one that lives goes on from there if its behaviour lets it, or is held."""
        ...

    def hold_point(self, device: int, unit: int, name: str, held: bool) -> None:
        """Let a living point stand still, or live on."""
        ...

    def trend(self, device: int, unit: int, name: str) -> list[tuple[float, float]]:
        """The latest values of a numeric point, some hundreds, as (time, value), oldest first.

        A point is recorded from when its trend was first asked for.
        """
        ...

    def counters(self, device: int, unit: int) -> dict[str, int]:
        """The diagnostic counters of a unit, named as in the specification, and its events."""
        ...

    def connections(self) -> list[ConnectionInfo]:
        """Who is connected, by device and then by time."""
        ...

    def traffic(
        self, after: int = 0, wanted: TrafficFilter | None = None, most: int = 200
    ) -> list[Message]:
        """The latest messages with numbers over `after`, at most `most`, oldest first.

        The last 10,000 are kept. Recording begins with the first call of this method.
        """
        ...

    def faults(self, device: int, unit: int) -> Faults:
        """The faults of a unit."""
        ...

    def set_faults(self, device: int, unit: int, faults: Faults) -> None:
        """Change the faults of a unit."""
        ...

    def start(self, device: int) -> None:
        """Serve a device that was stopped. Failure to listen shows in `problems`."""
        ...

    def stop(self, device: int) -> None:
        """Stop serving a device; its connections are closed, its values stay."""
        ...

    def problems(self) -> Mapping[int, str]:
        """For devices that could not be served: why."""
        ...

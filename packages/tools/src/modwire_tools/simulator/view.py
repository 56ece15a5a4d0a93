"""`View`: everything that the page and the window can show and change in a running simulation.

`ServerView` is the part of it that any served units have. The page and the window are front ends
without logic of their own. Every method returns at once, unless `waits` says something else, and
must be called in the thread of the servers' loop. Results are plain values. Their annotations have
the meaning and the limits; the REST interface makes its checks and OpenAPI schemas from them.
A device is named by its index, from 0; a unit by its unit id; a table by its name in `TABLES`.
Wrong arguments raise ValueError with one sentence for the user; an unknown device, unit or point
raises LookupError.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

from msgspec import Meta

from modwire.units.tables import TABLES

DeviceIndex = Annotated[int, Meta(ge=0, le=1_000_000, description="index of the device, from 0")]
UnitId = Annotated[int, Meta(ge=0, le=255, description="unit id")]
TableName = Annotated[str, Meta(extra_json_schema={"enum": list(TABLES)})]
Address = Annotated[int, Meta(ge=0, le=65535, description="address of the first value")]
FunctionCode = Annotated[int, Meta(ge=0, le=255, description="function code")]
Outcome = Literal["ok", "exception", "silence", "mistake"]
Mode = Literal["tcp", "rtu", "ascii", "binary"]
MODES: Sequence[Mode] = ("tcp", "rtu", "ascii", "binary")
Feature = Literal["points", "faults", "power", "clients", "networks", "mode"]
"""Features that only some views have: changing points and their trends, faults, start and stop, the
clients and the traffic, networks of clients that may be changed, and modes that may be."""

Byte = Annotated[int, Meta(ge=0, le=255)]
Delimiter = Annotated[int, Meta(ge=0, le=127, description="code of a character, 10 for line feed")]
Register = Annotated[int, Meta(ge=0, le=65535, description="diagnostic register (8, 2)")]
Status = Annotated[Byte, Meta(description="exception status outputs (function 7)")]
ListenOnly = Annotated[bool, Meta(description="true if the unit executes and answers nothing")]
Count = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(description="seconds since the epoch")]
PointValue = Annotated[
    object,
    Meta(
        extra_json_schema={
            "description": "a number, a text, a bool or a list; in JSON, numbers that are not "
            "finite and integers beyond 2^53 - 1 are texts"
        }
    ),
]


@dataclass(frozen=True)
class UnitInfo:
    """A unit of a device."""

    id: UnitId
    name: str


@dataclass(frozen=True)
class DeviceInfo:
    """A simulated device."""

    index: DeviceIndex
    name: str
    running: Annotated[bool, Meta(description="true while it is served")]
    endpoints: Annotated[
        list[str], Meta(description='where it is served, such as "tcp://127.0.0.1:5020"')
    ]
    units: list[UnitInfo]
    requests: Annotated[Count, Meta(description="requests since it was started")]
    connections: Annotated[Count, Meta(description="open connections")]


@dataclass(frozen=True)
class UnitState:
    """The settings of a unit."""

    ids: Annotated[list[UnitId], Meta(description="unit ids to which it responds")]
    listen_only: ListenOnly
    delimiter: Annotated[Delimiter, Meta(description="last character of ASCII frames")]
    diagnostic_register: Register
    exception_status: Status


@dataclass(frozen=True)
class IdentityObject:
    """An object of the device identification (function 43/14)."""

    id: Annotated[Byte, Meta(description="object id")]
    name: Annotated[
        str, Meta(description='such as "vendor name", "" if the specification has none')
    ]
    value: str


@dataclass(frozen=True)
class EventInfo:
    """An event of the log of function 12."""

    code: Annotated[Byte, Meta(description="its byte")]
    type: Annotated[str, Meta(description='such as "RemoteReceiveEvent"')]
    flags: Annotated[list[str], Meta(description='its bits, such as "broadcast"')]


@dataclass(frozen=True)
class EndpointMode:
    """An endpoint, and the transmission mode of its frames."""

    endpoint: Annotated[str, Meta(description="where the device is served")]
    mode: Annotated[Mode, Meta(description='framing: "tcp" is MBAP, of Modbus TCP')]


@dataclass(frozen=True)
class TableInfo:
    """The addresses of one table."""

    table: TableName
    ranges: Annotated[
        list[tuple[int, int]], Meta(description="[first address, count], in ascending order")
    ]
    writable: Annotated[
        bool, Meta(description="true if Modbus clients may write; the owner always may")
    ]


@dataclass(frozen=True)
class PointInfo:
    """A typed, named value of a unit."""

    name: str
    table: TableName
    address: Address
    size: Annotated[int, Meta(ge=1, description="size in registers or bits")]
    type: Annotated[str, Meta(description='such as "float32"')]
    unit: Annotated[str, Meta(description='unit of measurement, such as "V", or ""')]
    value: PointValue
    behaviour: Annotated[
        str, Meta(description='such as "sine around 230, 60 s"; "" for a constant value')
    ]
    held: Annotated[bool, Meta(description="true if the user holds the value")]


@dataclass(frozen=True)
class ConnectionInfo:
    """An open connection, or a peer on UDP or a serial line that sent within the last minute."""

    device: DeviceIndex
    endpoint: Annotated[str, Meta(description="where the device is served")]
    peer: Annotated[str, Meta(description="the client's address")]
    since: Seconds
    heard: Annotated[Seconds, Meta(description="time of the last request, seconds since the epoch")]
    requests: Annotated[Count, Meta(description="requests so far")]


@dataclass(frozen=True)
class Message:
    """One request and its response; with the outcome "mistake", one that no unit got.

    A mistake is a request to a unit that does not exist, or bytes that are no frame. Then unit and
    function are None, and `request_text` says what came.
    """

    number: Annotated[int, Meta(ge=1, description="ascends from 1 without gaps")]
    time: Seconds
    milliseconds: Annotated[float, Meta(description="from the request to its response")]
    device: DeviceIndex
    endpoint: Annotated[str, Meta(description="where the device is served")]
    peer: Annotated[str, Meta(description="the client's address")]
    unit: Annotated[UnitId | None, Meta(description="unit id; null for bytes that are no frame")]
    function: Annotated[
        FunctionCode | None, Meta(description="function code; null for bytes that are no frame")
    ]
    request: Annotated[
        str, Meta(description='PDU in hexadecimal digits, "" for bytes that are no frame')
    ]
    response: Annotated[str, Meta(description='PDU in hexadecimal digits, "" for no response')]
    request_text: Annotated[str, Meta(description='such as "read 3 holding registers from 16"')]
    response_text: Annotated[
        str, Meta(description='such as "1, 2, 3" or "exception 02, illegal data address"')
    ]
    outcome: Outcome
    fault: Annotated[str, Meta(description='fault that was injected, or ""')]
    data: Annotated[
        str,
        Meta(description='the bytes of a mistake in hexadecimal digits, as far as shown, or ""'),
    ] = ""


@dataclass(frozen=True)
class TrafficFilter:
    """Selects messages; None selects all."""

    device: int | None = None
    unit: int | None = None
    peer: str | None = None  # contains this text
    functions: Sequence[int] | None = None
    outcome: str | None = None
    text: str | None = None  # in the text of request or response, upper or lower case


Rate = Annotated[float, Meta(ge=0, le=1)]
DropRate = Annotated[Rate, Meta(description="rate of connections closed without a response")]
SilenceRate = Annotated[Rate, Meta(description="rate of requests without a response")]
DamageRate = Annotated[
    Rate, Meta(description="rate of responses with a wrong checksum or protocol id")
]
ExceptionRate = Annotated[Rate, Meta(description="rate of responses that are exception_code")]
ExceptionCode = Annotated[int, Meta(ge=1, le=255, description="exception code for that")]
DelayRate = Annotated[Rate, Meta(description="rate of responses sent after delay_seconds")]
DelaySeconds = Annotated[float, Meta(ge=0, le=3600, description="seconds of that delay")]


@dataclass(frozen=True)
class Faults:
    """The faults of a unit, each at a rate of 0.0 (never) to 1.0 (always), tried in this order.

    `drop` closes the connection without a response, `silence` sends no response, `damage` sends
    one with a wrong checksum (on MBAP, a wrong protocol id), `exception` responds with
    `exception_code`; `delay` waits `delay_seconds` before any response.
    """

    drop: DropRate = 0.0
    silence: SilenceRate = 0.0
    damage: DamageRate = 0.0
    exception: ExceptionRate = 0.0
    exception_code: ExceptionCode = 4
    delay: DelayRate = 0.0
    delay_seconds: DelaySeconds = 1.0


class ServerView(Protocol):
    """The view of served units, those of a simulation or a program's own."""

    def features(self) -> frozenset[Feature]:
        """Return what this view has beyond what all of them have."""
        ...

    def waits(self) -> bool:
        """Return True if `values`, `write` and `reset` may wait: call them in a worker thread."""
        ...

    def title(self) -> str:
        """Return a few words that describe the simulation."""
        ...

    def devices(self, start: int = 0, count: int | None = None) -> list[DeviceInfo]:
        """Return all devices, or `count` of them from index `start` on."""
        ...

    def device_count(self) -> int:
        """Return the number of devices."""
        ...

    def tables(self, device: int, unit: int) -> list[TableInfo]:
        """Return the tables of a unit."""
        ...

    def values(
        self, device: int, unit: int, table: str, address: int, count: int
    ) -> list[int | None]:
        """Return `count` (1..1000) values; None if an address does not exist; bits are 0 and 1."""
        ...

    def write(
        self, device: int, unit: int, table: str, address: int, values: Sequence[int]
    ) -> None:
        """Write values as the owner, to read-only tables too."""
        ...

    def counters(self, device: int, unit: int) -> dict[str, int]:
        """Return the diagnostic counters of a unit (named as in section 6.8), and its events."""
        ...

    def state(self, device: int, unit: int) -> UnitState:
        """Return the settings of a unit."""
        ...

    def change_state(
        self,
        device: int,
        unit: int,
        *,
        listen_only: bool | None = None,
        diagnostic_register: int | None = None,
        exception_status: int | None = None,
    ) -> None:
        """Change settings of a unit; None leaves one as it is."""
        ...

    def identity(self, device: int, unit: int) -> list[IdentityObject]:
        """Return the device identification of a unit, [] if it has none."""
        ...

    def events(self, device: int, unit: int) -> list[EventInfo]:
        """Return the events in the log of a unit, 64 or fewer, the newest first."""
        ...

    def clear_events(self, device: int, unit: int) -> None:
        """Remove all events from the log of a unit."""
        ...

    def statistics(self, device: int, unit: int) -> Mapping[str, int | Sequence[int]]:
        """Return the Modbus Plus statistics of a unit, by the names in `ModbusPlusStatistics`."""
        ...

    def clear_statistics(self, device: int, unit: int) -> None:
        """Set the Modbus Plus statistics of a unit to 0."""
        ...

    def reset(self, device: int, unit: int, *, diagnostics: bool, values: bool) -> None:
        """Reset the counters, diagnostic register and log of a unit, its values, or both."""
        ...

    def set_delimiter(self, device: int, code: int) -> None:
        """Change the last character of ASCII frames, on all lines of a device and at once."""
        ...

    def modes(self, device: int) -> list[EndpointMode]:
        """Return the mode of each endpoint of a device."""
        ...

    def set_mode(self, device: int, mode: str, endpoint: str = "") -> None:
        """Change the mode of an endpoint, "" for the only one: it is served anew."""
        ...

    def networks(self, device: int) -> list[str] | None:
        """Return the networks whose clients may connect to a device, None for all."""
        ...

    def set_networks(self, device: int, networks: Sequence[str] | None) -> None:
        """Change the networks whose clients may connect, None for all."""
        ...

    def add_network(self, device: int, network: str) -> None:
        """Allow one network more; raises ValueError if all are allowed."""
        ...

    def remove_network(self, device: int, network: str) -> None:
        """Allow one network less; raises ValueError if it was not among those allowed."""
        ...

    def connections(self) -> list[ConnectionInfo]:
        """Return the clients, by device and then by time."""
        ...

    def traffic(
        self, after: int = 0, wanted: TrafficFilter | None = None, most: int = 200
    ) -> list[Message]:
        """Return the latest messages after number `after`, `most` or fewer, oldest first.

        The latest 10,000 are kept. Recording begins with the first call of this method. At most
        20 mistakes a second are recorded.
        """
        ...

    def problems(self) -> Mapping[int, str]:
        """Return the reason for each device that could not be served, by index."""
        ...


class View(ServerView, Protocol):
    """See the module; `simulator.simulation.Simulation.view` is the implementation."""

    def points(self, device: int, unit: int) -> list[PointInfo]:
        """Return the named points of a unit, with their values."""
        ...

    def write_point(self, device: int, unit: int, name: str, value: object) -> None:
        """Set a point. A changing one continues from this value; if it cannot, it is held."""
        ...

    def hold_point(self, device: int, unit: int, name: str, held: bool) -> None:
        """Hold the value of a changing point, or release it."""
        ...

    def trend(self, device: int, unit: int, name: str) -> list[tuple[float, float]]:
        """Return up to some hundred latest values of a numeric point, as (time, value).

        The oldest comes first. A point is recorded from the first call for it.
        """
        ...

    def faults(self, device: int, unit: int) -> Faults:
        """Return the faults of a unit."""
        ...

    def set_faults(self, device: int, unit: int, faults: Faults) -> None:
        """Change the faults of a unit."""
        ...

    def start(self, device: int) -> None:
        """Serve a device that was stopped. If it cannot listen, `problems` says why."""
        ...

    def stop(self, device: int) -> None:
        """Stop serving a device: its connections are closed, its values stay."""
        ...

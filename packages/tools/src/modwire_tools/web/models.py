"""The requests and responses of the REST interface: a class for each.

The annotation of a field is the only place for its limits and its description: `reading.read`
checks requests by it, and `openapi.describe` makes the schema from it. The WebSocket uses the same
classes for the parts that a page shows. The types that a `View` returns are in `simulator.view`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from ..simulator.view import (
    Address,
    Count,
    DamageRate,
    DelayRate,
    DelaySeconds,
    Delimiter,
    DeviceIndex,
    DeviceInfo,
    DropRate,
    ExceptionCode,
    ExceptionRate,
    Feature,
    ListenOnly,
    Mode,
    Outcome,
    PointValue,
    Register,
    Seconds,
    SilenceRate,
    Status,
    TableName,
    UnitId,
)

MOST_DEVICES = 500
MOST_VALUES = 1000
MOST_MESSAGES = 1000

Text = Annotated[str, Meta(max_length=200)]
HexDigits = Annotated[str, Meta(max_length=2000)]
Number = Annotated[int, Meta(ge=0, le=2**53)]

# Requests.


class Nothing(Struct, frozen=True):
    """A request without arguments."""


class DevicePage(Struct, frozen=True):
    """A page of devices to list."""

    start: Annotated[int, Meta(ge=0, le=1_000_000, description="index of the first one")] = 0
    count: Annotated[int, Meta(ge=1, le=MOST_DEVICES, description="how many at most")] = 100
    search: Annotated[
        Text, Meta(description="text in the name, the units or the endpoints of a device")
    ] = ""


class OneDevice(Struct, frozen=True):
    """A device, by its index."""

    device: DeviceIndex


class OneUnit(OneDevice, frozen=True):
    """A unit of a device, by its unit id."""

    unit: UnitId


class OneTable(OneUnit, frozen=True):
    """A table of a unit, by its name."""

    table: TableName


class TableRange(OneTable, frozen=True):
    """Consecutive values of a table."""

    address: Address = 0
    count: Annotated[int, Meta(ge=1, le=MOST_VALUES, description="number of values")] = 100


class WriteValues(OneTable, frozen=True):
    """New values for a table."""

    address: Address
    values: Annotated[list[int | bool], Meta(min_length=1, max_length=MOST_VALUES)]


class OnePoint(OneUnit, frozen=True):
    """A point of a unit, by its name."""

    name: Annotated[str, Meta(description="name of the point")]


class ChangePoint(OnePoint, frozen=True):
    """A new value for a point, or a command to hold or release it, or both."""

    value: PointValue | UnsetType = UNSET
    held: Annotated[bool, Meta(description="true to hold the value")] | UnsetType = UNSET


class ChangeFaults(OneUnit, frozen=True):
    """New faults for a unit; other faults do not change."""

    drop: DropRate | UnsetType = UNSET
    silence: SilenceRate | UnsetType = UNSET
    damage: DamageRate | UnsetType = UNSET
    exception: ExceptionRate | UnsetType = UNSET
    exception_code: ExceptionCode | UnsetType = UNSET
    delay: DelayRate | UnsetType = UNSET
    delay_seconds: DelaySeconds | UnsetType = UNSET


class ChangeUnit(OneUnit, frozen=True):
    """New settings for a unit; others do not change."""

    listen_only: ListenOnly | UnsetType = UNSET
    diagnostic_register: Register | UnsetType = UNSET
    exception_status: Status | UnsetType = UNSET


class ResetUnit(OneUnit, frozen=True):
    """A command to reset parts of a unit."""

    diagnostics: Annotated[
        bool, Meta(description="counters, diagnostic register and event log")
    ] = True
    values: Annotated[bool, Meta(description="values of all tables, to those at the start")] = False


class SetDelimiter(OneDevice, frozen=True):
    """A new last character of ASCII frames."""

    delimiter: Delimiter


class SetMode(OneDevice, frozen=True):
    """Another transmission mode for an endpoint."""

    mode: Annotated[Mode, Meta(description='framing: "tcp" is MBAP, of Modbus TCP')]
    endpoint: Annotated[Text, Meta(description="which endpoint, if there are several")] = ""


NetworkText = Annotated[Text, Meta(description="such as 192.168.0.0/16 or ::1")]


class SetNetworks(OneDevice, frozen=True):
    """The networks whose clients may connect."""

    networks: Annotated[list[NetworkText], Meta(max_length=1000)]


class OneNetwork(OneDevice, frozen=True):
    """A network of clients."""

    network: NetworkText


class TrafficQuery(Struct, frozen=True):
    """A filter for messages."""

    after: Annotated[Number, Meta(description="only messages with higher numbers")] = 0
    most: Annotated[int, Meta(ge=1, le=MOST_MESSAGES, description="how many at most")] = 200
    device: DeviceIndex | UnsetType = UNSET
    unit: UnitId | UnsetType = UNSET
    peer: Annotated[Text, Meta(description="a part of the client's address")] = ""
    functions: Annotated[Text, Meta(description="function codes with commas, such as 3,4")] = ""
    outcome: Outcome | UnsetType = UNSET
    text: Annotated[Text, Meta(description="text in the words for request or response")] = ""


class Exchange(Struct, frozen=True):
    """A request and a response to explain."""

    request: Annotated[HexDigits, Meta(description="PDU in hexadecimal digits")] = ""
    response: Annotated[HexDigits, Meta(description="PDU of the response to it")] = ""


class Token(Struct, frozen=True):
    """The token; the response sets the page's cookie."""

    token: Annotated[str, Meta(description="as it was printed or given at the start")] = ""


# Responses.


class Error(Struct, frozen=True):
    """A refused request."""

    error: Annotated[str, Meta(description="what was wrong, in one sentence")]


class Overview(Struct, frozen=True):
    """The served devices as a whole."""

    title: Annotated[str, Meta(description="what is served")]
    devices: Annotated[Count, Meta(description="number of devices")]
    problems: Annotated[
        Mapping[int, str],
        Meta(description="for devices that could not be served, by index: the reason"),
    ]
    version: Annotated[str, Meta(description="version of modwire-tools")]
    features: Annotated[
        list[Feature], Meta(description="which groups of operations there are beyond the common")
    ]


@dataclass(frozen=True)
class Device(DeviceInfo):
    """A device, and the reason if it could not be served."""

    problem: Annotated[str, Meta(description='why it could not be served, or ""')] = ""


class Devices(Struct, frozen=True):
    """A page of devices."""

    total: Annotated[Count, Meta(description="number of devices, or of those found")]
    start: Annotated[Count, Meta(description="index of the first one among these")]
    devices: list[Device]


class Values(Struct, frozen=True):
    """Values of a table."""

    table: TableName
    address: Address
    values: Annotated[
        list[int | None], Meta(description="null where no address is; bits are 0 and 1")
    ]


class Networks(Struct, frozen=True):
    """The networks whose clients may connect."""

    networks: Annotated[list[str] | None, Meta(description="null if all may")]


Statistics = Mapping[str, int | Sequence[int]]


class Trend(Struct, frozen=True):
    """The latest values of a point."""

    name: Annotated[str, Meta(description="name of the point")]
    samples: Annotated[
        Sequence[tuple[Seconds, float | None]],
        Meta(description="[time, value], oldest first; null for a gap"),
    ]


class ExplainedField(Struct, frozen=True):
    """A field of a PDU."""

    start: Annotated[Count, Meta(description="offset in the PDU")]
    data: Annotated[str, Meta(description="its bytes in hexadecimal digits")]
    name: str
    meaning: str


class Explanation(Struct, frozen=True):
    """The fields of both PDUs."""

    request: list[ExplainedField]
    response: list[ExplainedField]

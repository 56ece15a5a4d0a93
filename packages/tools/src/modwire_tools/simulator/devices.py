"""`DeviceSpec`: the description of a simulated device in plain values, as a device file has it.

`files` reads and writes it, `modwire scrape` makes one from a real device, and `units` makes
running units from it. One description serves for thousands of devices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..addresses import Place
from .behaviours import Behaviour
from .view import Faults

SILENCE = -1
"""Used instead of an exception code: the device does not respond."""

Scalar = int | float | str | bool
PointValue = Scalar | Sequence[Scalar]


@dataclass(frozen=True)
class BlockSpec:
    """Values at consecutive addresses of a table.

    With `read_only`, a write gets exception 02. `step` is for devices whose values have several
    registers and must be read whole: a read must begin and end at a multiple of it, counted from
    the first address. With `apart`, one read cannot include this and an adjacent block.
    """

    place: Place
    values: Sequence[int]
    read_only: bool = False
    step: int = 1
    apart: bool = False

    @property
    def stop(self) -> int:
        """The address after the last value."""
        return self.place.address + len(self.values)


@dataclass(frozen=True)
class Refusal:
    """Addresses of a table whose response is an exception code, or `SILENCE`."""

    place: Place
    count: int
    code: int


@dataclass(frozen=True)
class Limit:
    """The longest read of a table that a device allows; longer ones get exception `code`."""

    count: int
    code: int = 3


@dataclass(frozen=True)
class Polled:
    """The settings of a point for `modwire poll`; the simulator does not use them.

    `interval` is in seconds, 0 for that of its device. A number is passed on if it differs from the
    last one by more than `deadband`, any value with `on_change` if it differs at all.
    """

    interval: float = 0.0
    deadband: float = 0.0
    on_change: bool = False


@dataclass(frozen=True)
class PointSpec:
    """A typed, named value at a place.

    `type` is one of `points.TYPES`; `size` is the length of a string in bytes, of a BCD number in
    digits, of bits in bits; `bit` is the number of a bit of a register. `behaviour` is None for a
    constant value. `none` has the raw values with which the device says that it has no value.
    """

    name: str
    place: Place
    type: str
    size: int = 1
    order: str = "ABCD"
    scale: float = 1.0
    offset: float = 0.0
    unit: str = ""
    value: PointValue | None = None
    behaviour: Behaviour | None = None
    none: Sequence[int | float] = ()
    polled: Polled = Polled()
    bit: int = 0


@dataclass(frozen=True)
class FileSpec:
    """A file of functions 20 and 21: its records, numbered from `start`."""

    number: int
    start: int
    records: Sequence[int]


@dataclass(frozen=True)
class ServerId:
    """The response to function 17; `is_running` is None if it ends with the id."""

    id: bytes = b"modwire"
    is_running: bool | None = True
    additional: bytes = b""


@dataclass(frozen=True)
class UnitSpec:
    """A unit of a device.

    `missing` has, by table, the exception code for addresses in no block, if it is not 02;
    `refuses` has the codes of whole functions, by function code. Either may be `SILENCE`.
    With `every_id`, the unit also responds to every unit id that no other unit of its device has.
    """

    id: int
    name: str = ""
    every_id: bool = False
    blocks: Sequence[BlockSpec] = ()
    points: Sequence[PointSpec] = ()
    refusals: Sequence[Refusal] = ()
    missing: Mapping[str, int] = field(default_factory=dict[str, int])
    limits: Mapping[str, Limit] = field(default_factory=dict[str, Limit])
    refuses: Mapping[int, int] = field(default_factory=dict[int, int])
    identity: Mapping[int, bytes] = field(default_factory=dict[int, bytes])
    individual_access: bool = True
    server_id: ServerId = field(default_factory=ServerId)
    exception_status: int = 0
    diagnostic_register: int = 0
    files: Sequence[FileSpec] = ()
    fifo_queues: Mapping[int, Sequence[int]] = field(default_factory=dict[int, Sequence[int]])
    faults: Faults = field(default_factory=Faults)


@dataclass(frozen=True)
class DeviceSpec:
    """A device: its name, and its units by ascending id.

    `endpoint` is that of the real device, "" if it is not known; `connection` has the options of
    endpoints, by name, that its clients need. The simulator does not use them.
    """

    name: str
    units: Sequence[UnitSpec]
    connection: Mapping[str, object] = field(default_factory=dict[str, object])
    endpoint: str = ""

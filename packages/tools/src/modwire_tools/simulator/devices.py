"""What a simulated device is made of: plain values, as a device file has them.

`files` reads and writes them, `scrape` makes them of a real device, `units` brings them to life.
Nothing here runs, so that one description may stand for thousands of devices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..addresses import Place
from .behaviours import Behaviour
from .view import Faults

SILENCE = -1
"""In place of an exception code: nothing is answered."""

Scalar = int | float | str | bool
PointValue = Scalar | Sequence[Scalar]


@dataclass(frozen=True)
class BlockSpec:
    """Values at consecutive addresses of a table.

    `read_only` refuses writes with exception 02. `step` is for devices that have values of
    several registers and refuse half ones: a read must begin and end at a multiple of it from the
    first address on. What is `apart` cannot be read together with what touches it.
    """

    place: Place
    values: Sequence[int]
    read_only: bool = False
    step: int = 1
    apart: bool = False

    @property
    def stop(self) -> int:
        """The address behind the last value."""
        return self.place.address + len(self.values)


@dataclass(frozen=True)
class Refusal:
    """Addresses of a table that answer with an exception code, or `SILENCE`."""

    place: Place
    count: int
    code: int


@dataclass(frozen=True)
class Limit:
    """The longest read of a table that a device answers; longer ones get the exception code."""

    count: int
    code: int = 3


@dataclass(frozen=True)
class PointSpec:
    """A typed, named value at a place.

    `type` is one of `points.TYPES`; `size` is the length of a string in bytes, of a BCD number in
    digits, of bits in bits. `behaviour` is None for a value that stays as it is.
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


@dataclass(frozen=True)
class FileSpec:
    """A file of functions 20 and 21: its records from `start` on."""

    number: int
    start: int
    records: Sequence[int]


@dataclass(frozen=True)
class ServerId:
    """The answer to function 17; `is_running` is None where it ends with the id."""

    id: bytes = b"modwire"
    is_running: bool | None = True
    additional: bytes = b""


@dataclass(frozen=True)
class UnitSpec:
    """A unit of a device.

    `missing` has the exception code of a table's addresses that are in no block, where that is
    not 02; `refuses` the codes of whole functions, by function code. Either may be `SILENCE`.
    With `every_id` the unit answers to every unit id that no other unit of its device has.
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
    """A device: its name and its units, by ascending id."""

    name: str
    units: Sequence[UnitSpec]

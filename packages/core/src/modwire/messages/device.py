"""`Device`: the interface of a unit by which a request is executed.

`Unit` has it. It is a protocol so that messages do not import units; any other object with this
interface can be passed to `request.execute` too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

__all__ = ["Device"]


class Table(Protocol):
    """A table of coils, inputs or registers in its byte forms, which `Block` has.

    Registers are big-endian bytes, two for each. Bits are packed eight to a byte, the first one
    lowest. Each call raises `IllegalDataAddressError` for an address that does not exist.
    """

    def read_bits(self, address: int, count: int) -> bytes:
        """Return `count` bits, the unused ones 0."""
        ...

    def write_bits(self, address: int, count: int, data: bytes, /) -> None:
        """Write the first `count` bits of `data`."""
        ...

    def read_registers(self, address: int, count: int) -> bytes:
        """Return `count` registers."""
        ...

    def write_registers(self, address: int, data: bytes, /) -> None:
        """Write the registers in `data`."""
        ...

    def mask_write(self, address: int, and_mask: int, or_mask: int, /) -> None:
        """Write (current AND and) OR (or AND NOT and) to one register (section 6.16)."""
        ...

    def write_read_registers(
        self, write_address: int, data: bytes, read_address: int, read_count: int, /
    ) -> bytes:
        """Check both ranges, then write, then read (section 6.17)."""
        ...


class IdentityPage(NamedTuple):
    """The values of one answer to function 43/14: as many whole objects as fit one PDU.

    `next_object_id` is None when no more objects follow.
    """

    conformity_level: int
    next_object_id: int | None
    objects: Sequence[tuple[int, bytes]]


class DeviceIdentity(Protocol):
    """The identification that function 43/14 reads; `Identity` is one."""

    def page(self, read_code: int, object_id: int, /) -> IdentityPage:
        """Return the objects of a category from `object_id` on, or only that object.

        Raises `IllegalDataAddressError` and `IllegalDataValueError` as section 6.21 says.
        """
        ...


class Device(Protocol):
    """The tables of a unit, and its data for the functions that read something else."""

    @property
    def coils(self) -> Table: ...
    @property
    def discrete_inputs(self) -> Table: ...
    @property
    def holding_registers(self) -> Table: ...
    @property
    def input_registers(self) -> Table: ...

    @property
    def exception_status(self) -> int: ...  # function 7: eight outputs, 0..255
    @property
    def comm_status(self) -> int: ...  # functions 11 and 12: 0000, or FFFF while the unit is busy
    @property
    def event_counter(self) -> int: ...  # functions 11 and 12, 0..65535
    @property
    def message_count(self) -> int: ...  # function 12, 0..65535
    @property
    def event_log(self) -> bytes: ...  # function 12: 0 to 64 events, the newest first

    @property
    def server_id(self) -> bytes: ...  # function 17, device specific
    @property
    def run_indicator(self) -> bool | None: ...  # True for ON; None to end the answer with the id
    @property
    def additional_id_data(self) -> bytes: ...  # after the run indicator
    @property
    def identity(self) -> DeviceIdentity | None: ...  # function 43/14; None to answer 01

    def diagnose(self, sub_function: int, data: tuple[int, ...], /) -> tuple[int, ...] | None:
        """Execute function 8; return the data words of the answer, None for no answer.

        Raises `IllegalFunctionError` for a sub-function that the unit does not support.
        """
        ...

    def check_file(self, file: int, record: int, count: int, /, *, write: bool = False) -> None:
        """Raise `IllegalDataAddressError` unless the file has these records (section 6.14)."""
        ...

    def read_file(self, file: int, record: int, count: int, /) -> bytes:
        """Return `count` records as big-endian bytes."""
        ...

    def write_file(self, file: int, record: int, data: bytes, /) -> None:
        """Write records from big-endian bytes."""
        ...

    def read_fifo_queue(self, address: int, /) -> Sequence[int]:
        """Return the queue at a pointer address, oldest value first (section 6.18).

        Raises `IllegalDataAddressError` if there is none.
        """
        ...

    def canopen_general_reference(self, data: bytes, /) -> bytes:
        """Return the data of the answer to function 43/13 (section 6.20)."""
        ...

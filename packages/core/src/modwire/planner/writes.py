"""`WriteFunctions`: the functions that write a device, and the requests made of them.

Register maps and the `modwire` command use it. Nothing is sent here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from ..immutable import Immutable, set_field
from ..messages.bit_access import MAX_WRITE_BITS, WriteMultipleCoilsRequest, WriteSingleCoilRequest
from ..messages.register_access import (
    MAX_WRITE_REGISTERS,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)
from ..messages.register_operations import MaskWriteRegisterRequest

if TYPE_CHECKING:
    from typing import TypeAlias

    PlainWrite: TypeAlias = (
        WriteSingleCoilRequest
        | WriteMultipleCoilsRequest
        | WriteSingleRegisterRequest
        | WriteMultipleRegistersRequest
    )

MOST_WRITTEN = {"coils": MAX_WRITE_BITS, "holding_registers": MAX_WRITE_REGISTERS}
_ALL = (5, 6, 15, 16, 22)
# By table: the functions that write one value and several.
_FUNCTIONS = {"coils": (5, 15), "holding_registers": (6, 16)}


class WriteFunctions(Immutable):
    """The codes of the functions that write a device: `WriteFunctions(15, 16)`; immutable.

    Without arguments it is `ALL`: 5, 6, 15, 16 and 22. Leave out those that the device does not
    have, or that are not to be used. `MULTIPLE` is 15, 16 and 22, `SINGLE` is 5 and 6.

    - One coil is written by function 5, one register by 6; without them by 15 and 16.
    - Several are written by 15 and 16; without them one after the other by 5 and 6. This is not
      atomic: between two requests of function 6 the device has half of a 32-bit value, and keeps
      it if the second request fails.
    - Bits of a register are written by 22; without it the register is read by function 3, changed,
      and written back. This is not atomic either: if another client changes the other bits in
      between, its change is lost. The register is read immediately before, never taken from a
      map. A broadcast cannot do this.

    Raises ValueError for other codes.
    """

    __slots__ = ("codes",)
    codes: frozenset[int]
    ALL: ClassVar[WriteFunctions]
    MULTIPLE: ClassVar[WriteFunctions]
    SINGLE: ClassVar[WriteFunctions]

    def __init__(self, *codes: int) -> None:
        for code in codes:
            if code not in _ALL or isinstance(code, bool):
                raise ValueError(f"functions that write are 5, 6, 15, 16 and 22, got {code!r}")
        set_field(self, "codes", frozenset(codes or _ALL))

    @property
    def can_mask(self) -> bool:
        """True if function 22 writes the bits of a register."""
        return 22 in self.codes

    def check(self, table: str) -> None:
        """Raise ValueError if none of the functions writes `table`, one that can be written."""
        if self.codes.isdisjoint(_FUNCTIONS[table]):
            one, several = _FUNCTIONS[table]
            raise ValueError(
                f"{table.replace('_', ' ')} are written by function {one} or {several}, "
                f"which {self!r} does not have"
            )

    def requests(
        self, table: str, address: int, items: Sequence[int], *, size: int = 1
    ) -> list[PlainWrite]:
        """Return the requests that write neighbouring `items`, coils or registers, in order.

        Items that do not fit into one request are divided at a multiple of `size`, the number of
        registers of one value. Raises ValueError as `check` does.
        """
        self.check(table)
        one, several = _FUNCTIONS[table]
        most = MOST_WRITTEN[table]
        if several not in self.codes:
            most = 1
        elif size < most:
            most -= most % size
        has_one = one in self.codes
        found: list[PlainWrite] = []
        for at in range(0, len(items), most):
            part = items[at : at + most]
            is_one = has_one and len(part) == 1
            if table == "coils" and is_one:
                found.append(WriteSingleCoilRequest(address + at, bool(part[0])))
            elif table == "coils":
                found.append(WriteMultipleCoilsRequest(address + at, list(map(bool, part))))
            elif is_one:
                found.append(WriteSingleRegisterRequest(address + at, part[0]))
            else:
                found.append(WriteMultipleRegistersRequest(address + at, part))
        return found

    def changed(self, change: MaskWriteRegisterRequest, register: int) -> PlainWrite:
        """Return the request that writes `register`, as it was just read, with `change` made.

        For devices without function 22. Raises ValueError as `check` does.
        """
        value = register & change.and_mask | change.or_mask & ~change.and_mask
        return self.requests("holding_registers", change.address, [value])[0]

    def _values(self) -> tuple[object, ...]:
        return tuple(sorted(self.codes))

    def __repr__(self) -> str:
        return f"WriteFunctions({', '.join(map(str, sorted(self.codes)))})"


WriteFunctions.ALL = WriteFunctions()
WriteFunctions.MULTIPLE = WriteFunctions(15, 16, 22)
WriteFunctions.SINGLE = WriteFunctions(5, 6)

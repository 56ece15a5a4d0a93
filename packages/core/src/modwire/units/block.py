"""`Block`: the interface of a table for messages, and the base class for your own tables.

The blocks that keep their values in memory are in datastore.py.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import ClassVar

from ..bits import pack_bits, unpack_bits
from ..errors import IllegalDataAddressError
from ..hooks import check_methods
from .tables import as_ranges


class Block:
    """A range of coils, inputs or registers: subclass it and define `read` and `write`.

    The byte forms are for speed; here they call `read` and `write`. A subclass of another block
    that overrides `read` or `write` gets these general forms back, so that its override is used
    for every function that a client calls.
    """

    # True if reading has no side effects: it may then be done twice, or before the unit's
    # bookkeeping. Only modwire's blocks without overridden methods set it.
    plain_reads: ClassVar[bool] = False

    def read(self, address: int, count: int) -> Sequence[int]:
        """Return `count` values from `address` on, 0..65535 each; True or a nonzero value is ON.

        Raises `IllegalDataAddressError` if any address does not exist; another
        `ExceptionResponseError` is answered with its code.
        """
        raise NotImplementedError(f"{type(self).__name__} must define read()")

    def write(self, address: int, values: Sequence[int]) -> None:
        """Write `values` from `address` on, all of them or, if it raises, none.

        Registers come as integers 0..65535, coils as booleans. Raises like `read`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define write()")

    def check(self, address: int, count: int) -> None:
        """Raise `IllegalDataAddressError` unless all `count` addresses from `address` on exist."""
        self.read(address, count)

    def check_write(self, address: int, count: int) -> None:
        """Raise `IllegalDataAddressError` unless all these addresses exist and may be written."""
        self.check(address, count)

    def read_registers(self, address: int, count: int) -> bytes:
        """Return the registers as big-endian bytes, two for each."""
        return pack_words(_read(self, address, count), address)

    def write_registers(self, address: int, data: bytes) -> None:
        """Write the registers in big-endian `data`, two bytes for each."""
        self.write(address, unpack_words(data))

    def read_bits(self, address: int, count: int) -> bytes:
        """Return the values as packed bits, first one lowest, unused bits 0; nonzero is ON."""
        return pack_bits(map(bool, _read(self, address, count)))

    def write_bits(self, address: int, count: int, data: bytes) -> None:
        """Write the first `count` bits packed in `data` as booleans."""
        self.write(address, unpack_bits(data, count))

    def ranges(self) -> Sequence[range] | None:
        """Return the addresses that exist, as ranges in ascending order; None if not known.

        It is for tools that show a block, such as the page of modwire-tools.
        """
        addresses = self._addresses()
        return None if addresses is None else as_ranges(addresses)

    def _addresses(self) -> Collection[int] | None:
        return None

    def reset(self) -> None:
        """Set all values to those at the beginning; for the owner, clients cannot ask for it."""
        raise NotImplementedError(f"{type(self).__name__} must define reset()")

    def mask_write(self, address: int, and_mask: int, or_mask: int) -> None:
        """Write (current AND and) OR (or AND NOT and) to one register (section 6.16)."""
        current = int.from_bytes(self.read_registers(address, 1), "big")
        value = current & and_mask | or_mask & ~and_mask & 0xFFFF
        self.write_registers(address, value.to_bytes(2, "big"))

    def write_read_registers(
        self, write_address: int, data: bytes, read_address: int, read_count: int
    ) -> bytes:
        """Check both ranges, then write, then read (section 6.17)."""
        self.check_write(write_address, len(data) >> 1)
        self.check(read_address, read_count)
        self.write_registers(write_address, data)
        return self.read_registers(read_address, read_count)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        check_methods(cls, Block)
        # An inherited byte form would bypass an override of the method that it replaces.
        for name, general, stands_for in _BYTE_FORMS:
            if any(_depth(cls, other) < _depth(cls, name) for other in stands_for):
                setattr(cls, name, general)
        if any(_depth(cls, name) < _depth(cls, "plain_reads") for name in _READS):
            cls.plain_reads = False


_READS = ("read", "check", "read_registers", "read_bits")
_BYTE_FORMS: tuple[tuple[str, Callable[..., object], tuple[str, ...]], ...] = (
    ("check", Block.check, ("read",)),
    ("read_registers", Block.read_registers, ("read",)),
    ("read_bits", Block.read_bits, ("read",)),
    ("write_registers", Block.write_registers, ("write",)),
    ("write_bits", Block.write_bits, ("write",)),
    ("mask_write", Block.mask_write, ("read", "write", "read_registers", "write_registers")),
    (
        "write_read_registers",
        Block.write_read_registers,
        ("read", "write", "read_registers", "write_registers"),
    ),
)


def _read(block: Block, address: int, count: int) -> Sequence[int]:
    values = block.read(address, count)
    wanted = f"{type(block).__name__}.read() must return {count} values"
    if not hasattr(values, "__len__"):
        raise TypeError(f"{wanted}, got {values!r}")
    if len(values) != count:
        raise ValueError(f"{wanted}, got {len(values)}")
    return values


def _depth(cls: type, name: str) -> int:
    """Return the position in the method resolution order at which `name` is defined."""
    return next(depth for depth, base in enumerate(cls.__mro__) if name in base.__dict__)


def check_block(name: str, block: Block, others: str = "") -> Block:
    """Return `block`; raise TypeError unless it is a Block. `others` are also allowed."""
    if not isinstance(block, Block):
        raise TypeError(
            f"{name} must be a block, such as SequentialBlock(0, values){others}, got "
            f"{type(block).__name__}; a class of your own must be a subclass of Block"
        )
    return block


class MissingTable(Block):
    """The block for a table that a unit does not have: no address exists."""

    def __init__(self, table: str) -> None:
        self._table = table.replace("_", " ")

    def read(self, address: int, count: int) -> Sequence[int]:
        raise IllegalDataAddressError(detail=f"the unit has no {self._table}")

    def write(self, address: int, values: Sequence[int]) -> None:
        raise IllegalDataAddressError(detail=f"the unit has no {self._table}")

    def ranges(self) -> Sequence[range]:
        return ()

    def reset(self) -> None:
        """Do nothing: there are no values."""

    def __repr__(self) -> str:
        return f"<no {self._table}>"


def pack_words(values: Iterable[int], address: int = 0) -> bytes:
    """Return `values` as big-endian bytes. Raises ValueError with the address of a wrong one."""
    words = tuple(values)
    try:
        return struct.pack(f">{len(words)}H", *words)
    except struct.error:
        pass
    for at, value in enumerate(words, address):
        check_value(value, at)
    raise ValueError("values must be integers 0..65535, True or False")


def unpack_words(data: bytes | bytearray) -> tuple[int, ...]:
    """Return the values in big-endian `data`."""
    return struct.unpack(f">{len(data) >> 1}H", data)


def check_value(value: int, address: int) -> None:
    """Raise ValueError unless `value` fits a register."""
    try:
        fits = not value >> 16
    except TypeError:
        fits = False
    if not fits:
        raise ValueError(
            f"value at address {address} must be 0..65535, True or False, got {value!r}"
        )

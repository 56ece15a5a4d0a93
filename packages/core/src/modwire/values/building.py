"""Convert values to registers and back: `RegisterBuilder`, `RegisterReader`, single values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ..bits import pack_bits, unpack_bits
from ..units.block import pack_words, unpack_words
from .orders import Order, find_order, swap_bytes, swap_words
from .types import MOST_BYTES, ValueType, find_type

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from .orders import Endian, Ordering, OwnOrder
    from .types import FloatName, IntegerName

__all__ = ["RegisterBuilder", "RegisterReader", "from_registers", "to_registers"]

T = TypeVar("T")


def encode_value(kind: ValueType[T], value: T, order: Order) -> list[int]:
    """Return the registers of one value, which shares them with no other; raises ValueError."""
    data = kind.pack(value)
    if len(data) % 2:
        # A one-byte number is the low byte of its register, as in a 16-bit number.
        data = b"\0" + data if kind.number_size == len(data) else data + b"\0"
    if order.word_order == "little":
        data = swap_words(data, kind.number_size)
    if order.swaps(kind.number_size):
        data = swap_bytes(data)
    return list(unpack_words(data))


def decode_value(kind: ValueType[T], registers: Iterable[int], order: Order) -> T:
    """Return the value that `encode_value` encoded; raises ValueError."""
    data = _pack(registers)
    if len(data) >> 1 != kind.register_count:
        wanted = kind.register_count
        raise ValueError(
            f"{kind.name} must have {wanted} register{'s' * (wanted != 1)}, got {len(data) >> 1}"
        )
    if order.swaps(kind.number_size):
        data = swap_bytes(data)
    if order.word_order == "little":
        data = swap_words(data, kind.number_size)
    if kind.size % 2:
        data = data[1:] if kind.number_size == kind.size else data[:-1]
    return kind.unpack(data)


@overload
def to_registers(kind: IntegerName, value: int, **order: Unpack[Ordering]) -> list[int]: ...
@overload
def to_registers(kind: FloatName, value: float, **order: Unpack[Ordering]) -> list[int]: ...
@overload
def to_registers(kind: ValueType[T], value: T, **order: Unpack[Ordering]) -> list[int]: ...
def to_registers(kind: Any, value: Any, **order: Unpack[Ordering]) -> list[int]:
    """Return the registers of one value: `to_registers("float32", 22.34, word_order="little")`.

    `kind` is the name of a type or a `ValueType`. `order` is an `Order` or its name, such as
    "CDAB"; `byte_order`, `word_order` and `numbers_only` take precedence. A one-byte number is the
    low byte of its register. Raises ValueError if the value does not fit the type.
    """
    return encode_value(find_type(kind), value, find_order(**order))


@overload
def from_registers(
    kind: IntegerName, registers: Iterable[int], **order: Unpack[Ordering]
) -> int: ...
@overload
def from_registers(
    kind: FloatName, registers: Iterable[int], **order: Unpack[Ordering]
) -> float: ...
@overload
def from_registers(
    kind: ValueType[T], registers: Iterable[int], **order: Unpack[Ordering]
) -> T: ...
def from_registers(kind: Any, registers: Iterable[int], **order: Unpack[Ordering]) -> Any:
    """Return the value in `registers`; the arguments are those of `to_registers`.

    Raises ValueError if the type has another number of registers, or no such value.
    """
    return decode_value(find_type(kind), registers, find_order(**order))


class RegisterBuilder:
    """Builds registers, coils or bytes from values of several types in sequence.

    `add` takes the name of a type or a `ValueType`, and can be chained:
    `RegisterBuilder(order="CDAB").add("float32", 22.34).add(string_of(8), "pump").to_registers()`.
    There are no gaps between values, so two of "uint8" share a register, the first in its high
    byte. `byte_order`, `word_order`, `numbers_only` and `order` are those of `to_registers`.
    """

    def __init__(self, **order: Unpack[Ordering]) -> None:
        self.order = find_order(**order)
        self._data = bytearray()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._data)} bytes>"

    @overload
    def add(self, kind: IntegerName, value: int, **own: Unpack[OwnOrder]) -> Self: ...
    @overload
    def add(self, kind: FloatName, value: float, **own: Unpack[OwnOrder]) -> Self: ...
    @overload
    def add(self, kind: ValueType[T], value: T, **own: Unpack[OwnOrder]) -> Self: ...
    def add(
        self,
        kind: Any,
        value: Any,
        *,
        byte_order: Endian | None = None,
        word_order: Endian | None = None,
    ) -> Self:
        """Append a value, in its own `byte_order` and `word_order` unless None.

        Raises ValueError unless the value fits, and if its own byte order would swap half a
        register.
        """
        found = find_type(kind)
        data = found.pack(value)
        if find_order(None, word_order, self.order).word_order == "little":
            data = swap_words(data, found.number_size)
        self._data += _swapped(data, found, byte_order, self.order, len(self._data))
        return self

    def skip_bytes(self, count: int) -> Self:
        """Append `count` bytes of 0; raises ValueError for more than 131072 bytes in all."""
        if len(self._data) + _checked(count, "bytes") > MOST_BYTES:
            raise ValueError(
                f"there must be at most {MOST_BYTES} bytes, a whole table, "
                f"got {len(self._data)} and {count} to skip"
            )
        self._data += bytes(count)
        return self

    def skip_registers(self, count: int) -> Self:
        """Append `count` registers of 0; raises like `skip_bytes`."""
        return self.skip_bytes(2 * _checked(count, "registers"))

    def reset(self) -> Self:
        """Remove all values."""
        self._data.clear()
        return self

    def to_bytes(self) -> bytes:
        """Return the registers as bytes on the wire; half a register is padded with 0."""
        data = bytes(self._data) + bytes(len(self._data) % 2)
        return swap_bytes(data) if self.order.swaps_registers else data

    def to_registers(self) -> list[int]:
        """Return the registers, as for `write_registers`; half a register is padded with 0."""
        return list(unpack_words(self.to_bytes()))

    def to_coils(self) -> list[bool]:
        """Return the bits of `to_bytes` as in messages, the lowest bit of each byte first."""
        data = self.to_bytes()
        return list(unpack_bits(data, 8 * len(data)))

    def __len__(self) -> int:
        """Return the number of bytes."""
        return len(self._data)


class RegisterReader:
    """Reads values of several types from registers, in sequence.

    It reads what `RegisterBuilder` builds: `reader.read("float32")`, `reader.read(string_of(8))`.
    `RegisterReader(registers)`, `from_coils` and `from_bytes` make one; their `byte_order`,
    `word_order`, `numbers_only` and `order` are those of `from_registers`. Raises ValueError for
    values that are not registers.
    """

    def __init__(self, registers: Iterable[int], **order: Unpack[Ordering]) -> None:
        self.order = find_order(**order)
        data = _pack(registers)
        self._data = swap_bytes(data) if self.order.swaps_registers else data
        self._position = 0

    def __repr__(self) -> str:
        place = f"byte {self._position} of {len(self._data)}"
        return f"<{type(self).__name__} at {place}>"

    @classmethod
    def from_bytes(cls, data: bytes, **order: Unpack[Ordering]) -> Self:
        """Read registers as bytes on the wire; raises ValueError for an odd number of bytes."""
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise ValueError(f"registers as bytes must be bytes, got {data!r}")
        if len(data) % 2:
            raise ValueError(f"registers must have an even number of bytes, got {len(data)}")
        return cls(unpack_words(data), **order)

    @classmethod
    def from_coils(cls, coils: Sequence[bool], **order: Unpack[Ordering]) -> Self:
        """Read coils, eight per byte as in messages, padded with OFF to whole registers.

        If the first coil is the lowest bit of a number, use `order="DCBA"`. Raises ValueError for
        anything but coils.
        """
        if not isinstance(coils, Iterable):
            raise ValueError(f"coils must be a sequence of True and False, got {coils!r}")
        data = pack_bits(coils)
        return cls.from_bytes(data + bytes(len(data) % 2), **order)

    @overload
    def read(self, kind: IntegerName, **own: Unpack[OwnOrder]) -> int: ...
    @overload
    def read(self, kind: FloatName, **own: Unpack[OwnOrder]) -> float: ...
    @overload
    def read(self, kind: ValueType[T], **own: Unpack[OwnOrder]) -> T: ...
    def read(
        self, kind: Any, *, byte_order: Endian | None = None, word_order: Endian | None = None
    ) -> Any:
        """Return the next value, in its own `byte_order` and `word_order` unless None.

        Raises ValueError if too few bytes are left, or the type has no such value; the position
        does not change then, so the bytes can be read as another type.
        """
        found = find_type(kind)
        order = find_order(None, word_order, self.order)
        start = self._position
        data = self._data[start : start + found.size]
        if len(data) != found.size:
            raise self._too_few(found.name, found.size)
        data = _swapped(data, found, byte_order, order, start)
        if order.word_order == "little":
            data = swap_words(data, found.number_size)
        value = found.unpack(data)
        self._position = start + found.size
        return value

    def skip_bytes(self, count: int) -> Self:
        """Skip `count` bytes; raises ValueError if fewer are left."""
        if _checked(count, "bytes") > self.remaining:
            raise self._too_few("skipping", count)
        self._position += count
        return self

    def skip_registers(self, count: int) -> Self:
        """Skip the bytes of `count` registers; raises like `skip_bytes`."""
        return self.skip_bytes(2 * _checked(count, "registers"))

    def reset(self) -> Self:
        """Start again at the first byte."""
        self._position = 0
        return self

    @property
    def remaining(self) -> int:
        """Number of bytes left."""
        return len(self._data) - self._position

    def _too_few(self, what: str, size: int) -> ValueError:
        return ValueError(
            f"{what} needs {size} bytes, {self.remaining} of {len(self._data)} are left"
        )


def _swapped(data: bytes, kind: ValueType[Any], own: Endian | None, order: Order, at: int) -> bytes:
    """Return the bytes of a value at offset `at`, swapped unless all registers are swapped anyway.

    `own` is the byte order of the value, None for that of `order`. Raises ValueError if a swap
    would move a byte of another value.
    """
    swaps = order.swaps(kind.number_size)
    if own is not None:
        swaps = find_order(own, None, order).byte_order == "little"
    if swaps == order.swaps_registers or (kind.size == 1 and not order.swaps_registers):
        return data
    if len(data) % 2 or (at % 2 and order.swaps_registers):
        raise ValueError(
            f"a value with a byte_order of its own must have whole registers, {kind.name} has "
            f"{kind.size} bytes from byte {at} on"
        )
    return swap_bytes(data)


def _checked(count: int, what: str) -> int:
    if not isinstance(count, int) or count < 0:
        raise ValueError(f"count must be at least 0 {what}, got {count!r}")
    return count


def _pack(registers: Iterable[int]) -> bytes:
    if not isinstance(registers, Iterable):
        raise ValueError(f"registers must be a sequence of integers, got {registers!r}")
    return pack_words(registers)

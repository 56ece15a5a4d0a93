"""Storage for coils and registers: blocks of addresses, and `Datastore` with its four tables.

Clients access a block through the messages, which use its byte forms (such as `read_registers`)
and obey its rules. The owner accesses it as `block[address]`, where no rules apply.
Addresses are those on the wire, from 0; `reference` translates the 40001 notation.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, overload

from ..arguments import explained
from ..bits import unpack_bits
from ..errors import IllegalDataAddressError, ServerDeviceFailureError
from ..hooks import check_hook
from .block import Block, MissingTable, check_block, check_value, pack_words, unpack_words
from .tables import ADDRESSES, TABLES, as_range, as_span

if TYPE_CHECKING:
    from typing import TypeAlias

    from typing_extensions import Self

    # Called with the address and the new values, registers as integers and coils as booleans.
    OnWrite: TypeAlias = Callable[[int, Sequence[int]], object]
    ReadOnly: TypeAlias = "bool | Iterable[int | range]"
    Allowed: TypeAlias = "Mapping[int | range, Container[int] | Callable[[int], bool]]"

_BIT_TO_ASCII = b"0" + b"1" * 255
_ASCII_TO_BIT = bytes(byte == 0x31 for byte in range(256))


class MemoryBlock(Block):
    """Base of `SequentialBlock` and `SparseBlock`: rules for clients, access for the owner.

    - `on_write(address, values)` is called after a client's write, when the new values are stored,
      so that it can act on them and set others by `block[...] = ...`. If it raises, the old values
      of the written range are restored; an `ExceptionResponseError` is answered with its code, any
      other error with 04. Registers come as integers, coils as booleans.
    - `read_only` is True, or addresses and ranges of them; a write to one is refused with 02, as
      for an address that does not exist.
    - `allowed` maps addresses and ranges to their allowed values: a container such as
      `range(0, 101)`, or a function from value to bool. Another value is refused with 04,
      because 03 never means that a value is out of the application's range (section 7).

    A write is done completely or not at all. The owner's `block[address]`, `block[address] = value`
    and, with step 1, `block[first:stop]` use integers and ignore the rules; they raise IndexError
    for an address that does not exist. Iteration yields the addresses. `reset()` sets the values
    back to those that the block was made with, without `on_write`.
    """

    on_write: OnWrite | None

    def __init__(
        self, on_write: OnWrite | None, read_only: ReadOnly, allowed: Allowed | None
    ) -> None:
        self.on_write = check_hook("on_write(address, values)", on_write)
        if isinstance(read_only, bool):
            read_only = (range(ADDRESSES),) if read_only else ()
        elif not isinstance(read_only, Iterable):
            raise TypeError(f"read_only must be a bool or a list of addresses, got {read_only!r}")
        self._read_only = tuple(as_range("read_only", each) for each in read_only)
        if allowed is not None and not isinstance(allowed, Mapping):
            raise TypeError(
                "allowed must map addresses to the values they take, such as "
                f"{{range(0, 10): range(0, 101)}}, got {allowed!r}"
            )
        self._allowed = tuple(
            (as_range("allowed", each), values if callable(values) else values.__contains__)
            for each, values in (allowed or {}).items()
        )
        self._has_rules = bool(self._read_only or self._allowed)

    def _load(self, address: int, count: int) -> bytes:
        """Return the values as big-endian bytes. Raises `IllegalDataAddressError`."""
        raise NotImplementedError

    def _store(self, address: int, data: bytes) -> None:
        """Store big-endian values at existing addresses. Raises `IllegalDataAddressError`."""
        raise NotImplementedError

    def write_registers(
        self, address: int, data: bytes, values: Sequence[int] | None = None
    ) -> None:
        """Check all rules, store `data`, and pass `values`, or those of `data`, to `on_write`."""
        if self.on_write is None and not self._has_rules:
            self._store(address, data)
            return
        old = self._load(address, len(data) >> 1)
        self._check_rules(address, data)
        self._store(address, data)
        if self.on_write is not None:
            try:
                self.on_write(address, unpack_words(data) if values is None else values)
            except BaseException:
                self._store(address, old)
                raise

    _commit = write_registers  # for the other forms, which must not call an override

    def _check_rules(self, address: int, data: bytes) -> None:
        stop = address + (len(data) >> 1)
        self._check_read_only(address, stop)
        for addresses, allows in self._allowed:
            for at in range(max(address, addresses.start), min(stop, addresses.stop)):
                word = (at - address) << 1
                value = int.from_bytes(data[word : word + 2], "big")
                if not allows(value):
                    raise ServerDeviceFailureError(
                        detail=f"value {value} is not allowed at address {at}"
                    )

    def _check_read_only(self, address: int, stop: int) -> None:
        for addresses in self._read_only:
            first = max(address, addresses.start)
            if first < min(stop, addresses.stop):
                raise IllegalDataAddressError(detail=f"address {first} is read-only")

    def read(self, address: int, count: int) -> Sequence[int]:
        return unpack_words(self._load(address, count))

    # This and the byte forms call _load and _commit, never each other: otherwise an override that
    # calls super() would call itself.
    def write(self, address: int, values: Sequence[int]) -> None:
        self._commit(address, pack_words(values, address), tuple(values))

    def check(self, address: int, count: int) -> None:
        self._load(address, count)

    def check_write(self, address: int, count: int) -> None:
        self.check(address, count)
        self._check_read_only(address, address + count)

    def read_registers(self, address: int, count: int) -> bytes:
        return self._load(address, count)

    def read_bits(self, address: int, count: int) -> bytes:
        # The last value comes first, because int() reads the highest digit first. High bytes are
        # nonzero only if registers are read as coils; then they are OR'ed as big integers.
        words = self._load(address, count)
        digits, high = words[::-2], words[-2::-2]
        if high.count(0) != count:
            either = int.from_bytes(high, "big") | int.from_bytes(digits, "big")
            digits = either.to_bytes(count, "big")
        return int(digits.translate(_BIT_TO_ASCII), 2).to_bytes((count + 7) >> 3, "little")

    def write_bits(self, address: int, count: int, data: bytes) -> None:
        # An extra bit on top keeps the leading zeros; the slice drops it together with "0b".
        digits = bin(int.from_bytes(data, "little") | 1 << (len(data) << 3))[: -count - 1 : -1]
        words = bytearray(count << 1)
        words[1::2] = digits.encode().translate(_ASCII_TO_BIT)
        values = unpack_bits(data, count) if self.on_write is not None else None
        self._commit(address, bytes(words), values)

    @overload
    def __getitem__(self, addresses: int) -> int: ...
    @overload
    def __getitem__(self, addresses: slice) -> tuple[int, ...]: ...
    def __getitem__(self, addresses: int | slice) -> int | tuple[int, ...]:
        address, count = as_span(addresses)
        try:
            values = unpack_words(self._load(address, count))
        except IllegalDataAddressError as error:
            raise IndexError(error.detail) from None
        return values if isinstance(addresses, slice) else values[0]

    @overload
    def __setitem__(self, addresses: int, values: int) -> None: ...
    @overload
    def __setitem__(self, addresses: slice, values: Iterable[int]) -> None: ...
    def __setitem__(self, addresses: int | slice, values: int | Iterable[int]) -> None:
        address, count = as_span(addresses)
        data = pack_words((values,) if isinstance(values, int) else values, address)
        if len(data) != count << 1:
            raise ValueError(f"values must be {count} for {addresses}, got {len(data) >> 1}")
        self._make_room(address, count)
        self._store(address, data)

    def _make_room(self, address: int, count: int) -> None:
        """Prepare these addresses for `_store`, or raise IndexError."""
        try:
            self._load(address, count)
        except IllegalDataAddressError as error:
            raise IndexError(error.detail) from None

    def _addresses(self) -> Collection[int]:
        """Return the addresses that exist."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self._addresses())

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._addresses()))

    def __contains__(self, address: object) -> bool:
        return address in self._addresses()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} addresses>"


class SequentialBlock(MemoryBlock):
    """`values` at consecutive addresses from `start` on; see `MemoryBlock` for the rules.

    Values are integers 0..65535 or booleans; `start + len(values)` is at most 65536. Raises
    ValueError for anything else.
    """

    plain_reads = True

    @explained
    def __init__(
        self,
        start: int,
        values: Iterable[int],
        *,
        on_write: OnWrite | None = None,
        read_only: ReadOnly = False,
        allowed: Allowed | None = None,
    ) -> None:
        super().__init__(on_write, read_only, allowed)
        if isinstance(start, bool) or not isinstance(start, int) or not 0 <= start < ADDRESSES:
            raise ValueError(f"start must be 0..65535, got {start!r}")
        if not isinstance(values, Iterable):
            raise TypeError(
                f"values must be a list of values, one for each address, got {values!r}"
            )
        # Big-endian, as on the wire: an answer is one slice, a write one slice assignment.
        # A memoryview converts a slice to bytes in one step, a bytearray in two.
        initial = pack_words(values, start)
        self._words = memoryview(bytearray(initial))
        # For `reset`; none are kept if all are 0, as in most large blocks.
        self._initial = initial if initial.count(0) != len(initial) else b""
        size = len(self._words) >> 1
        if not 1 <= size <= ADDRESSES - start:
            raise ValueError(
                f"values must have 1..{ADDRESSES - start} entries from address {start} on, "
                f"got {size}"
            )
        self._start = start
        self._stop = start + size

    @classmethod
    def full(
        cls,
        value: int = 0,
        *,
        on_write: OnWrite | None = None,
        read_only: ReadOnly = False,
        allowed: Allowed | None = None,
    ) -> Self:
        """Return a block with all 65536 addresses, each with the same value."""
        values = [value] * ADDRESSES
        return cls(0, values, on_write=on_write, read_only=read_only, allowed=allowed)

    def reset(self) -> None:
        self._words[:] = self._initial or bytes(len(self._words))

    def read_registers(self, address: int, count: int) -> bytes:
        stop = address + count
        if address < self._start or stop > self._stop:
            first = address if not self._start <= address < self._stop else self._stop
            raise IllegalDataAddressError(
                detail=f"address {first} is not in {self._start}..{self._stop - 1}"
            )
        start = self._start
        return self._words[(address - start) << 1 : (stop - start) << 1].tobytes()

    _load = read_registers

    def _store(self, address: int, data: bytes) -> None:
        at = (address - self._start) << 1
        end = at + len(data)
        if at < 0 or end > len(self._words):
            self._load(address, len(data) >> 1)  # raises the error
        self._words[at:end] = data

    def _addresses(self) -> Collection[int]:
        return range(self._start, self._stop)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._start}..{self._stop - 1}>"

    # A memoryview can be neither copied nor pickled.
    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_words": bytearray(self._words)}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._words = memoryview(self._words)


class SparseBlock(MemoryBlock):
    """Values at any addresses, `{address: value}`; see `MemoryBlock` for the rules.

    A request with an address that does not exist is refused as a whole. The owner adds addresses
    with `block[address] = value` and removes them with `del block[address]`; `reset()` undoes that,
    too. Raises ValueError for an address or a value that is not 0..65535.
    """

    plain_reads = True

    @explained
    def __init__(
        self,
        values: Mapping[int, int],
        *,
        on_write: OnWrite | None = None,
        read_only: ReadOnly = False,
        allowed: Allowed | None = None,
    ) -> None:
        super().__init__(on_write, read_only, allowed)
        if not isinstance(values, Mapping):
            raise TypeError(
                f"values must map addresses to values, such as {{5: 0}}, got {values!r}"
            )
        for address, value in values.items():
            if not 0 <= address < ADDRESSES:
                raise ValueError(f"addresses must be 0..65535, got {address}")
            check_value(value, address)
        self._values = dict(values)
        self._initial = dict(values)

    def _load(self, address: int, count: int) -> bytes:
        values = self._values
        try:
            found = [values[at] for at in range(address, address + count)]
        except KeyError as error:
            raise IllegalDataAddressError(
                detail=f"address {error.args[0]} is not in the block"
            ) from None
        return struct.pack(f">{count}H", *found)

    def _store(self, address: int, data: bytes) -> None:
        self._load(address, len(data) >> 1)
        self._values.update(enumerate(unpack_words(data), address))

    def _make_room(self, address: int, count: int) -> None:
        if not 0 <= address <= ADDRESSES - count:
            raise IndexError(f"addresses must be 0..65535, got {address} + {count}")
        for at in range(address, address + count):
            self._values.setdefault(at, 0)

    def reset(self) -> None:
        self._values = dict(self._initial)

    def __delitem__(self, address: int) -> None:
        try:
            del self._values[address]
        except KeyError:
            raise IndexError(f"address {address} is not in the block") from None

    def _addresses(self) -> Collection[int]:
        return self._values


class Datastore:
    """The four tables of a device (section 4.3), each a block, or None if no address exists.

    The same block may be used for several tables, and in several units: a coil is then ON if the
    register is not 0, and writing a coil sets the register to 1 or 0.
    """

    def __init__(
        self,
        coils: Block | None = None,
        discrete_inputs: Block | None = None,
        holding_registers: Block | None = None,
        input_registers: Block | None = None,
    ) -> None:
        self.coils = _table("coils", coils)
        self.discrete_inputs = _table("discrete_inputs", discrete_inputs)
        self.holding_registers = _table("holding_registers", holding_registers)
        self.input_registers = _table("input_registers", input_registers)

    def reset(self) -> None:
        """Set the values of all four tables back to those that their blocks were made with.

        Raises NotImplementedError for a block of your own that does not define `reset`.
        """
        tables = self.coils, self.discrete_inputs, self.holding_registers, self.input_registers
        for block in dict.fromkeys(tables):
            block.reset()

    def __repr__(self) -> str:
        tables: dict[str, object] = {name: getattr(self, name) for name in TABLES}
        shown = [
            f"{name}={block!r}"
            for name, block in tables.items()
            if not isinstance(block, MissingTable)
        ]
        return f"<{type(self).__name__} {', '.join(shown) or 'without tables'}>"


def _table(name: str, block: Block | None) -> Block:
    return MissingTable(name) if block is None else check_block(name, block, ", or None")

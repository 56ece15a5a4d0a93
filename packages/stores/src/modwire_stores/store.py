"""Base classes of the stores: `Store`, a database, and `StoreBlock`, a table in it.

While a store cannot be reached, requests get exception 04. Each outage is logged once, under
"modwire.stores", and at most one a minute; the next request tries again.
"""

from __future__ import annotations

import sys
from _thread import allocate_lock
from collections.abc import Callable, Iterable, Sequence
from time import monotonic
from typing import TYPE_CHECKING, TypeVar, overload

from modwire import Block, IllegalDataAddressError, ServerDeviceFailureError, Unit
from modwire.units.unit import Waits

if TYPE_CHECKING:
    from _thread import LockType
    from types import TracebackType

    from typing_extensions import Self

T = TypeVar("T")

ALL_ADDRESSES = range(0x10000)
TIMEOUT = 3.0  # seconds
_LONGEST = 1e6  # seconds
# Seconds between two log entries about outages: of a full disk, each read would end the outage, and
# the next write would begin another.
_QUIET = 60.0


class Store:
    """A database in which blocks keep their values; may be used from any thread.

    `is_down` is True if the last request did not reach it. `name` is its name in logs and errors,
    without a password. `is_cooperative` is True if it waits without blocking gevent's hub, because
    gevent has patched the modules with which it waits.
    """

    def __init__(self, name: str, *, is_cooperative: bool = False) -> None:
        self.name = name
        self.is_down = False
        self.is_cooperative = is_cooperative
        self._lock = thread_lock()
        self._is_logged = False  # the outage
        self._quiet_until = 0.0

    def run(self, operation: Callable[[], T]) -> T:
        """Return the result of `operation()`.

        Raises ServerDeviceFailureError if the store cannot be reached; even then a write may have
        been done. Other errors, such as a key of another type, are raised unchanged: a server
        answers them with exception 04 and logs them.
        """
        try:
            result = operation()
        except Exception as error:
            self._failed(error)
            if not self._is_outage(error):
                raise
            reason = self._reason(error)
            self._went_down(reason)
            raise ServerDeviceFailureError(detail=f"{self.name} failed: {reason}") from error
        if self.is_down:
            self._came_back()
        return result

    def _is_outage(self, error: Exception) -> bool:
        """Return True if `error` means that the store is down, not that the request is wrong."""
        raise NotImplementedError

    def _reason(self, error: Exception) -> str:
        """Return `error` as one line of text."""
        return " ".join(str(error).split())

    def _failed(self, error: Exception) -> None:
        """Prepare the next request; called after each failure."""

    def _went_down(self, reason: str) -> None:
        now = monotonic()
        with self._lock:
            self.is_down = True
            # Once per outage: a busy server would fill the log.
            if self._is_logged or now < self._quiet_until:
                return
            self._is_logged = True
            self._quiet_until = now + _QUIET
        # Imported here because that takes time, and most servers never need it.
        from logging import getLogger

        logger = getLogger("modwire.stores")
        logger.error("%s is down, requests get exception 04: %s", self.name, reason)

    def _came_back(self) -> None:
        with self._lock:
            is_logged = self._is_logged
            self.is_down = self._is_logged = False
        if is_logged:
            from logging import getLogger

            getLogger("modwire.stores").warning("%s is back", self.name)

    def close(self) -> None:
        """Close the connections that the store has opened; the next request opens new ones."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}, {'down' if self.is_down else 'up'}>"


class StoreBlock(Block):
    """A table in a store: the base of `RedisBlock` and `SqlBlock`.

    `addresses` are the existing addresses, a range with step 1 within 0..65535. A value that was
    never written is 0. Each request, functions 22 and 23 too, is one atomic statement, even if
    other processes use the same store. `reset()` sets all values to 0, also in one statement.

    The owner reads and writes integers by `block[address]` and `block[first:stop]`. These raise
    IndexError for an address that does not exist, and ServerDeviceFailureError if the store is
    down.

    A unit of your own with such a block needs `blocking=True`. For gevent's servers set its
    `waits` to `Waits.LOOP` if `store.is_cooperative` is true.
    """

    def __init__(self, store: Store, addresses: range) -> None:
        if not isinstance(addresses, range) or addresses.step != 1 or not addresses:
            raise ValueError(f"addresses must be a range with step 1, got {addresses!r}")
        if addresses.start < 0 or addresses.stop > len(ALL_ADDRESSES):
            raise ValueError(f"addresses must be in 0..65535, got {addresses!r}")
        self.store = store
        self.addresses = addresses

    # A subclass defines these: each is atomic, and gets only addresses that exist.

    def _get(self, address: int, count: int) -> Sequence[int]:
        """Return the `count` values from `address` on."""
        raise NotImplementedError

    def _put(self, address: int, values: Sequence[int]) -> None:
        """Write `values` from `address` on."""
        raise NotImplementedError

    def _mask(self, address: int, keep: int, add: int) -> None:
        """Change one value to (value AND keep) OR add."""
        raise NotImplementedError

    def _clear(self) -> None:
        """Set all values to 0."""
        raise NotImplementedError

    def _put_and_get(
        self, write_address: int, values: Sequence[int], read_address: int, read_count: int
    ) -> Sequence[int]:
        """Do `_put`, then `_get`, as one transaction."""
        raise NotImplementedError

    # Requests call these.

    def ranges(self) -> Sequence[range]:
        return [self.addresses]

    def read(self, address: int, count: int) -> Sequence[int]:
        self.check(address, count)
        return self.store.run(lambda: self._get(address, count))

    def write(self, address: int, values: Sequence[int]) -> None:
        self.check(address, len(values))
        self.store.run(lambda: self._put(address, values))

    def check(self, address: int, count: int) -> None:
        exist = self.addresses
        if address < exist.start or address + count > exist.stop:
            first = address if address not in exist else exist.stop
            raise IllegalDataAddressError(
                detail=f"address {first} is not in {exist.start}..{exist.stop - 1}"
            )

    def check_write(self, address: int, count: int) -> None:
        self.check(address, count)

    def mask_write(self, address: int, and_mask: int, or_mask: int) -> None:
        self.check(address, 1)
        add = or_mask & ~and_mask & 0xFFFF
        self.store.run(lambda: self._mask(address, and_mask, add))

    def write_read_registers(
        self, write_address: int, data: bytes, read_address: int, read_count: int
    ) -> bytes:
        values = _words(data)
        self.check_write(write_address, len(values))
        self.check(read_address, read_count)
        found = self.store.run(
            lambda: self._put_and_get(write_address, values, read_address, read_count)
        )
        return b"".join([value.to_bytes(2, "big") for value in found])

    # The owner calls these.

    def reset(self) -> None:
        self.store.run(self._clear)

    @overload
    def __getitem__(self, addresses: int) -> int: ...
    @overload
    def __getitem__(self, addresses: slice) -> tuple[int, ...]: ...
    def __getitem__(self, addresses: int | slice) -> int | tuple[int, ...]:
        address, count = self._span(addresses)
        if not isinstance(addresses, slice):
            return self.store.run(lambda: self._get(address, 1))[0]
        return tuple(self.store.run(lambda: self._get(address, count))) if count else ()

    @overload
    def __setitem__(self, addresses: int, values: int) -> None: ...
    @overload
    def __setitem__(self, addresses: slice, values: Iterable[int]) -> None: ...
    def __setitem__(self, addresses: int | slice, values: int | Iterable[int]) -> None:
        address, count = self._span(addresses)
        new = tuple(values) if isinstance(values, Iterable) else (values,)
        if len(new) != count:
            raise ValueError(f"values must be {count} for {addresses}, got {len(new)}")
        for at, value in enumerate(new, address):
            if not isinstance(value, int) or not 0 <= value <= 0xFFFF:
                raise ValueError(f"value at address {at} must be 0..65535, got {value!r}")
        if count:
            self.store.run(lambda: self._put(address, new))

    def _span(self, addresses: int | slice) -> tuple[int, int]:
        """Return the first address and the count; raises IndexError unless all exist."""
        if isinstance(addresses, slice):
            start, stop = addresses.start, addresses.stop
            if addresses.step not in (None, 1) or start is None or stop is None or start > stop:
                raise IndexError(f"a slice must be [first address:stop], got {addresses}")
            address, count = int(start), int(stop) - int(start)
        else:
            address, count = addresses, 1
        try:
            self.check(address, count)
        except IllegalDataAddressError as error:
            raise IndexError(error.detail) from None
        return address, count

    def __len__(self) -> int:
        return len(self.addresses)

    def __contains__(self, address: object) -> bool:
        return address in self.addresses

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} addresses in {self.store.name}>"


class StoreUnit(Unit):
    """A unit whose four tables are in one store. It blocks. `close` or `with` closes the store.

    `identity`, `server_id` and the like are attributes; they stay in this process, as do the
    counters.
    """

    def __init__(
        self,
        store: Store,
        coils: Block,
        discrete_inputs: Block,
        holding_registers: Block,
        input_registers: Block,
    ) -> None:
        super().__init__(coils, discrete_inputs, holding_registers, input_registers, blocking=True)
        self.store = store
        # A connection that gevent has patched must stay in the thread that has opened it.
        self.waits = Waits.LOOP if store.is_cooperative else Waits.THREAD

    @classmethod
    def in_store(cls, store: Store, block: Callable[[str], Block]) -> StoreUnit:
        """Return a unit; `block` makes the block of each table from the table's name."""
        return cls(
            store,
            coils=block("coils"),
            discrete_inputs=block("discrete_inputs"),
            holding_registers=block("holding_registers"),
            input_registers=block("input_registers"),
        )

    def __repr__(self) -> str:
        return f"<StoreUnit in {self.store!r}>"

    def close(self) -> None:
        """Close the connections of the store."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def is_patched(module: str) -> bool:
    """Return True if gevent has patched this module of the standard library."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched(module))


def thread_lock() -> LockType:
    """Return a lock for threads.

    With gevent's patches, locks of `threading` are for greenlets: a thread that waits for one
    which another thread holds may wait for ever.
    """
    if not is_patched("_thread"):
        return allocate_lock()
    from gevent.monkey import get_original

    lock: LockType = get_original("_thread", "allocate_lock")()
    return lock


def check_timeout(timeout: float) -> None:
    """Raise ValueError unless `timeout` is more than 0 and at most 1e6 seconds."""
    # Its milliseconds must fit into an int of C, or SQLite and PostgreSQL would not wait at all.
    if not isinstance(timeout, (int, float)) or not 0 < timeout <= _LONGEST:
        raise ValueError(f"timeout must be more than 0 seconds, at most 1e6, got {timeout!r}")


def _words(data: bytes) -> tuple[int, ...]:
    return tuple([data[at] << 8 | data[at + 1] for at in range(0, len(data), 2)])

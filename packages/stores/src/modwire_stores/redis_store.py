"""`RedisBlock`: a table as one Redis string, which other programs can read and write too.

Register n is the result of `BITFIELD key GET u16 #n`, and coil n that of `GETBIT key n`. Each
request is one command, one transaction or one script: a single round trip.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack, unpack
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qs, urlsplit

from modwire.units.tables import BIT_TABLES

from .store import ALL_ADDRESSES, TIMEOUT, Store, StoreBlock, StoreUnit, check_timeout, is_patched

if TYPE_CHECKING:
    from types import TracebackType

    from redis import Redis
    from typing_extensions import Self

_CHUNK = 63  # bits: the widest unsigned field of BITFIELD
# Answers of a Redis that is up and cannot do its work: the disk or the memory is full, it is a
# replica, or has lost its own.
_REFUSALS = ("MISCONF", "OOM", "READONLY", "NOREPLICAS", "MASTERDOWN", "CLUSTERDOWN")

# Function 22. Arguments: the type of the field, its place, the bits to keep, the bits to add.
_MASK = """
local old = redis.call('BITFIELD', KEYS[1], 'GET', ARGV[1], ARGV[2])[1]
local new = bit.bor(bit.band(old, tonumber(ARGV[3])), tonumber(ARGV[4]))
if ARGV[1] == 'u1' and new ~= 0 then new = 1 end
redis.call('BITFIELD', KEYS[1], 'SET', ARGV[1], ARGV[2], new)
"""


class LostValuesError(Exception):
    """Raised once if a key is shorter than it was: it was deleted, or Redis began anew without it.

    The values that clients have written are gone then, and would read as 0.
    """


class _Commands(Protocol):
    """The methods of a Redis client that are used here; redis-py has no types for them."""

    def execute_command(self, *command: str | int | bytes) -> object: ...
    def pipeline(self, transaction: bool = True) -> _Transaction: ...


class _Transaction(Protocol):
    """The methods of a pipeline that are used here."""

    def execute_command(self, *command: str | int | bytes) -> object: ...
    def execute(self) -> Sequence[object]: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...


class RedisStore(Store):
    """A Redis server, for any number of blocks.

    `redis` is a URL such as "redis://:password@host:6379/0" or "unix:///run/redis.sock", or a
    `redis.Redis` of your own with its own timeouts, which is not closed here. It must not decode
    responses, and should not retry: a write that is sent twice may undo a write of another client
    in between.

    `timeout` limits how many seconds a request waits for Redis. Needs the extra `redis`.
    Acknowledged writes survive a crash of Redis if it has `appendfsync always`.

    Raises ValueError for a wrong URL, option or timeout, TypeError for another kind of `redis`, and
    ImportError without redis-py.
    """

    def __init__(self, redis: str | Redis, *, timeout: float = TIMEOUT) -> None:
        check_timeout(timeout)
        try:
            from redis import ConnectionError as RedisConnectionError
            from redis import Redis, RedisError, ResponseError
            from redis import TimeoutError as RedisTimeoutError
            from redis.backoff import NoBackoff
            from redis.exceptions import (
                ClusterDownError,
                MasterDownError,
                OutOfMemoryError,
                ReadOnlyError,
            )
            from redis.retry import Retry
        except ImportError as error:
            raise ImportError('Redis needs: pip install "modwire-stores[redis]"') from error
        refusals = (ClusterDownError, MasterDownError, OutOfMemoryError, ReadOnlyError)
        self._outages = (
            RedisConnectionError,
            RedisTimeoutError,
            OSError,
            *refusals,
            LostValuesError,
        )
        self._response_error = ResponseError
        self._is_own = isinstance(redis, str)
        if isinstance(redis, str):
            _check_url(redis)
            redis = Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
                redis,
                socket_timeout=timeout,
                socket_connect_timeout=timeout,
                retry=Retry(NoBackoff(), 0),
                protocol=2,
            )
        if not isinstance(redis, Redis):
            raise TypeError(f"redis must be a URL or a redis.Redis, got {type(redis).__name__}")
        pool = redis.connection_pool
        settings = pool.connection_kwargs
        if self._is_own:
            try:
                pool.connection_class(**settings)  # checks the options, and opens nothing
            except (LookupError, RedisError, TypeError, ValueError) as error:
                raise ValueError(f"the URL of Redis has a wrong option: {error}") from None
        self.redis = redis
        self.commands: _Commands = redis
        if settings.get("decode_responses"):
            raise ValueError("redis must not have decode_responses: the values are bytes")
        if "path" in settings:
            place = f"{settings['path']}"
        else:
            place = f"{settings.get('host', 'localhost')}:{settings.get('port', 6379)}"
        super().__init__(
            f"Redis at {place}/{settings.get('db') or 0}", is_cooperative=is_patched("socket")
        )
        self.mask_script = redis.register_script(_MASK)

    def _is_outage(self, error: Exception) -> bool:
        if isinstance(error, self._outages):
            return True
        # Not all have a class, and a transaction or a script adds its own words.
        text = str(error) if isinstance(error, self._response_error) else ""
        return any(refusal in text for refusal in _REFUSALS)

    def close(self) -> None:
        if self._is_own:
            self.redis.close()


class RedisBlock(StoreBlock):
    """The string at `key`: registers, or coils of one bit each if `bits`. See `StoreBlock`.

    The place in the string follows from the address alone, so registers 40000..40009 take 80 kB.
    Raises ValueError for an empty key or wrong `addresses`.
    """

    store: RedisStore

    def __init__(
        self,
        store: RedisStore,
        key: str,
        *,
        bits: bool = False,
        addresses: range = ALL_ADDRESSES,
    ) -> None:
        super().__init__(store, addresses)
        if not isinstance(key, str) or not key:
            raise ValueError(f"key must be a string with a character at least, got {key!r}")
        self.key = key
        self.bits = bits
        self._known_size = 0  # of the string, in bytes; nothing makes it shorter

    def _get(self, address: int, count: int) -> Sequence[int]:
        known = self._known_size
        reply = self.store.commands.execute_command(*self._read(address, count))
        return self._values(reply, address, count, known)

    def _put(self, address: int, values: Sequence[int]) -> None:
        known = self._known_size
        reply = self.store.commands.execute_command(*self._write(address, values))
        self._written(reply, address, len(values), known)

    def _mask(self, address: int, keep: int, add: int) -> None:
        field = "u1" if self.bits else "u16"
        self.store.mask_script(keys=[self.key], args=[field, f"#{address}", keep, add])

    def _clear(self) -> None:
        # The key is kept: if it were deleted, other processes would take its values for lost.
        self._put(self.addresses.start, [0] * len(self.addresses))

    def _put_and_get(
        self, write_address: int, values: Sequence[int], read_address: int, read_count: int
    ) -> Sequence[int]:
        known = self._known_size
        with self.store.commands.pipeline(transaction=True) as transaction:
            transaction.execute_command(*self._write(write_address, values))
            transaction.execute_command(*self._read(read_address, read_count))
            replies = transaction.execute()
        self._written(replies[0], write_address, len(values), known)
        return self._values(replies[-1], read_address, read_count, known)

    # Commands.

    def _read(self, address: int, count: int) -> tuple[str | int, ...]:
        if self.bits:
            return "GETRANGE", self.key, address >> 3, (address + count - 1) >> 3
        return "GETRANGE", self.key, address << 1, ((address + count) << 1) - 1

    def _values(self, reply: object, address: int, count: int, known: int) -> Sequence[int]:
        """Return the values in the answer to `_read`; values after its end were never written.

        `known` is the size of the string that was known when the command was sent: since then,
        another thread may have made it longer.
        """
        if not isinstance(reply, bytes):
            raise TypeError(f"Redis must give bytes, got {reply!r}")
        first, stop = self._place(address, count)
        if len(reply) < min(known, stop) - first:
            raise self._lost(known)
        if reply:
            self._known_size = max(self._known_size, first + len(reply))
        if not self.bits:
            return unpack(f">{count}H", reply.ljust(count << 1, b"\0"))
        skipped = address & 7
        size = (skipped + count + 7) >> 3
        # An extra bit on top keeps the leading zeros; "0b1" is cut off again.
        digits = bin(1 << (size << 3) | int.from_bytes(reply.ljust(size, b"\0"), "big"))[3:]
        return [int(digit) for digit in digits[skipped : skipped + count]]

    def _written(self, reply: object, address: int, count: int, known: int) -> None:
        """Check the answer to `_write`: of registers, it is the size of the string."""
        if isinstance(reply, int) and reply < known:
            raise self._lost(known)
        self._known_size = max(self._known_size, self._place(address, count)[1])

    def _place(self, address: int, count: int) -> tuple[int, int]:
        """Return the first byte of some values, and the one behind the last."""
        if self.bits:
            return address >> 3, (address + count + 7) >> 3
        return address << 1, (address + count) << 1

    def _lost(self, known: int) -> LostValuesError:
        self._known_size = 0  # the next request uses what is there
        return LostValuesError(f"values of {self.key} are lost: it had {known} bytes")

    def _write(self, address: int, values: Sequence[int]) -> tuple[str | int | bytes, ...]:
        if not self.bits:
            return "SETRANGE", self.key, address << 1, pack(f">{len(values)}H", *values)
        command: list[str | int | bytes] = ["BITFIELD", self.key]
        digits = "".join(["1" if value else "0" for value in values])
        for at in range(0, len(digits), _CHUNK):
            chunk = digits[at : at + _CHUNK]
            command += ["SET", f"u{len(chunk)}", address + at, int(chunk, 2)]
        return tuple(command)


def redis_unit(
    redis: str | Redis,
    prefix: str,
    *,
    addresses: range = ALL_ADDRESSES,
    timeout: float = TIMEOUT,
) -> StoreUnit:
    """Return a unit in Redis; its keys are `prefix` with ":coils", ":discrete_inputs" and so on.

    `redis` and `timeout` (seconds) are those of `RedisStore`, which also lists the exceptions.
    Each table has `addresses`. Redis need not be up yet.
    """
    if not isinstance(prefix, str) or not prefix:
        raise ValueError(f"prefix must be a string with a character at least, got {prefix!r}")
    store = RedisStore(redis, timeout=timeout)

    def block(table: str) -> RedisBlock:
        is_bits = table in BIT_TABLES
        return RedisBlock(store, f"{prefix}:{table}", bits=is_bits, addresses=addresses)

    return StoreUnit.in_store(store, block)


def _check_url(url: str) -> None:
    """Raise ValueError, without the password, for a URL that redis-py refuses or misreads."""
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss", "unix"):
        kind = f"{parts.scheme}://" if "://" in url else "no scheme"
        raise ValueError(
            f"redis must be a URL, redis://host:6379/0, rediss:// or unix:///path, got {kind}"
        )
    try:
        parts.port  # noqa: B018 - reading it checks it
    except ValueError:
        raise ValueError("the port in the URL of Redis must be 0..65535") from None
    database = parse_qs(parts.query).get("db", [""])[0]
    if not database and parts.scheme != "unix":
        database = parts.path.strip("/")
    if database and not database.isdecimal():
        raise ValueError(f"the database in the URL of Redis must be a number, got {database!r}")

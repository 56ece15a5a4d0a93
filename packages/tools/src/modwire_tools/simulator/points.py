"""`LivePoint`: a named value of a running unit, stored in its table or computed on each read."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from modwire.values import bcd_of, bits_of, optional, scaled, string_of
from modwire.values.building import decode_value, encode_value
from modwire.values.orders import Order, find_order
from modwire.values.types import ValueType, find_type

from .behaviours import Source, as_number
from .devices import PointSpec

INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
FLOATS = ("float16", "float32", "float64")
TYPES = ("bool", *INTEGERS, *FLOATS, "string", "bcd", "bits", "bit")
"""The types of points: "bool" for coils and discrete inputs, the others for registers."""


_CODES = dict(zip((*INTEGERS, *FLOATS), "bBhHiIqQefd", strict=True))


class Codec:
    """Converts a point's value to registers or bits, and back; one codec serves many devices.

    Raises ValueError, which says what is allowed, if the type does not fit the table.
    """

    def __init__(self, spec: PointSpec) -> None:
        self._kind: ValueType[Any] | None = None
        self._order: Order = find_order(None, None, spec.order)  # type: ignore[arg-type]
        self._bit: int | None = None  # of a register
        self._is_integer = False
        self._limits: tuple[float, float] | None = None  # of the scaled value
        # Faster for computed numbers: a device may have hundreds of them.
        self._pack: Callable[..., None] | None = None
        self._pack_raw: Callable[..., None] | None = None
        self._raw: tuple[float, float, int, int] = (0.0, 1.0, 0, 0)
        if spec.place.has_bits:
            if spec.type != "bool":
                raise ValueError(f'type must be "bool" in {spec.place.table}, got {spec.type!r}')
            self.size = 1
        elif spec.type == "bit":
            self._take_bit(spec)
        else:
            self._kind = self._find(spec)
            self.size = self._kind.register_count
        self._words = struct.Struct(f">{self.size}H")

    def _take_bit(self, spec: PointSpec) -> None:
        """Become the codec of one bit of a register."""
        if not 0 <= spec.bit <= 15:
            raise ValueError(f"bit must be 0..15, got {spec.bit}")
        if spec.scale != 1.0 or spec.offset or spec.order != "ABCD":
            raise ValueError("a bit has no scale, no offset and no order")
        self._bit = spec.bit
        self.size = 1

    def _find(self, spec: PointSpec) -> ValueType[Any]:
        name, scale, offset = spec.type, spec.scale, spec.offset
        if name not in TYPES or name == "bool":
            raise ValueError(f"type must be one of {', '.join(TYPES[1:])}, got {name!r}")
        is_plain = scale == 1.0 and not offset
        if name in FLOATS:
            base = find_type(name)
            if is_plain and spec.order == "ABCD":
                self._pack = struct.Struct(f">{_CODES[name]}").pack_into
            return base if is_plain else scaled(base, scale, offset)
        if name in INTEGERS:
            base = find_type(name)
            bits = int(name.lstrip("uint"))
            low, high = (0, (1 << bits) - 1)
            if name[0] == "i":
                low, high = -(1 << bits - 1), (1 << bits - 1) - 1
        elif name == "bcd":
            base = bcd_of(spec.size)
            low, high = 0, 10**spec.size - 1
        elif not is_plain:
            raise ValueError(f"a {name} has no scale and no offset")
        else:
            return string_of(spec.size) if name == "string" else bits_of(spec.size)
        self._is_integer = is_plain
        if name in INTEGERS and spec.order == "ABCD" and base.size > 1 and scale:
            self._pack_raw = struct.Struct(f">{_CODES[name]}").pack_into
            self._raw = (offset, 1 / scale, low, high)
        kind: ValueType[Any] = base if is_plain else scaled(base, scale, offset)
        self._limits = (low, high)
        if not is_plain:
            ends = sorted((low * scale + offset, high * scale + offset))
            self._limits = (ends[0], ends[1])
        return kind

    def check_none(self, none: Sequence[int | float]) -> None:
        """Raise ValueError if the raw values `none` cannot be those of the type."""
        if none and self._kind is None:
            raise ValueError("a bit has no value that stands for none")
        if none and self._kind is not None:
            optional(self._kind, none)

    def encode(self, value: object) -> Sequence[int]:
        """Return the registers or bits of `value`; raises ValueError."""
        if self._kind is None:
            if value not in (0, 1):
                raise ValueError(f"a bit must be true or false, got {value!r}")
            return (int(bool(value)) << (self._bit or 0),)
        if self._is_integer and isinstance(value, float) and value.is_integer():
            value = int(value)
        return encode_value(self._kind, value, self._order)

    def limited(self, value: object) -> object:
        """Return a computed value within the range of the type, but not rounded.

        Points that use others would else multiply them to numbers without end.
        """
        if self._kind is None:
            return bool(value)
        if self._limits is not None and isinstance(value, (int, float)):
            low, high = self._limits
            return low if value < low else high if value > high else value
        return value

    def store_living(self, value: object, words: bytearray, at: int) -> None:
        """Store a computed value, rounded and limited to the range of the type."""
        if self._kind is None:
            self.store(self.encode(bool(value)), words, at)
            return
        if self._pack is not None:
            self._pack(words, at, value)
            return
        if self._pack_raw is not None and isinstance(value, (int, float)):
            offset, factor, least, most = self._raw
            raw = round((value - offset) * factor)
            self._pack_raw(words, at, least if raw < least else most if raw > most else raw)
            return
        if self._limits is not None:
            number = as_number(value)
            if number is None:
                raise ValueError(f"a number must be finite, got {value!r}")
            low, high = self._limits
            number = low if number < low else high if number > high else number
            value = round(number) if self._is_integer else number
        self.store(encode_value(self._kind, value, self._order), words, at)

    def store(self, items: Sequence[int], words: bytearray, at: int) -> None:
        """Store registers or bits at byte `at`; one bit of a register leaves the others."""
        if self._bit is not None:
            (old,), mask = self._words.unpack_from(words, at), 1 << self._bit
            items = (old & ~mask | items[0] & mask,)
        self._words.pack_into(words, at, *items)

    def load(self, words: bytearray, at: int) -> Sequence[int]:
        """Return the registers or bits at byte `at`."""
        return self._words.unpack_from(words, at)

    def decode(self, items: Sequence[int]) -> object:
        """Return the value in registers or bits; raises ValueError if they hold no valid value."""
        if self._kind is None:
            return bool(items[0] >> (self._bit or 0) & 1)
        found: object = decode_value(self._kind, items, self._order)
        return list(found) if isinstance(found, tuple) else found  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


class LivePoint:
    """A point of a running unit.

    Its registers or bits are in `words`, big-endian from byte `at` on. `source` is None for a
    constant value. Times are seconds of the device's time.
    """

    __slots__ = (
        "_at",
        "_computed",
        "_is_computing",
        "_last",
        "_words",
        "codec",
        "held",
        "source",
        "spec",
    )

    def __init__(
        self, spec: PointSpec, codec: Codec, source: Source | None, words: bytearray, at: int
    ) -> None:
        self.spec = spec
        self.codec = codec
        self.source = source
        self.held = False
        self._words = words
        self._at = at
        self._computed = -math.inf
        self._is_computing = False
        self._last: object = None

    def restart(self, source: Source | None) -> None:
        """Begin again with a new source, and hold the value no longer."""
        self.source = source
        self.held = False
        self._computed = -math.inf
        self._last = None

    def refresh(self, time: float) -> None:
        """Compute the value for `time`, and store it."""
        source = self.source
        if source is None or self.held or time <= self._computed or self._is_computing:
            return
        self._is_computing = True  # two points that need each other must not recurse for ever
        try:
            value = source.value(time)
            self._computed = time
            self.codec.store_living(value, self._words, self._at)
            self._last = value
        except (ArithmeticError, TypeError, ValueError, RecursionError, struct.error):
            pass  # without a new value, the point keeps the earlier one
        finally:
            self._is_computing = False

    def value(self, time: float) -> object:
        """Return the value in the table at `time`; None if the registers hold no valid value."""
        self.refresh(time)
        try:
            return self._decode()
        except ValueError:
            return None

    def _decode(self) -> object:
        return self.codec.decode(self.codec.load(self._words, self._at))

    def exact(self, time: float) -> object:
        """Return the value at `time`, before it was rounded for the table, but in its range."""
        self.refresh(time)
        if self.source is None or self.held or self._last is None:
            return self.value(time)
        return self.codec.limited(self._last)

    def set(self, value: object, time: float) -> None:
        """Set the value as the owner; raises ValueError. A changing one continues or is held."""
        try:
            items = self.codec.encode(value)
        except ValueError as error:
            raise ValueError(f"{self.spec.name}: {error}") from None
        self.codec.store(items, self._words, self._at)
        self.written(time)

    def written(self, time: float) -> None:
        """Continue from the written value in the table; hold it if that is impossible."""
        if self.source is None:
            return
        try:
            value = self._decode()
        except ValueError:
            value = None
        self._last = value
        self._computed = time
        if value is None or not self.source.resume(value, time):
            self.held = True

    def hold(self, held: bool, time: float) -> None:
        """Hold the value, or release it: then it continues from there if its behaviour can."""
        if self.source is None:
            if held:
                raise ValueError(f"{self.spec.name} is constant, so it cannot be held")
            return
        if held:
            self.refresh(time)
        elif self.held:
            with suppress(ValueError):
                self.source.resume(self._decode(), time)
            self._computed = -math.inf
        self.held = held

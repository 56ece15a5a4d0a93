"""`RegisterPoint` and `ScaledPoint`: the points in whole registers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeVar

from .. import values
from ..arguments import did_you_mean
from ..errors import InvalidResponseError
from ..planner import Span
from ..values.building import decode_value, encode_value
from ..values.orders import ABCD, Order, Ordering, find_order
from ..values.types import ValueType
from .image import AnyPoint
from .points import Point

if TYPE_CHECKING:
    from ..values.missing import Nones
    from .image import Image

T = TypeVar("T")
# SunSpec allows scale factors of -10..10, and the prefixes of SI end at 24.
_MOST_FACTOR = 24
_OF_SOME = ("scale", "offset", "none")  # arguments that the points of some kinds have


class Place(Ordering, total=False):
    """The keyword arguments of all points in registers.

    Exactly one of `holding` and `input` is needed: the address of the first register on the wire,
    0..65535. It counts from 0: where a manual has 40001, write `holding=0`, or
    `holding=reference(40001).address`. `unit` is the unit of measurement, only for display.
    `byte_order`, `word_order`, `numbers_only` and `order` are those of `modwire.values`, by
    default those of the map.
    """

    holding: int
    input: int
    unit: str


class RegisterPoint(Point[T]):
    """A point in whole registers; unless `place` sets the order, it is that of the map."""

    def __init__(self, kind: ValueType[T], place: Place, *, is_integer: bool = False) -> None:
        for name in place.keys() - Place.__annotations__.keys():
            allowed = [*Place.__annotations__]
            hint = did_you_mean([*allowed, *_OF_SOME], name) if name not in _OF_SOME else ""
            rest = hint or f"; it has {', '.join(allowed)} and what its kind has"
            raise TypeError(f"a point has no argument {name!r}{rest}")
        self.is_integer = is_integer
        self._place = place
        self._take_order(ABCD)
        super().__init__(
            span_of(kind.register_count, place.get("holding"), place.get("input")),
            lambda items: decode_value(kind, items, self._order),
            lambda value: encode_value(kind, value, self._order),
            unit=place.get("unit", ""),
        )

    def _take_order(self, order: Order) -> None:
        place = self._place
        self._order = find_order(
            place.get("byte_order"),
            place.get("word_order"),
            place.get("order", order),
            place.get("numbers_only"),
        )


class ScaledPoint(RegisterPoint[T]):
    """An integer in registers that is scaled by a power of ten in another register.

    The value is `integer * 10**factor + offset`, and None if the factor is None. `scale` is the
    point of the factor, or its name in the map, which may declare it further below. Only an image
    with the factor can convert values: until it is known, a value that was set waits in the image.
    """

    def __init__(
        self,
        kind: ValueType[int],
        scale: Point[int] | Point[int | None] | str,
        offset: float,
        none: Nones | None,
        place: Place,
    ) -> None:
        self._scale_name = scale if isinstance(scale, str) else ""
        if not isinstance(scale, str):
            self.scale = _checked_scale(scale)
        self._integer = kind
        self._offset = offset
        self._none = none
        self._kinds: dict[int, ValueType[Any]] = {}
        super().__init__(self._kind(0), place)

    def _factor(self) -> RegisterPoint[Any]:
        if self.scale is None:
            raise ValueError(
                f"{self.where} has scale={self._scale_name!r}, the name of another point of its "
                "map: alone it needs the point itself"
            )
        return _checked_scale(self.scale)

    def resolve(self, points: Mapping[str, object], owner: str) -> None:
        """Find the scale factor that has a name; raises ValueError if `points` have none such."""
        if self.scale is None:
            integers = {
                name: each
                for name, each in points.items()
                if isinstance(each, AnyPoint) and each.is_integer
            }
            if self._scale_name not in integers:
                raise ValueError(
                    f"scale of {self.name} must be a number, or an integer point of {owner} that "
                    f"is not scaled itself: {', '.join(integers) or 'it has none'}; "
                    f"got {self._scale_name!r}"
                )
            self.scale = integers[self._scale_name]

    def _kind(self, factor: int) -> ValueType[Any]:
        found = self._kinds.get(factor)
        if found is None:
            if not -_MOST_FACTOR <= factor <= _MOST_FACTOR:
                raise ValueError(
                    f"its scale factor, {self._factor().where}, must be "
                    f"{-_MOST_FACTOR}..{_MOST_FACTOR}, got {factor}"
                )
            scaled = values.scaled(self._integer, 10.0**factor, self._offset)
            found = self._kinds[factor] = with_none(scaled, self._none)
        return found

    def decode(self, items: Sequence[int]) -> T:
        """Return the value of the point's registers, followed by those of the scale factor.

        Raises InvalidResponseError for a factor that is not -24..24.
        """
        factor = self._factor().decode(items[self.span.count :])
        try:
            kind = self._kind(0 if factor is None else factor)
            value: Any = decode_value(kind, items[: self.span.count], self._order)
        except ValueError as error:
            raise InvalidResponseError(f"{self.where}: {error}") from error
        missing: Any = None
        result: T = missing if factor is None else value
        return result

    def encode(self, value: T) -> Sequence[int]:
        """Return the registers of None; raises ValueError for others, which need the factor."""
        if value is not None:
            raise ValueError(
                f"{self.where} depends on its scale factor, {self._factor().where}: "
                "set it in a map, or write it"
            )
        return super().encode(value)

    def value_in(self, image: Image) -> T:
        """Return the value in `image`; raises as reading the attribute of a map does."""
        if self in image.waiting_values:
            kept: Any = image.waiting_values[self]
            value: T = kept
            return value
        return self.decode([*image.raw(self), *image.raw(self._factor())])

    def put(self, image: Image, value: T) -> None:
        """Set the value in `image`, where it waits for the factor if that is unknown.

        Raises ValueError if the value does not fit.
        """
        if value is None:
            super().put(image, value)
        elif image.has_raw(self._factor()):
            self.settle(image, value)
        elif isinstance(value, (int, float)) and isfinite(value):
            image.set_waiting(self, value)
        else:
            raise ValueError(f"{self.where}: value must be a finite number, got {value!r}")

    def settle(self, image: Image, value: object) -> None:
        """Set a value by the scale factor in `image`; raises ValueError if it does not fit."""
        factor = self._factor().value_in(image)
        if factor is None:
            raise ValueError(
                f"{self.where} cannot be set, its scale factor, {self._factor().where}, is None"
            )
        try:
            items = encode_value(self._kind(factor), value, self._order)
        except ValueError as error:
            raise ValueError(f"{self.where}: {error}") from error
        image.set_raw(self, items)


def _checked_scale(scale: object) -> RegisterPoint[Any]:
    if not isinstance(scale, RegisterPoint) or not scale.is_integer:
        raise ValueError(
            "scale must be a number, or a point of an integer that is not scaled itself, such "
            f"as int16(holding=4), got {scale!r}"
        )
    return scale  # pyright: ignore[reportUnknownVariableType]


def with_none(kind: ValueType[Any], none: Nones | None) -> ValueType[Any]:
    """Return `kind`, optional if there are raw values that mean None; raises ValueError."""
    return kind if none is None else values.optional(kind, none)


def span_of(count: int, holding: int | None, input_: int | None) -> Span:
    """Return the span of a point in registers; raises ValueError without one address."""
    if holding is not None and input_ is None:
        return Span("holding_registers", holding, count)
    if input_ is not None and holding is None:
        return Span("input_registers", input_, count)
    raise ValueError(
        "a point must have the address of a register, holding= or input=, "
        f"got {'neither' if holding is None else 'both'}"
    )

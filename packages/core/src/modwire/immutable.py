"""`Immutable`: the base of messages, spans, limits and settings, which never change."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NoReturn, SupportsIndex

if TYPE_CHECKING:
    from typing import TypeAlias

    _State: TypeAlias = "dict[str, object] | None"

# Constructors set their fields with this, because Immutable.__setattr__ refuses to.
set_field = object.__setattr__


class Immutable:
    """A value whose fields are set once, in its constructor.

    `__match_args__` names the arguments of the constructor; equality, hash, repr and `match`
    statements use it. Pickling and copying restore the fields without the constructor.
    """

    __slots__ = ()
    __match_args__: ClassVar[tuple[str, ...]] = ()

    def _values(self) -> tuple[object, ...]:
        return tuple([getattr(self, name) for name in self.__match_args__])

    def _compared(self) -> tuple[object, ...]:
        """Return the values that equality and hash use."""
        return self._values()

    def __setattr__(self, name: str, value: object) -> NoReturn:
        kind = type(self).__name__
        if hasattr(self, "__dict__") and not hasattr(self, name):
            # Only a class of the user, whose constructor sets its first field, comes here.
            raise AttributeError(
                f"{kind} is immutable, {name!r} cannot be set: make {kind} a frozen dataclass, by "
                "@dataclass(frozen=True), whose fields are its arguments"
            )
        raise AttributeError(f"{kind} is immutable, {name!r} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable, {name!r} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other) or not isinstance(other, Immutable):
            return NotImplemented
        return self._compared() == other._compared()

    def __hash__(self) -> int:
        return hash((type(self), self._compared()))

    def __repr__(self) -> str:
        arguments = zip(self.__match_args__, self._values(), strict=True)
        inside = ", ".join(f"{name}={value!r}" for name, value in arguments)
        return f"{type(self).__name__}({inside})"

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[object, ...]:
        # Pickle the fields, because a constructor may refuse values received from a device.
        # Protocols 0 and 1 do not support slots.
        return super().__reduce_ex__(max(int(protocol), 2))

    def __setstate__(self, state: _State | tuple[_State, _State]) -> None:
        for values in state if isinstance(state, tuple) else (state,):
            for name, value in (values or {}).items():
                set_field(self, name, value)

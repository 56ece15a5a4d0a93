"""What a client and a server protocol can be told: plain values, all with a default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .messages.decoder import Decoder

if TYPE_CHECKING:
    from typing_extensions import Self

LONGEST = 1e9  # seconds, some thirty years: what is longer is a mistake


def silent_interval(baudrate: int) -> float:
    """3.5 characters of 11 bits in seconds; 1.75 ms above 19200 baud (Serial Line, 2.5.1.1)."""
    if baudrate <= 0:
        raise ValueError(f"baudrate must be greater than 0, got {baudrate}")
    return 0.00175 if baudrate > 19200 else 38.5 / baudrate


class LineOptions:
    """What client and server options share: times on the line, in seconds.

    `silence` is how long the line must be quiet before a frame is sent on it, and how long it is
    quiet when a frame has ended; `tolerance` is added to the latter, for operating systems and
    USB adapters deliver the bytes of one frame in lumps. Clients over a network raise it to
    0.05, servers raise both to what their link needs. `suppress_echo` drops what the adapter
    hears of its own sending. `decoder` knows the custom functions.
    """

    def __init__(
        self,
        *,
        silence: float = 0.00175,
        tolerance: float = 0.0,
        suppress_echo: bool = False,
        decoder: Decoder | None = None,
    ) -> None:
        self.silence = check_seconds("silence", silence)
        self.tolerance = check_seconds("tolerance", tolerance)
        self.suppress_echo = suppress_echo
        self.decoder = decoder if decoder is not None else Decoder()

    def replace(self, **changes: object) -> Self:
        """A copy with other values for what `changes` names; raises as the constructor does.

        A subclass whose constructor takes other arguments has to override it.
        """
        arguments: dict[str, Any] = {**vars(self), **changes}
        return type(self)(**arguments)


def check_options(options: LineOptions, kind: type[LineOptions]) -> None:
    """Raise TypeError for what are no options of this kind."""
    if not isinstance(options, kind):
        raise TypeError(f"options must be {kind.__name__} or None, got {options!r}")


def check_count(name: str, count: int) -> int:
    """`count`, if it is a number of things: a whole number from 1 on."""
    if not isinstance(count, int) or count < 1:
        raise ValueError(f"{name} must be a whole number, at least 1, got {count!r}")
    return count


def check_seconds(name: str, value: float) -> float:
    """Return `value` if it is a time in seconds, 0..1e9; raise ValueError otherwise."""
    if not isinstance(value, (int, float)) or not 0 <= value <= LONGEST:
        raise ValueError(f"{name} must be at least 0 seconds, at most 1e9, got {value!r}")
    return value


def check_timeout(timeout: float, name: str = "timeout") -> float:
    """`timeout`, if it is a time to wait: more than 0 seconds, and not for ever."""
    if not isinstance(timeout, (int, float)) or not 0 < timeout <= LONGEST:
        raise ValueError(f"{name} must be greater than 0 seconds, at most 1e9, got {timeout!r}")
    return timeout


def check_unit(unit: int) -> int:
    """`unit`, if it is a unit id: 0..255."""
    if not isinstance(unit, int) or not 0 <= unit <= 255:
        raise ValueError(f"unit must be 0..255, got {unit!r}")
    return unit

"""`Interrupts`: Ctrl+C ends a server in order, and a second one ends it at once.

Python raises KeyboardInterrupt wherever the main thread is: in the middle of a unit's write, or
before an answer is sent. So a server that this thread waits for takes the first signal itself.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from typing import TypeAlias

    Handler: TypeAlias = Callable[[int, FrameType | None], object]


class Signals(Protocol):
    """The module `signal`, which the core does not import."""

    @property
    def SIGINT(self) -> int:  # noqa: N802
        raise NotImplementedError

    @property
    def default_int_handler(self) -> Handler:
        raise NotImplementedError

    def getsignal(self, signalnum: int, /) -> object:
        raise NotImplementedError

    def signal(self, signalnum: int, handler: Handler, /) -> object:
        raise NotImplementedError


class Interrupts:
    """A `with` block in which Ctrl+C calls `on_interrupt`; its end raises KeyboardInterrupt then.

    A second Ctrl+C raises KeyboardInterrupt at once. With `passes_on` the first one is passed on
    too, to the handler of an event loop. Otherwise a handler that is not Python's own stays.
    Outside of the main thread, which alone gets signals, the block has no effect.
    """

    def __init__(
        self, signals: Signals, on_interrupt: Callable[[], object], *, passes_on: bool = False
    ) -> None:
        self._signals = signals
        self._on_interrupt = on_interrupt
        self._passes_on = passes_on
        self._has_come = False

    def __enter__(self) -> None:
        signals = self._signals
        handler = signals.getsignal(signals.SIGINT)
        is_default = handler is signals.default_int_handler
        if callable(handler) and (is_default or self._passes_on or handler is _handle):
            try:
                signals.signal(signals.SIGINT, _handle)
            except ValueError:  # not in the main thread
                return
            if handler is not _handle:
                _replaced[:] = [handler]
            _entered.append(self)

    def take(self, number: int, replaced: Handler) -> bool:
        """Handle a signal in place of the handler `replaced`; True if that has to be called too."""
        self._signals.signal(number, replaced)  # for a second one
        self._has_come = not self._passes_on
        self._on_interrupt()
        return self._passes_on

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        signals = self._signals
        if self in _entered:
            _entered.remove(self)
            if not _entered and signals.getsignal(signals.SIGINT) is _handle:
                signals.signal(signals.SIGINT, _replaced[0])
        if self._has_come and error is None:
            raise KeyboardInterrupt


_entered: list[Interrupts] = []  # several servers may wait in one loop
_replaced: list[Handler] = []  # the handler that `_handle` stands for


def _handle(number: int, frame: FrameType | None) -> None:
    entered = _entered.copy()
    _entered.clear()
    passes_on = [each.take(number, _replaced[0]) for each in entered]
    if any(passes_on):
        _replaced[0](number, frame)

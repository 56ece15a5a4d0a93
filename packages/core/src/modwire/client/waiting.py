"""`Waiting`: the callers that wait while another one receives; `Turns` has one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from .exchange import Exchange

if TYPE_CHECKING:
    from collections.abc import Callable

WaiterT = TypeVar("WaiterT")


class Waiting(dict[Exchange[Any], WaiterT]):
    """The waiters of the exchanges whose callers wait, in the order they came.

    A caller is woken first and removed then, so that an interrupt forgets nobody: `wake` may be
    called twice for one waiter.
    """

    def __init__(self, wake: Callable[[WaiterT], object]) -> None:
        super().__init__()
        self._wake = wake

    def wake(self, exchange: Exchange[Any]) -> None:
        """Wake the caller of `exchange`, which waits."""
        self._wake(self[exchange])
        self.pop(exchange, None)

    def wake_done(self) -> None:
        """Wake the callers whose exchange is done."""
        for exchange in [each for each in self if each.done]:
            self.wake(exchange)

    def wake_all(self) -> None:
        """Wake all callers, so that each checks its exchange and deadline."""
        while self:
            self.wake(next(iter(self)))

"""`ThreadTurns`: `Turns` for callers in threads, each of which may be interrupted anywhere.

It takes the locks, and decides what becomes of a link and of the other callers when an exception
from a signal handler has cut a call short. The clients of modwire-sync are built on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..forks import forget_after_fork
from .guard import SLICE, Guard, Lock, is_running, without_collection
from .link import Link
from .turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType

    from ..framing.base import Framing
    from .exchange import Exchange
    from .options import ClientOptions


class ThreadLink(Link):
    """The methods of a link that threads share, in addition to those of `Link`."""

    reader = 0
    """Identity of the thread that receives, or is about to; 0 for none."""
    has_taken = False
    """True if the reader may have taken bytes since it last began to wait for some."""

    def interrupt(self) -> None:
        """Make a receiving thread return soon. The link is unusable afterwards."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the link, while no thread receives; may be called again."""
        raise NotImplementedError

    def forget(self) -> None:
        """Close the descriptors in a forked process; the link of the other process stays open."""
        self.close()


ThreadLinkT = TypeVar("ThreadLinkT", bound=ThreadLink)


class ThreadTurns(Generic[ThreadLinkT]):
    """Callers in threads that share a link; `owner` is the client that they call.

    `clock()` is the time in seconds, monotonic; `get_ident()` the identity of the thread and
    `frames()` the innermost frames of all threads. `new_lock` is as in `Guard`, `new_alarm` makes
    a plain lock; `register_at_fork` is that of `os`, or None. Threads make their calls in functions
    that have the `owner` as `self`.

    - `turns`: the shared state; only `link`, `options` and `may_repeat` may be used without a lock.
    - `guard`: the lock of `turns`; to be taken for each call of its methods.
    - `opening`: the lock of the thread that opens a link, taken before `guard`.
    """

    def __init__(
        self,
        owner: object,
        framing: type[Framing],
        options: ClientOptions,
        name: str,
        *,
        clock: Callable[[], float],
        new_lock: Callable[[], Any],
        new_alarm: Callable[[], Lock],
        get_ident: Callable[[], int],
        frames: Callable[[], Mapping[int, FrameType]],
        register_at_fork: Callable[..., object] | None,
    ) -> None:
        self.turns: Turns[ThreadLinkT, Lock] = Turns(
            name, framing, options, wake=_release, discard=self._discard
        )
        self.guard = Guard(new_lock, self._is_gone)
        self.opening = Guard(new_lock, self._is_gone)
        self._owner = owner
        self._clock = clock
        self._new_alarm = new_alarm
        self._get_ident, self._frames = get_ident, frames
        forget_after_fork(self, type(self).forget, register_at_fork)

    def sleep(self, exchange: Exchange[Any], until: float, me: int) -> None:
        """Wait until woken while another caller receives for all; not longer than `until`."""
        turns, guard = self.turns, self.guard
        alarm = self._new_alarm()
        alarm.acquire()
        guard.take()
        seconds = until - self._clock()
        is_asleep = not exchange.done and turns.receiver not in (None, exchange)
        if is_asleep:
            turns.waiting[exchange] = alarm
        guard.lock.release()
        if is_asleep and not alarm.acquire(True, min(max(seconds, 0.0), SLICE)):
            guard.take()
            turns.waiting.pop(exchange, None)
            receiver = turns.receiver
            if receiver not in (None, exchange) and self._is_gone(receiver.caller):
                turns.restart()
            guard.lock.release()

    def interrupted(
        self, exchange: Exchange[Any] | None, link: ThreadLinkT | None, me: int
    ) -> None:
        """Handle an error; if this caller was interrupted while it waited, the others go on."""
        turns, guard = self.turns, self.guard
        guard.free()
        guard.take()
        if link is not None and link.reader == me and link.has_taken:
            turns.break_off(exchange)  # the bytes are lost
        elif exchange is not None:
            turns.give_up(exchange, self._clock())
        elif turns.is_cut or (turns.receiver is not None and turns.receiver.caller == me):
            turns.restart()
        if link is not None and link.reader == me:
            link.reader = 0
            if link is not turns.link:
                link.close()  # it was dropped while this caller received
        guard.lock.release()

    def opened(self, link: ThreadLinkT, closings: int) -> bool:
        """Use `link`; return False if the client was closed while it was being opened.

        `closings` is the number of closings before.
        """
        turns, guard = self.turns, self.guard
        guard.take()
        is_used = turns.opening.closings == closings and turns.link is None
        if is_used:
            turns.opened(link, self._clock())
        guard.lock.release()
        if not is_used:
            link.close()
        return turns.link is not None

    def close(self) -> None:
        """Drop the link because the client is closed, whatever has happened to callers before."""
        guard = self.guard
        guard.take()
        self.turns.close()
        guard.lock.release()

    def forget(self) -> None:
        """Forget the link after a fork: it is that of the other process."""
        self.guard.renew()
        self.opening.renew()
        link, self.turns.link = self.turns.link, None
        self.turns.restart()
        if link is not None:
            link.forget()

    def _discard(self, link: ThreadLinkT) -> None:
        try:
            if link.reader in (0, self._get_ident()) or self._is_gone(link.reader):
                link.close()
            else:
                link.interrupt()
        except Exception:  # noqa: BLE001 - a lost port may raise any
            return

    def _is_gone(self, thread: Any) -> bool:
        """True if no call of this client runs in `thread`."""
        frames = without_collection(self._frames)
        if self._get_ident() not in frames:
            return False  # the threads are greenlets, by monkey-patching
        return not is_running(frames.get(thread), self._owner)


def _release(alarm: Lock) -> None:
    try:
        alarm.release()
    except RuntimeError:
        return  # it was released before an interrupt

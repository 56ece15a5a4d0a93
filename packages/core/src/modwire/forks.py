"""`forget_after_fork`: objects with descriptors that a forked process must not use.

Clients and servers of all packages register themselves. The core does not import `os`, so they
pass `os.register_at_fork`, which not every system has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable


class Inherited(Protocol):
    """An object that a process inherits from the one that has forked it."""

    def forget(self) -> None:
        """Close the descriptors, in the new process, but do nothing that the other one notices.

        No lock may be taken: a thread that holds it exists only in the other process.
        """
        raise NotImplementedError


_known: WeakSet[Inherited] = WeakSet()
_hooks: list[object] = []


def forget_after_fork(holder: Inherited, register_at_fork: Callable[..., object] | None) -> None:
    """Call `holder.forget()` in each process that is forked from now on, while it exists."""
    if register_at_fork is None:
        return
    if not _hooks:
        _hooks.append(register_at_fork)
        register_at_fork(after_in_child=_forget_all)
    _known.add(holder)


def _forget_all() -> None:
    failed: Exception | None = None
    for each in list(_known):
        try:
            each.forget()
        except Exception as error:  # noqa: BLE001 - the others must be forgotten all the same
            failed = error
    if failed is not None:
        raise failed

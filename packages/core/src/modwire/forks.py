"""`forget_after_fork`: for objects with descriptors that a forked process must not use.

Clients and servers of all packages register a method of theirs. The core does not import `os`, so
they pass `os.register_at_fork`, which not every system has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable

HolderT = TypeVar("HolderT")

_known: WeakKeyDictionary[Any, Callable[[Any], object]] = WeakKeyDictionary()
_hooks: list[object] = []


def forget_after_fork(
    holder: HolderT,
    forget: Callable[[HolderT], object],
    register_at_fork: Callable[..., object] | None,
) -> None:
    """Call `forget(holder)` in each process that is forked while `holder` exists.

    It closes the descriptors of the holder in the new process, but does nothing that the other one
    notices. It takes no lock: a thread that holds it exists only in the other process.
    """
    if register_at_fork is None:
        return
    if not _hooks:
        _hooks.append(register_at_fork)
        register_at_fork(after_in_child=_forget_all)
    _known[holder] = forget


def _forget_all() -> None:
    failed: Exception | None = None
    for holder, forget in list(_known.items()):
        try:
            forget(holder)
        except Exception as error:  # noqa: BLE001 - the others must be forgotten all the same
            failed = error
    if failed is not None:
        raise failed

"""The lock of a client: never two holders, however busy it is, and none for ever."""

from __future__ import annotations

import gc
import sys
import threading
from threading import RLock
from typing import Any

import pytest

from modwire.client import guard as guards
from modwire.client.guard import Guard, is_running, without_collection
from modwire_sync import TcpClient

PATIENCE = 30.0


class Owner:
    """An object whose methods take a guard, as a client's do."""

    def __init__(self) -> None:
        self.guard = Guard(RLock, self._is_gone)
        self.inside = self.most = self.sections = 0

    def _is_gone(self, thread: int) -> bool:
        return not is_running(without_collection(sys._current_frames).get(thread), self)

    def use(self, times: int) -> None:
        for _ in range(times):
            if self.guard.lock._is_owned() or not self.guard.lock.acquire(False):
                self.guard.take()
            self.inside += 1
            self.most = max(self.most, self.inside)
            for _ in range(100):  # another thread may run in here
                self.sections += 1
            self.inside -= 1
            self.guard.lock.release()

    def leave_it_taken(self) -> None:
        self.guard.take()


def run(*functions: Any) -> None:
    """Run functions in a thread each, to their ends."""
    threads = [threading.Thread(target=each, daemon=True) for each in functions]
    for each in threads:
        each.start()
    for each in threads:
        each.join(PATIENCE)
        assert not each.is_alive()


def test_a_lock_in_use_is_not_taken_for_one_that_was_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting threads look all the time; each look finds another thread at another step."""
    monkeypatch.setattr(guards, "SLICE", 0.0001)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        owner = Owner()
        lock = owner.guard.lock
        run(*[lambda: owner.use(300)] * 12)
    finally:
        sys.setswitchinterval(before)
    assert owner.most == 1
    assert owner.sections == 12 * 300 * 100
    assert owner.guard.lock is lock


def test_a_thread_that_has_left_leaves_no_lock_behind() -> None:
    owner = Owner()
    has_left, over = threading.Event(), threading.Event()

    def leave() -> None:
        owner.leave_it_taken()
        has_left.set()
        over.wait(PATIENCE)  # so that no other thread gets its identity

    threading.Thread(target=leave, daemon=True).start()
    assert has_left.wait(PATIENCE)
    lock = owner.guard.lock
    run(lambda: owner.use(1), lambda: owner.use(1))
    over.set()
    assert owner.sections == 200
    assert owner.guard.lock is not lock


def test_a_thread_that_was_interrupted_takes_its_own_lock_again() -> None:
    owner = Owner()
    owner.leave_it_taken()
    owner.guard.lock.acquire()
    owner.use(3)
    assert not owner.guard.lock._is_owned()
    run(lambda: owner.use(1))
    assert owner.sections == 400


class Held:
    """A lock that thread 1 holds; `at_acquire` happens while another one takes it."""

    def __init__(self, at_acquire: Any = lambda: None) -> None:
        self.holder, self.free, self.taken = 1, False, 0
        self.at_acquire = at_acquire

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        self.at_acquire()
        self.taken += self.free
        return self.free

    def release(self) -> None:
        self.taken -= 1

    def _is_owned(self) -> bool:
        return False

    def __repr__(self) -> str:
        return f"<RLock owner={self.holder} count=1>"


@pytest.mark.parametrize("later", [2, 1], ids=["another_thread", "the_same_one_again"])
def test_a_lock_that_changes_hands_while_we_look_was_not_left(later: int) -> None:
    """Thread 1 is gone when we look, but by then its lock was released and taken again."""
    looks: list[int] = []

    def is_gone(thread: int) -> bool:
        looks.append(thread)
        lock.holder, lock.free = later, True
        return len(looks) == 1

    lock = Held()
    guard = Guard(lambda: Held() if looks else lock, is_gone)
    guard.take()
    assert guard.lock is lock
    assert lock.taken == 1


def test_a_lock_that_was_replaced_while_we_waited_is_not_taken() -> None:
    new = Held()
    new.free = True
    old = Held(lambda: setattr(guard, "lock", new))
    old.free = True
    guard = Guard(lambda: old, lambda thread: False)
    guard.take()
    assert (old.taken, new.taken) == (0, 1)


@pytest.mark.parametrize("is_collecting", [True, False])
def test_threads_are_looked_at_without_a_collection(is_collecting: bool) -> None:
    """Before Python 3.13 a collection at that time could stop all threads for good."""
    seen: list[bool] = []

    def fail() -> None:
        seen.append(gc.isenabled())
        raise MemoryError

    was_collecting = gc.isenabled()
    try:
        (gc.enable if is_collecting else gc.disable)()
        with pytest.raises(MemoryError):
            without_collection(fail)
        assert gc.isenabled() is is_collecting
    finally:
        (gc.enable if was_collecting else gc.disable)()
    assert seen == [False]


def test_a_client_looks_without_a_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    frames = sys._current_frames

    def look() -> Any:
        seen.append(gc.isenabled())
        return frames()

    monkeypatch.setattr(sys, "_current_frames", look)
    client = TcpClient("127.0.0.1", 9)
    assert client._shared._is_gone(threading.get_ident())
    assert seen == [False]

"""The calls to units that block: their turns, the spare workers, and clients that have gone."""

from __future__ import annotations

from modwire import Call, ReadHoldingRegistersRequest
from modwire.server.workers import Job, WorkerQueue


def job(unit: str, client: object = "client") -> Job:
    return Job(unit, Call(1, 0, ReadHoldingRegistersRequest(0, 1)), client)


def test_a_unit_that_hangs_leaves_workers_to_the_others() -> None:
    queue = WorkerQueue[Job](2, 2)
    hung = [job("hung") for _ in range(5)]
    assert [queue.enter(each) for each in hung] == [[hung[0]], [hung[1]], [], [], []]
    first, second, third = job("a"), job("b"), job("c")
    assert queue.enter(first) == [first]
    assert queue.enter(second) == [second]
    assert queue.enter(third) == [], "all workers are busy"
    assert queue.ended(first) == [third], "not one more of the unit that hangs"


def test_without_spare_workers_all_wait_in_order() -> None:
    queue = WorkerQueue[Job](1, 0)
    first, second, third = job("a"), job("b"), job("a")
    assert queue.enter(first) == [first]
    assert queue.enter(second) == queue.enter(third) == []
    assert queue.ended(first) == [second]
    assert queue.ended(second) == [third]
    assert queue.ended(third) == []


def test_units_take_turns() -> None:
    queue = WorkerQueue[Job](1, 0)
    running = job("a")
    queue.enter(running)
    many = [job("a") for _ in range(100)]
    for each in many:
        queue.enter(each)
    other = job("b")
    queue.enter(other)
    assert queue.ended(running) == [many[0]]
    assert queue.ended(many[0]) == [other]


def test_what_a_client_left_behind_does_not_begin() -> None:
    queue = WorkerQueue[Job](1, 0)
    running, gone, other = job("a", "gone"), job("a", "gone"), job("a", "other")
    for each in (running, gone, other):
        queue.enter(each)
    assert queue.hung_up("gone") == [gone]
    assert gone.refusal is not None
    assert gone.refusal.code == 6
    assert running.refusal is None
    assert queue.ended(gone) == [], "its caller ends it all the same"
    assert queue.ended(running) == [other]
    assert queue.ended(other) == []
    assert queue.enter(again := job("a")) == [again], "nothing was lost"

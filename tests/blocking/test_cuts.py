"""An exception at any instruction of a call: the client works on, with right values only."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from time import monotonic
from typing import Any

import pytest

from cutting import Cut, Cutter, OrdinaryCutError, device
from modwire import ConnectionLostError, ResponseTimeoutError
from own_sockets import count_descriptors, needs_proc
from packages import Package

pytestmark = [
    needs_proc,
    # What an interrupted function has just opened is closed by the collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
KINDS = ("lines", "events")


def cutter(package: Package, also: str = "/src/modwire") -> Cutter:
    if package.name == "gevent":
        from gevent import getcurrent

        return Cutter(getcurrent, also)
    return Cutter(also=also)


def check(client: Any, value: int) -> None:
    """Fail unless the client works, at once and without an error."""
    began = monotonic()
    assert client.read_holding_registers(value, unit=200, timeout=30.0) == [value]
    assert monotonic() - began < 20.0


def cut_everywhere(
    package: Package,
    endpoint: str,
    run: Callable[[Any, int], object],
    kind: str,
    before: Callable[[Any], object] = lambda client: None,
    *,
    step: int = 1,
    then: int = 0,
    error: type[BaseException] = Cut,
    options: str = "timeout=30",
) -> int:
    """Cut a run at each of its places, and use the client after each; return their number."""
    client = package.connect(endpoint + ("&" if "?" in endpoint else "?") + options)
    saw = cutter(package)
    check(client, 1)
    descriptors = count_descriptors()
    for place in count(1, step):
        before(client)
        was_cut = saw.run(
            lambda place=place: run(client, place % 1000),  # type: ignore[misc]
            place,
            by_lines=kind == "lines",
            then=then,
            error=error,
        )
        if not was_cut:
            break
        check(client, 1000 + place)
        assert package.start(lambda place=place: check(client, 2000 + place)).result() is None  # type: ignore[misc]
    client.close()
    package.wait_until(lambda: count_descriptors() <= descriptors + 1)
    return place


@pytest.mark.parametrize("then", [0, 3, 8, 12, 20])
def test_a_caller_that_ends_with_it(package: Package, then: int) -> None:
    """Nobody comes back to clean up, so the next caller has to see that it is gone."""
    with device() as (_, endpoint):
        client = package.connect(f"{endpoint}?timeout=5")
        check(client, 1)
        for place in count(1, 1 if then == 0 else 4):

            def last(place: int = place) -> bool:
                saw = cutter(package)
                return saw.run(lambda: read(client, 7), place, by_lines=True, then=then)

            if not package.start(last).result():
                break
            check(client, 1000 + place)
        client.close()
    assert place > 80


def read(client: Any, value: int) -> None:
    assert client.read_holding_registers(value) == [value]


@pytest.mark.parametrize("kind", KINDS)
def test_an_exchange(package: Package, kind: str) -> None:
    with device() as (_, endpoint):
        assert cut_everywhere(package, endpoint, read, kind) > 80


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_call(package: Package, kind: str) -> None:
    with device() as (_, endpoint):
        places = cut_everywhere(package, endpoint, read, kind, lambda client: client.close())
        assert places > 100


@pytest.mark.parametrize("kind", KINDS)
def test_closing(package: Package, kind: str) -> None:
    with device() as (_, endpoint):
        places = cut_everywhere(package, endpoint, lambda client, _: client.close(), kind)
        assert places > 20


def test_a_slow_answer(package: Package) -> None:
    with device() as (slow, endpoint):
        slow.pause = 0.02
        assert cut_everywhere(package, endpoint, read, "events", step=3) > 80


def test_an_ordinary_error(package: Package) -> None:
    """The handler of SIGALRM may raise any."""
    with device() as (_, endpoint):
        assert cut_everywhere(package, endpoint, read, "events", error=OrdinaryCutError) > 80


@pytest.mark.parametrize("then", [1, 2, 5, 9, 14, 20, 30, 45])
def test_a_second_interrupt_while_the_first_is_handled(package: Package, then: int) -> None:
    with device() as (_, endpoint):
        places = cut_everywhere(package, endpoint, read, "lines", step=5, then=then)
        assert places > 80


def test_datagrams(package: Package) -> None:
    with device("udp") as (_, endpoint):
        assert cut_everywhere(package, endpoint, read, "events", step=2) > 80


def test_a_serial_line(package: Package) -> None:
    """The line rests for a while, because an answer may still come."""
    options = "timeout=0.05&late_reply_window=0.01"

    def read_soon(client: Any, value: int) -> None:
        # On a busy machine the answer may come after its window, so no other is of its unit.
        with suppress(ResponseTimeoutError):
            unit = 1 + value % 100
            assert client.read_holding_registers(value, unit=unit) == [value]

    with device("rtu") as (_, endpoint):
        places = cut_everywhere(package, endpoint, read_soon, "events", step=4, options=options)
        assert places > 80


def test_a_serial_port_is_not_left_open_and_locked(package: Package) -> None:
    """An interrupt within pyserial would leave it so, and then nobody could open it again."""
    with device("rtu") as (_, endpoint):
        client = package.connect(f"{endpoint}&timeout=0.05&late_reply_window=0.01")
        client.connect()

        def reopen() -> None:
            client.close()
            client._open_link().close()

        saw = cutter(package, also="/serial/")
        descriptors = count_descriptors()
        for place in count(1):
            if not saw.run(reopen, place, by_lines=True):
                break
            client.connect()
        client.close()
        assert place > 30
        package.wait_until(lambda: count_descriptors() <= descriptors)


@pytest.mark.parametrize("kind", KINDS)
def test_other_callers_get_right_values(package: Package, kind: str) -> None:
    """They may lose the link, and reads are repeated then; nothing else happens to them."""
    over = threading.Event()
    errors: list[BaseException] = []
    with device() as (_, endpoint):
        client = package.connect(f"{endpoint}?timeout=30&max_in_flight=4")

        def others(index: int) -> int:
            calls = 0
            while not over.is_set():
                value = index * 10000 + calls % 5000
                try:
                    read(client, value)
                except ConnectionLostError as error:
                    errors.append(error)
                calls += 1
            return calls

        tasks = [package.start(lambda index=index: others(index)) for index in (2, 3)]  # type: ignore[misc]
        saw = cutter(package)
        check(client, 1)
        cuts = 0
        for place in range(1, 400, 3):
            began = monotonic()
            cuts += saw.run(lambda: read(client, 7), place, by_lines=kind == "lines")
            check(client, 8)
            assert monotonic() - began < 20.0  # the timeout is 30
        over.set()
        assert all(task.result() > 0 for task in tasks)
        client.close()
    assert cuts > 10
    assert len(errors) <= 2 * cuts

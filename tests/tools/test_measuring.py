"""The report of `bench` must be the same as the measured requests."""

from __future__ import annotations

import math
import statistics
from functools import partial

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from modwire import ConnectionLostError, ReadHoldingRegistersRequest, SequentialBlock, Unit, Units
from modwire_tools.client.measuring import Measurement, measure, percentile
from modwire_trio import TcpClient, serve_tcp


@pytest.mark.parametrize(
    ("number", "percent", "rank"),
    [
        (1, 50, 1),
        (2, 50, 1),
        (3, 50, 2),
        (100, 99, 99),
        (101, 99, 100),
        (1000, 99.9, 999),
        (4, 0, 1),
    ],
)
def test_a_percentile_is_by_nearest_rank(number: int, percent: float, rank: int) -> None:
    assert percentile(range(1, number + 1), percent) == rank


@settings(max_examples=50)
@given(
    st.lists(st.floats(0, 10), min_size=1, max_size=120).map(sorted),
    st.sampled_from([50.0, 90.0, 99.0, 99.9]),
)
def test_a_percentile_is_the_least_that_so_many_do_not_exceed(
    values: list[float], percent: float
) -> None:
    found = percentile(values, percent)
    share = 100 * sum(value <= found for value in values) / len(values)
    below = 100 * sum(value < found for value in values) / len(values)
    assert share >= percent or math.isclose(share, percent)
    assert below < percent


def test_the_summary_is_of_all_latencies() -> None:
    measured = Measurement()
    assert measured.summary() == {}
    assert measured.per_second == 0
    measured.latencies.extend([0.3, 0.1, 0.2])
    measured.seconds = 1.5
    assert measured.per_second == 2
    assert measured.summary() == {
        "min": 0.1,
        "mean": pytest.approx(statistics.mean([0.1, 0.2, 0.3])),
        "p50": 0.2,
        "p90": 0.3,
        "p99": 0.3,
        "p99.9": 0.3,
        "max": 0.3,
    }


async def _measured(**limits: float | int) -> tuple[Measurement, int]:
    """Measure two clients with three requests at once; also return the server's count."""
    heard = 0

    def on_call(peer: object, request: object, response: object) -> None:
        nonlocal heard
        heard += 1

    measured = Measurement()
    units = Units({1: Unit(holding_registers=SequentialBlock(0, [7] * 10))})
    async with trio.open_nursery() as nursery:
        host, port = await nursery.start(partial(serve_tcp, units, 0, on_call=on_call, grace=0))
        clients = [TcpClient(host, port, max_in_flight=3) for _ in range(2)]
        request = ReadHoldingRegistersRequest(0, 2)
        with trio.fail_after(30):
            await measure(clients, request, 1, pipeline=3, into=measured, **limits)  # type: ignore[arg-type]
        for client in clients:
            await client.aclose()
        nursery.cancel_scope.cancel()
    return measured, heard


def test_so_many_requests_are_made() -> None:
    measured, heard = trio.run(partial(_measured, requests=50))
    assert (measured.answered, heard, measured.errors) == (50, 50, {})
    assert 0 < measured.summary()["min"] <= measured.seconds


def test_it_ends_when_the_time_is_over() -> None:
    measured, heard = trio.run(partial(_measured, seconds=0.1))
    assert 0.1 <= measured.seconds < 30
    # Requests in progress at the end are received by the server but not counted.
    assert heard - 6 <= measured.answered <= heard


def test_nobody_there_is_said_at_once() -> None:
    async def scenario() -> None:
        client = TcpClient("127.0.0.1", 1)
        await measure([client], ReadHoldingRegistersRequest(0), 1, requests=1, into=Measurement())

    with pytest.raises(ConnectionLostError):
        trio.run(scenario)

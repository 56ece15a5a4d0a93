"""`/metrics` of `simulate`, `serve` and `gateway`, read as Prometheus reads it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from modwire import (
    Call,
    ExceptionResponse,
    FaultyResponse,
    RawRequest,
    ReadCoilsRequest,
    ReadCoilsResponse,
    SequentialBlock,
    ServerOptions,
    Unit,
    Units,
)
from modwire_command import modwire, started
from modwire_sync import TcpServer, connect
from modwire_tools.metrics import CONTENT_TYPE, Metrics
from modwire_tools.metrics.counting import MOST_SERIES, OTHER
from modwire_tools.metrics.text import Family
from page_requests import ask

pytestmark = pytest.mark.timeout(300)

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
HTTP = b"GET / HTTP/1.1\r\n\r\n"
LINK = r"Metrics: http://127.0.0.1:(\d+)/metrics"
OPEN = "?timeout=60"


def parsed(text: str) -> Samples:
    """Return the samples; every metric must have its help, its type and its unit."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation.endswith("."), family.name
        assert family.type in ("counter", "gauge", "histogram"), family.name
        assert family.name.startswith("modwire_")
        assert "# HELP " in text and f"# TYPE {family.name}" in text
        for sample in family.samples:
            if family.type == "counter":
                assert sample.name.endswith("_total")
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, key
            found[key] = sample.value
    return found


def scrape(port: int) -> Samples:
    answer = ask(port, "GET", "/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"] == CONTENT_TYPE
    return parsed(answer.body.decode())


def value(samples: Samples, name: str, **labels: object) -> float:
    """Return the sum of the samples that have these labels."""
    wanted = {(key, str(each)) for key, each in labels.items()}
    return sum(each for (named, have), each in samples.items() if named == name and wanted <= have)


def talk(endpoint: str) -> None:
    """Read twice, write once, and get an exception."""
    with connect(endpoint + OPEN) as client:
        client.read_holding_registers(0, 2)
        client.read_holding_registers(0, 2)
        client.write_coil(0, True)
        with pytest.raises(Exception, match="exception 02"):
            client.read_coils(60000, 2)


def check_talk(samples: Samples, endpoint: str) -> None:
    count = {"endpoint": endpoint, "unit": 1}
    assert value(samples, "modwire_requests_total", function=3, **count) == 2
    assert value(samples, "modwire_requests_total", function=5, **count) == 1
    assert value(samples, "modwire_requests_total", function=1, **count) == 1
    assert value(samples, "modwire_exceptions_total", function=1, code=2, **count) == 1
    assert value(samples, "modwire_exceptions_total") == 1
    assert value(samples, "modwire_unanswered_total") == 0
    assert value(samples, "modwire_connections_total", endpoint=endpoint) >= 1
    assert value(samples, "modwire_response_seconds_count", endpoint=endpoint) == 4
    assert value(samples, "modwire_response_seconds_bucket", le="+Inf") == 4
    assert 0 <= value(samples, "modwire_response_seconds_sum") < 60
    assert value(samples, "modwire_info") == 1
    assert value(samples, "modwire_start_time_seconds") > 1.7e9


def until(condition: Callable[[], bool]) -> None:
    while not condition():
        pass


def test_a_plain_server() -> None:
    arguments = ("--coils", "100", "--metrics", "127.0.0.1:0")
    with started("serve", "tcp://127.0.0.1:0", "udp://127.0.0.1:0", *arguments) as server:
        port = int(server.read_until(LINK)[1])
        found = server.read_until(r"serves (tcp://127.0.0.1:\d+), (udp://127.0.0.1:\d+):")
        talk(found[1])
        check_talk(scrape(port), found[1])
        # The port serves HTTP by mistake: the bytes are no frame.
        host, number = found[1].removeprefix("tcp://").split(":")
        with socket.create_connection((host, int(number)), timeout=60) as wrong:
            wrong.sendall(HTTP)
            assert wrong.recv(1) == b""
        name = "modwire_frame_errors_total"
        until(lambda: value(scrape(port), name, endpoint=found[1]) == 1)
        until(lambda: value(scrape(port), "modwire_connections", endpoint=found[1]) == 0)
        with connect(found[2] + OPEN) as client:
            client.read_coils(0)
        samples = scrape(port)
        assert value(samples, "modwire_requests_total", endpoint=found[2], function=1) == 1
        assert value(samples, "modwire_connections_total", endpoint=found[2]) == 0
        assert server.interrupt() == 130


def test_a_gateway() -> None:
    device = Unit(holding_registers=SequentialBlock(0, [1] * 9), coils=SequentialBlock(0, [0]))
    with TcpServer(Units({1: device}), ("127.0.0.1", 0)) as behind:
        line = f"tcp://127.0.0.1:{behind.address[1]}{OPEN}"
        arguments = ("--map", "1=1", "--metrics", "127.0.0.1:0", "-v")
        with started("gateway", "tcp://127.0.0.1:0", line, *arguments) as server:
            port = int(server.read_until(LINK)[1])
            endpoint = server.read_until(r"gateway at (tcp://127.0.0.1:\d+) leads")[1]
            talk(endpoint)
            check_talk(scrape(port), endpoint)
            server.read_until("read 2 coils from 60000")  # --verbose counts, too
            with connect(endpoint + OPEN) as client, pytest.raises(Exception, match="0A"):
                client.read_coils(0, unit=9)
            samples = scrape(port)
            assert value(samples, "modwire_exceptions_total", unit=9, code=10) == 1
            assert server.interrupt() == 130


def test_a_simulator_and_its_page() -> None:
    arguments = ("--tcp", "127.0.0.1:0", "--web", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
    with started("simulate", *arguments) as server:
        port = int(server.read_until(LINK)[1])
        page = int(server.read_until(r"Page: http://127.0.0.1:(\d+)/")[1])
        endpoint = server.read_until(r"unit 1: (tcp://127.0.0.1:\d+)")[1]
        talk(endpoint)
        check_talk(scrape(port), endpoint)
        samples = scrape(page)
        assert value(samples, "modwire_requests_total") == 4
        faults = "/api/devices/0/units/1/faults"
        assert ask(page, "PUT", faults, {"silence": 1}).status == 200
        with connect(f"{endpoint}?timeout=0.2") as client, pytest.raises(TimeoutError):
            client.read_coils(0)
        assert value(scrape(port), "modwire_unanswered_total", function=1) == 1
        assert server.interrupt() == 130


def test_the_metrics_of_a_page_with_a_token_need_it() -> None:
    with started(
        "simulate", "--tcp", "127.0.0.1:0", "--web", "127.0.0.1:0", "--web-token", "a-token-for-it"
    ) as server:
        page = int(server.read_until(r"Page: http://127.0.0.1:(\d+)/")[1])
        assert ask(page, "GET", "/metrics").status == 401
        headers = {"Authorization": "Bearer a-token-for-it"}
        answer = ask(page, "GET", "/metrics", headers=headers)
        assert answer.status == 200
        assert value(parsed(answer.body.decode()), "modwire_info") == 1
        server.interrupt()


def test_the_option_comes_from_the_environment_too() -> None:
    """A container image sets it for every command."""
    with started("serve", "tcp://127.0.0.1:0", MODWIRE_METRICS="127.0.0.1:0") as server:
        assert scrape(int(server.read_until(LINK)[1]))
        server.interrupt()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ("serve tcp://127.0.0.1:0 --metrics x:y", "--metrics must be HOST:PORT, "),
        ("serve tcp://127.0.0.1:0 --metrics ::1:9502", "an IPv6 address needs brackets"),
        (
            "serve tcp://127.0.0.1:0 --store sqlite:///{tmp}/a.db --processes 2 --metrics 0",
            "--metrics (or MODWIRE_METRICS) counts in one process",
        ),
    ],
)
def test_a_wrong_argument_is_one_sentence(tmp_path: Path, arguments: str, error: str) -> None:
    result = modwire(*arguments.format(tmp=tmp_path).split())
    assert result.code == 2
    assert error in result.err
    assert result.err.count("\n") == 1


def test_a_port_in_use_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        result = modwire("serve", "tcp://127.0.0.1:0", "--metrics", place)
    assert result.code == 1
    assert result.err.startswith("modwire: --metrics: ")
    assert result.err.count("\n") == 1


# Counting.


def served(frame_errors: int = 0, heard: float = 0.0) -> object:
    class Served(SimpleNamespace):
        __hash__ = object.__hash__  # type: ignore[assignment]

    return Served(frame_errors=frame_errors, heard=heard, peer="p")


def test_clients_cannot_make_series_without_end() -> None:
    """Prometheus keeps every label set: a client that tries all ids must not fill its disk."""
    metrics = Metrics("1", lambda: 0.0, 0.0)
    counts, _ = metrics.watched("tcp://127.0.0.1:502", ServerOptions())
    peer = served()
    total = 0
    for unit in range(256):
        for function in range(128):
            call = Call(unit, 0, RawRequest(function, b""))
            counts.answered(peer, call, ExceptionResponse(function, (unit * function) % 256))  # type: ignore[arg-type]
            total += 1
    for number in range(5000):
        metrics.endpoint(f"tcp://127.0.0.1:{number}").answered(
            peer, Call(1, 0, ReadCoilsRequest(0, 1)), None  # type: ignore[arg-type]
        )  # fmt: skip
        total += 1
    assert len(counts.requests) <= MOST_SERIES + 10
    text = metrics.text()
    samples = parsed(text)
    for name in {name for name, _ in samples}:
        assert sum(each == name for each, _ in samples) <= MOST_SERIES + 1, name
    assert value(samples, "modwire_requests_total") == total
    assert value(samples, "modwire_requests_total", unit=OTHER) > 0
    assert value(samples, "modwire_exceptions_total") == 256 * 128
    assert len(text) < 2_000_000


def test_every_outcome_is_counted_once() -> None:
    metrics = Metrics("1", lambda: 12.0, 0.0)
    counts, options = metrics.watched("here", ServerOptions())
    assert options.on_answer == counts.answered
    peer = served(heard=11.7)
    call = Call(3, 0, ReadCoilsRequest(0, 1))
    response = ReadCoilsResponse([True])
    exception = ExceptionResponse(1, 6)
    for each in (
        response,
        exception,
        None,
        FaultyResponse(None, drops=True, fault="drop"),
        FaultyResponse(None, fault="silence"),
        FaultyResponse(exception, fault="exception"),
        FaultyResponse(response, is_damaged=True, fault="damage"),
        ExceptionResponse(1, 200),
    ):
        counts.answered(peer, call, each)  # type: ignore[arg-type]
    samples = parsed(metrics.text())
    assert value(samples, "modwire_requests_total", unit=3, function=1) == 8
    assert value(samples, "modwire_exceptions_total", code=6) == 2
    assert value(samples, "modwire_exceptions_total", code=OTHER) == 1
    assert value(samples, "modwire_unanswered_total") == 3
    assert value(samples, "modwire_response_seconds_bucket", le="0.1") == 0
    assert value(samples, "modwire_response_seconds_bucket", le="0.5") == 8
    assert value(samples, "modwire_response_seconds_sum") == pytest.approx(8 * 0.3)


def test_connections_and_frame_errors() -> None:
    metrics = Metrics("1", lambda: 0.0, 0.0)
    counts = metrics.endpoint("here")
    first, second = served(2), served(3)
    counts.connected(first)  # type: ignore[arg-type]
    counts.connected(second)  # type: ignore[arg-type]
    counts.disconnected(first)  # type: ignore[arg-type]
    samples = parsed(metrics.text())
    assert value(samples, "modwire_connections") == 1
    assert value(samples, "modwire_connections_total") == 2
    assert value(samples, "modwire_frame_errors_total") == 5
    assert metrics.endpoint("here") is counts


@given(st.text(), st.floats(allow_nan=False), st.integers(0, 2**60))
def test_any_label_is_read_as_it_was_written(label: str, number: float, count: int) -> None:
    family = Family("modwire_x", "gauge", 'A "test" with a \\ and a\nline')
    family.add(number, endpoint=label, unit="1")
    family.add(count, endpoint=label, unit="2")
    [found] = text_string_to_metric_families(str(family))
    assert [each.labels["endpoint"] for each in found.samples] == [label, label]
    assert [each.value for each in found.samples] == [number, count]
    assert found.documentation == 'A "test" with a \\ and a\nline.'

"""The sinks of `modwire poll` for InfluxDB, SQL and Prometheus, and those of other packages."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from modwire_tools.poll import sinks
from modwire_tools.poll.plant import PlantError
from modwire_tools.poll.plant.settings import Settings
from modwire_tools.poll.sample import BAD, STALE, Sample
from modwire_tools.poll.sinks import Surroundings
from modwire_tools.poll.sinks.influx import line_protocol
from modwire_tools.poll.sinks.prometheus import PrometheusSink, values_text
from polled_plant import (
    TIME,
    KeepingSink,
    device,
    plant_of,
    polling,
    run,
    sample,
    serving,
    sink_of,
)


def surroundings(told: list[str]) -> Surroundings:
    async def write(device: str, point: str, text: str) -> object:
        raise AssertionError

    return Surroundings(
        lambda: pytest.fail("no plant"), write, told.append, list, lambda: "", lambda: (True, {})
    )


# InfluxDB.


def test_line_protocol() -> None:
    samples = [
        sample(230.5, "volt age"),
        sample(True, "on"),
        sample(-3, "count"),
        sample('a "b" \\', "text"),
        sample((True, False), "bits"),
        sample(1 << 63, "long"),
        sample(float("nan"), "nan"),
        sample(None, "none"),
        sample(1, "old", STALE),
        sample(None, "bad", BAD),
        sample(5, device="b", time=TIME + 1),
    ]
    first, second = line_protocol(samples, "our modbus")
    assert first == (
        b"our\\ modbus,device=m\\ 1,hall=3\\,\\ left volt\\ age=230.5,on=true,count=-3i,"
        b'text="a \\"b\\" \\\\",bits="01",long=9.223372036854776e+18 1700000000250000000\n'
    )
    assert second.startswith(b"our\\ modbus,device=b,")


class Influx:
    """An HTTP server; `answers` has the next status codes, then it is 204."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.bodies: list[bytes] = []
        self.tokens: set[str] = set()
        self.places: list[str] = []
        self.refused = b"\0"


@contextmanager
def influx_server() -> Iterator[tuple[Influx, str]]:
    state = Influx()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.tokens.add(self.headers["Authorization"])
            code = state.answers.pop(0) if state.answers else 204
            state.places.append(self.path)
            if state.refused in body:
                code = 400
            if code == 204:
                state.bodies.append(body)
            self.send_response(code)
            if code == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
            if code >= 400:
                self.wfile.write(b"field type conflict")

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield state, f"http://127.0.0.1:{server.server_port}/write"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_influx_over_http(tmp_path: Path) -> None:
    """A server that fails gets the values again; a value that it refuses holds up no other."""
    told: list[str] = []
    with influx_server() as (server, url):
        sink = sink_of("influx", tmp_path, influx=url, token="hush")

        async def test() -> None:
            await sink.open(surroundings(told))
            server.answers = [503]
            with pytest.raises(OSError, match="the server answers 503 .*: field type conflict"):
                await sink.write([sample(1)])
            await sink.write([sample(1)])
            server.refused = b" p=3i"
            await sink.write([sample(each, time=TIME + each) for each in range(2, 7)])

        run(test)
    assert server.tokens == {"Token hush"}
    lines = b"".join(server.bodies).splitlines()
    values = [line.split(b"p=")[1].split()[0] for line in lines]
    assert values == [b"1i", b"2i", b"4i", b"5i", b"6i"]
    (text,) = told
    assert "the server answers 400 Bad Request: field type conflict; left out: " in text
    assert "hush" not in text + sink.place


def test_influx_is_not_redirected(tmp_path: Path) -> None:
    """A redirected request has no values, but its 204 would count, and it has the token."""
    with influx_server() as (server, url):
        sink = sink_of("influx", tmp_path, influx=url, token="hush")

        async def test() -> None:
            server.answers = [302]
            with pytest.raises(OSError, match="the server answers 302 Found"):
                await sink.write([sample(1)])

        run(test)
    assert server.places == ["/write"]


# Databases.


def rows_of(url: str, table: str = "readings") -> list[tuple[Any, ...]]:
    from sqlalchemy import create_engine, text

    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        query = f'SELECT device, point, value, text, unit, quality, time FROM "{table}" ORDER BY id'
        found = [tuple(each) for each in connection.execute(text(query))]
    engine.dispose()
    return found


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_values_are_rows(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/plant.db"
    if kind == "postgresql":
        url = request.getfixturevalue("postgres_server").url
    given = "sqlite:///plant.db" if kind == "sqlite" else url
    sink = sink_of("sql", tmp_path, sql=given)

    async def test() -> None:
        await sink.open(surroundings([]))
        await sink.write([sample(230.5), sample(True, "on"), sample("a\0b", "text")])
        await sink.aclose()
        await sink.write([sample(None, quality=BAD), sample(float("inf")), sample((True, False))])
        await sink.aclose()

    run(test)
    rows = rows_of(url)
    assert [each[:6] for each in rows] == [
        ("m 1", "p", 230.5, None, "V", "good"),
        ("m 1", "on", 1.0, None, "V", "good"),
        ("m 1", "text", None, "ab", "V", "good"),
        ("m 1", "p", None, None, "V", "bad"),
        ("m 1", "p", None, "inf", "V", "good"),
        ("m 1", "p", None, "01", "V", "good"),
    ]
    assert "2023-11-14 22:13:20.25" in str(rows[0][6])


def test_each_device_may_have_a_table(tmp_path: Path) -> None:
    sink = sink_of("sql", tmp_path, sql="sqlite:///plant.db", table="values of {device}")

    async def test() -> None:
        await sink.write([sample(1), sample(2, device='a"b'), sample(3)])
        await sink.aclose()

    run(test)
    url = f"sqlite:///{tmp_path}/plant.db"
    assert [each[2] for each in rows_of(url, "values of m 1")] == [1.0, 3.0]
    assert [each[2] for each in rows_of(url, 'values of a""b')] == [2.0]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_long_names_have_tables_of_their_own(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """PostgreSQL cuts names at 63 bytes, and would not find such a table after a restart."""
    url = f"sqlite:///{tmp_path}/plant.db"
    if kind == "postgresql":
        url = request.getfixturevalue("postgres_server").url
    names = ["ü" * 70 + "a", "ü" * 70 + "b"]

    async def test() -> None:
        for value in (1, 2):  # the second time as after a restart
            sink = sink_of("sql", tmp_path, sql=url, table="{device}")
            await sink.write([sample(value, device=each) for each in names])
            await sink.aclose()

    run(test)
    from sqlalchemy import create_engine, inspect

    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    tables = [each for each in inspect(engine).get_table_names() if each.startswith("ü")]
    engine.dispose()
    assert len(tables) == 2
    assert all(len(each.encode()) <= 63 for each in tables)
    assert sorted(each[:3] for table in tables for each in rows_of(url, table)) == sorted(
        (name, "p", value) for name in names for value in (1.0, 2.0)
    )


def test_a_database_that_is_away_is_tried_again(tmp_path: Path) -> None:
    sink = sink_of("sql", tmp_path, sql="sqlite:///there/plant.db")

    async def test() -> None:
        with pytest.raises(OSError, match="unable to open database file") as raised:
            await sink.write([sample(1)])
        assert "INSERT" not in str(raised.value)
        (tmp_path / "there").mkdir()
        await sink.write([sample(1)])
        await sink.aclose()

    run(test)
    with closing(sqlite3.connect(tmp_path / "there/plant.db")) as database:
        assert database.execute("SELECT COUNT(*) FROM readings").fetchone() == (1,)


# Prometheus.


def test_values_and_figures_are_metrics(tmp_path: Path) -> None:
    def get(url: str) -> tuple[int, str]:
        with urlopen(url) as answer:
            return answer.status, answer.read().decode()

    async def test() -> None:
        async with serving() as served:
            text = device("tank", served.port, tags='{ hall = "3", unit = "x" }')
            text += '[[sink]]\nprometheus = "127.0.0.1:0"\n'
            async with polling(plant_of(tmp_path, text)) as polled:
                await polled.until(lambda: len(polled.sink.samples) > 3 and len(polled.told) > 0)
                url = polled.told[0].removeprefix("Metrics: ")
                _, text = await asyncio.to_thread(get, url)
                found = {
                    (each.name, *sorted(each.labels.items())): each.value
                    for family in text_string_to_metric_families(text)
                    for each in family.samples
                }
                labels = (("device", "tank"), ("hall", "3"), ("point", "level"))
                key = ("modwire_value", *labels, ("tag_unit", "x"), ("unit", "mm"))
                assert found[key] == 0.0
                assert found["modwire_poll_up", ("device", "tank")] == 1
                assert found["modwire_poll_readings_total", ("device", "tank")] > 1
                assert found["modwire_poll_sink_taken_total", ("sink", "keep")] > 3
                status, text = await asyncio.to_thread(get, url.replace("metrics", "health"))
                assert status == 200
                assert json.loads(text)["values"] == {"good": 2}
                sink = polled.poller.plant.sinks[0].sink
                assert isinstance(sink, PrometheusSink)
                reader, writer = await asyncio.open_connection(*sink.address)
                writer.write(b"GET /x HTTP/1.1\r\n\r\n")
                assert await reader.read() != b""
                writer.close()

    run(test)


def test_values_that_are_not_good_are_left_out() -> None:
    text = values_text([sample(1, "a"), sample(2, "b", STALE), sample("x", "c")])
    found = [each for family in text_string_to_metric_families(text) for each in family.samples]
    assert [each.labels["point"] for each in found if each.name == "modwire_value"] == ["a"]
    good = {each.labels["point"]: each.value for each in found if each.name.endswith("good")}
    assert good == {"a": 1, "b": 0, "c": 1}


# Sinks of other packages.


class _Entry:
    name = "kafka"

    def __init__(self, found: object) -> None:
        self._found = found

    def load(self) -> object:
        return self._found


class KafkaSink(KeepingSink):
    kind = "kafka"
    keys = ("topic",)

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.topic = settings.text("topic")

    async def write(self, samples: Sequence[Sample]) -> None:
        await super().write(samples)


def test_another_package_may_have_a_sink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = _Entry(KafkaSink)
    monkeypatch.setattr(sinks, "entry_points", lambda group, name="kafka": [entry])
    sinks.find_sink.cache_clear()
    text = device("tank", 5020) + '[[sink]]\nkafka = "x"\n'
    plant = plant_of(tmp_path, text + 'topic = "t"\n')
    assert isinstance(plant.sinks[0].sink, KafkaSink)
    assert plant.sinks[0].sink.topic == "t"
    with pytest.raises(PlantError, match=r"plant.toml:16: sink 1, topic is missing"):
        plant_of(tmp_path, text)
    sinks.find_sink.cache_clear()
    entry._found = dict
    with pytest.raises(PlantError, match="the entry point kafka in modwire.sinks names no subc"):
        plant_of(tmp_path, text)
    sinks.find_sink.cache_clear()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('influx = "ftp://x"', "influx must be http://HOST:PORT/PATH, the name of a file, or -"),
        (
            'influx = "http://h:b/"',
            "influx must be http://HOST:PORT/PATH, the name of a file, or -",
        ),
        ('influx = "http://[::1/"', "influx must be http://HOST:PORT/PATH, the name of a file"),
        ('influx = "http://a b/"', "influx must be http://HOST:PORT/PATH, the name of a file"),
        ('influx = "http://h/\\r\\nX: y"', "influx must be http://HOST:PORT/PATH, the name"),
        ('influx = "http://me:secret@h/"', "influx must be http://HOST:PORT/PATH, the name of"),
        (
            'influx = "http://h/"\ntoken = "a\\r\\nX: y"',
            "token must have printable ASCII characters",
        ),
        ('influx = "http://h/"\ntoken = "€"', "token must have printable ASCII characters only"),
        ('influx = "-"\nmeasurement = ""', "measurement must not be empty"),
        ('sql = "nix"', "sql must be a URL of SQLAlchemy, as sqlite:///plant.db or postgresql"),
        ('sql = "nix://a"', "sql must be a URL of SQLAlchemy, as sqlite:///plant.db or postgresql"),
        (
            'sql = "sqlite://"\ntable = "{point}"',
            "table may have {device} in braces, got '{point}'",
        ),
        ('sql = "sqlite://"\ntable = ""', "table must have 1..63 printable characters, got ''"),
        ('sql = "sqlite://"\ntable = "a\\u0000"', "table must have 1..63 printable characters"),
        ('prometheus = "x:y"', "prometheus: "),
        ('prometheus = ":1"\nvalues = 1', "values must be true or false, got 1"),
    ],
)
def test_a_wrong_sink_is_said(lines: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(PlantError) as raised:
        plant_of(tmp_path, f"{device('tank', 5020)}[[sink]]\n{lines}\n")
    (text,) = raised.value.mistakes
    assert said in text

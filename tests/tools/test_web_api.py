"""The REST interface: each operation, its errors, and its OpenAPI description."""

from __future__ import annotations

import logging
import queue
from collections.abc import Iterator
from logging.handlers import QueueHandler
from typing import Any

import pytest
import trio

from fake_view import FakeView
from modwire_sync import TcpClient
from modwire_tools.simulator.view import Faults
from modwire_tools.web import serve_page
from page_requests import PATIENCE, Answer, ask
from running_page import RunningPage, ServedPage

UNIT = "/api/devices/0/units/1"


class Served:
    """A fake view, and requests to its interface."""

    def __init__(self, view: FakeView, port: int) -> None:
        self.view = view
        self.port = port

    def get(self, path: str) -> Answer:
        return ask(self.port, "GET", path)

    def found(self, path: str) -> Any:
        answer = self.get(path)
        assert answer.status == 200, answer.body
        return answer.json

    def put(self, path: str, body: object) -> Answer:
        return ask(self.port, "PUT", path, body)

    def post(self, path: str, body: object) -> Answer:
        return ask(self.port, "POST", path, body)


@pytest.fixture(scope="module")
def _page() -> Iterator[ServedPage]:
    with ServedPage(FakeView()) as page:
        yield page


@pytest.fixture
def served(_page: ServedPage) -> Served:
    view = FakeView()
    _page.view.__dict__.update(view.__dict__)
    assert isinstance(_page.view, FakeView)
    return Served(_page.view, _page.port)


def test_overview(served: Served) -> None:
    found = served.found("/api")
    assert found["title"] == "a fake"
    assert found["devices"] == 3
    assert found["problems"] == {"2": "port 5022 is in use"}


def test_devices_are_given_page_by_page(served: Served) -> None:
    served.view.count = 2000
    found = served.found("/api/devices?start=1990&count=50")
    assert found["total"] == 2000
    assert [each["index"] for each in found["devices"]] == [*range(1990, 2000)]
    assert len(served.found("/api/devices")["devices"]) == 100


def test_devices_are_searched(served: Served) -> None:
    served.view.count = 2000
    found = served.found("/api/devices?search=DEVICE%20199&count=5")
    assert found["total"] == 11  # 199 and 1990..1999
    assert [each["index"] for each in found["devices"]] == [199, 1990, 1991, 1992, 1993]
    assert served.found("/api/devices?search=5021")["devices"][0]["index"] == 1
    assert served.found("/api/devices?search=nothing")["devices"] == []


def test_one_device(served: Served) -> None:
    found = served.found("/api/devices/2")
    assert found["name"] == "device 2"
    assert found["problem"] == "port 5022 is in use"
    assert found["units"] == [{"id": 1, "name": "meter"}, {"id": 7, "name": "drive"}]


def test_a_device_is_stopped_and_started(served: Served) -> None:
    answer = served.post("/api/devices/1/stop", {})
    assert answer.json["running"] is False  # type: ignore[index]
    assert served.view.stopped == {1}
    answer = served.post("/api/devices/1/start", {})
    assert answer.json["running"] is True  # type: ignore[index]
    assert served.view.stopped == set()


def test_tables_and_values(served: Served) -> None:
    tables = served.found(f"{UNIT}/tables")
    assert tables[1] == {
        "table": "holding_registers",
        "ranges": [[0, 40], [100, 4]],
        "writable": True,
    }
    found = served.found(f"{UNIT}/tables/holding_registers?address=102&count=4")
    assert found == {"table": "holding_registers", "address": 102, "values": [7, 7, None, None]}


def test_values_are_written(served: Served) -> None:
    body = {"address": 101, "values": [1, 65535]}
    answer = served.put(f"{UNIT}/tables/holding_registers", body)
    assert answer.status == 200
    assert answer.json == {"table": "holding_registers", "address": 101, "values": [1, 65535]}
    assert served.view.values_of["holding_registers"][102] == 65535


def test_points_hold_what_json_cannot(served: Served) -> None:
    values = {each["name"]: each["value"] for each in served.found(f"{UNIT}/points")}
    assert values["voltage"] == 230.5
    assert values["energy"] == str(2**60)  # JavaScript would round the number
    assert values["broken"] == "NaN"


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("voltage", 231.5, 231.5),
        ("voltage", "231.5", 231.5),
        ("voltage", "nan", pytest.approx(float("nan"), nan_ok=True)),
        ("a/b", "0x10", 16),
        ("a/b", " 7 ", 7),
        ("energy", str(2**61), 2**61),
        ("running", "off", False),
        ("running", False, False),
        ("label", "7", "7"),
    ],
)
def test_a_point_is_set(served: Served, name: str, given: object, value: object) -> None:
    answer = served.put(f"{UNIT}/points/{name}", {"value": given})
    assert answer.status == 200, answer.body
    [point] = [each for each in served.view.point_list if each.name == name]
    assert point.value == value
    assert type(point.value) is type(value) or name == "voltage"


def test_a_point_is_held(served: Served) -> None:
    assert served.put(f"{UNIT}/points/voltage", {"held": True}).json["held"] is True  # type: ignore[index]
    assert served.found(f"{UNIT}/points/voltage")["held"] is True


def test_a_trend(served: Served) -> None:
    served.view.trends["voltage"] = [(1.0, 230.0), (2.0, float("inf")), (3.0, 231.0)]
    found = served.found(f"{UNIT}/trends/voltage")
    assert found == {"name": "voltage", "samples": [[1.0, 230.0], [2.0, None], [3.0, 231.0]]}


def test_counters_and_connections(served: Served) -> None:
    assert served.found(f"{UNIT}/counters")["bus messages"] == 3
    assert served.found("/api/connections")[0]["peer"] == "127.0.0.1:40000"


def test_traffic_is_filtered(served: Served) -> None:
    served.view.add_message()
    served.view.add_message(function=6, outcome="exception", unit=7)
    served.view.add_message(function=1, peer="10.0.0.9:1", request_text="read 2 coils")
    served.view.add_message(device=2)

    def numbers(query: str) -> list[int]:
        return [each["number"] for each in served.found(f"/api/traffic?{query}")]

    assert numbers("") == [1, 2, 3, 4]
    assert numbers("after=2") == [3, 4]
    assert numbers("most=1") == [4]
    assert numbers("device=2") == [4]
    assert numbers("unit=7") == [2]
    assert numbers("functions=1,6") == [2, 3]
    assert numbers("peer=10.0") == [3]
    assert numbers("outcome=exception") == [2]
    assert numbers("text=coils") == [3]


def test_a_message_is_explained_byte_by_byte(served: Served) -> None:
    found = served.found("/api/explain?request=0300100002&response=03040001002a")
    assert "".join(field["data"] for field in found["request"]).replace(" ", "") == "0300100002"
    assert "".join(field["data"] for field in found["response"]).replace(" ", "") == "03040001002a"
    assert "42" in found["response"][-1]["meaning"]
    assert served.found("/api/explain?request=03") ["response"] == []  # fmt: skip


def test_faults(served: Served) -> None:
    answer = served.put(f"{UNIT}/faults", {"exception": 0.5, "exception_code": 6})
    assert answer.status == 200
    assert served.view.current_faults == Faults(exception=0.5, exception_code=6)
    assert served.found(f"{UNIT}/faults")["exception"] == 0.5
    served.put(f"{UNIT}/faults", {"delay": 1})
    assert served.view.current_faults == Faults(exception=0.5, exception_code=6, delay=1.0)


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/api/devices/9", 404, "there is no device 9; there are 3 from 0 on"),
        ("/api/devices/x", 400, "device must be 0..1000000, got 'x'"),
        ("/api/devices?count=1000", 400, "count must be 1..500, got '1000'"),
        ("/api/devices/0/units/256/points", 400, "unit must be 0..255, got '256'"),
        ("/api/devices/0/units/3/points", 404, "device 0 has no unit 3"),
        (f"{UNIT}/tables/nothing", 404, "this unit has no table 'nothing'"),
        (f"{UNIT}/tables/coils?count=1001", 400, "count must be 1..1000, got '1001'"),
        (f"{UNIT}/points/nothing", 404, "this unit has no point 'nothing'"),
        (
            "/api/traffic?outcome=good",
            400,
            "outcome must be one of exception, mistake, ok, silence, got 'good'",
        ),
        ("/api/traffic?functions=3;4", 400, "functions must be 1..255, got '3;4'"),
        ("/api/explain?request=0x", 400, "request must be hexadecimal digits, got '0x'"),
        ("/api/nothing", 404, "not found"),
        ("/nothing", 404, "not found"),
    ],
)
def test_a_wrong_question_gets_one_sentence(
    served: Served, path: str, status: int, error: str
) -> None:
    answer = served.get(path)
    assert (answer.status, answer.error) == (status, error)


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        (
            "tables/coils",
            {"address": 0},
            "values is missing; it must be a list of 1..1000 numbers",
        ),
        (
            "tables/coils",
            {"address": 0, "values": []},
            "values must be a list of 1..1000 numbers",
        ),
        ("tables/coils", {"address": 0, "values": ["a"]}, "values must be whole numbers, got 'a'"),
        ("tables/coils", {"address": 0, "values": [1.5]}, "values must be whole numbers, got 1.5"),
        ("tables/coils", {"values": [1]}, "address is missing; it must be 0..65535"),
        (
            "tables/holding_registers",
            {"address": 0, "values": [70000]},
            "a register must be 0..65535, got 70000",
        ),
        ("points/voltage", {}, "what to change is missing: value, held or both"),
        ("points/voltage", {"held": 1}, "held must be true or false, got 1"),
        ("points/voltage", {"value": "high"}, "the value must be a number, got 'high'"),
        ("points/voltage", {"value": 2000}, "voltage must be 0..1000 V, got 2000"),
        ("points/running", {"value": "maybe"}, "the value must be true or false, got 'maybe'"),
        ("faults", {"drop": 2}, "drop must be 0..1, got 2"),
        ("faults", {"exception_code": 0}, "exception_code must be 1..255, got 0"),
        ("faults", [1], 'the body must be a JSON object, such as {"value": 1}'),
    ],
)
def test_a_wrong_change_gets_one_sentence_and_changes_nothing(
    served: Served, path: str, body: object, error: str
) -> None:
    before = (list(served.view.point_list), served.view.current_faults)
    answer = served.put(f"{UNIT}/{path}", body)
    assert (answer.status, answer.error) == (400, error)
    assert (served.view.point_list, served.view.current_faults) == before


def test_a_fault_that_is_none_is_named(served: Served) -> None:
    answer = served.put(f"{UNIT}/faults", {"drops": 1})
    assert answer.status == 400
    assert answer.error.startswith("there is no field 'drops'; there are drop, silence, ")


def _operations(served: Served) -> Iterator[tuple[str, str, list[str], object]]:
    """Yield the method, a path, the query parameters and an example of every operation."""
    filled = {"device": "0", "unit": "1", "table": "coils", "name": "voltage", "network": "::1"}
    for path, methods in served.found("/api/openapi.json")["paths"].items():
        for method, described in methods.items():
            if method != "parameters":
                content = described.get("requestBody", {}).get("content", {})
                example = content.get("application/json", {}).get("example")
                known = [each["name"] for each in described["parameters"]]
                yield method.upper(), path.format(**filled), known, example


def test_every_operation_refuses_unknown_query_parameters(served: Served) -> None:
    """A filter with a typing error must not look like one that finds everything."""
    operations = list(_operations(served))
    assert len(operations) > 15
    for method, path, known, example in operations:
        # A parameter of the path has one place, and bodies have their own arguments.
        for wrong in ("devise", "device") if "{device}" in path or method != "GET" else ("devise",):
            answer = ask(served.port, method, f"{path}?{wrong}=1", example)
            there_are = f"there are {', '.join(known)}" if known else "there are none here"
            sentence = f"there is no query parameter '{wrong}'; {there_are}"
            assert (answer.status, answer.error) == (400, sentence), (method, path)
    assert (
        served.get("/api/devices?count=1&count=2").error
        == "the query parameter count is there twice"
    )
    assert served.get("/api/devices/0?device=2").status == 400
    assert ask(served.port, "GET", "/api/traffic?unit=1&unti=2").status == 400


def test_every_change_refuses_unknown_fields(served: Served) -> None:
    for method, path, _, example in _operations(served):
        if method in ("POST", "PUT"):
            assert isinstance(example, dict)
            answer = ask(served.port, method, path, {**example, "valeu": 1})
            assert answer.status == 400, (method, path)
            assert answer.error.startswith("there is no field 'valeu'; there are "), path
    # The device in the path and another one in the body: one of them would be ignored.
    assert served.put(f"{UNIT}/points/voltage", {"value": 1, "device": 2}).status == 400


def test_numbers_may_be_texts_and_hexadecimal(served: Served) -> None:
    table = f"{UNIT}/tables/holding_registers"
    assert served.found(f"{table}?address=0x66&count=0x1")["values"] == [7]
    assert served.put(table, {"address": "0x66", "values": [8]}).status == 200
    assert served.found(f"{table}?address=102&count=1")["values"] == [8]
    assert served.found(f"{table}?address=&count=")["address"] == 0


def test_what_is_no_json(served: Served) -> None:
    answer = ask(served.port, "PUT", f"{UNIT}/faults", {}, raw=b"{")
    assert (answer.status, answer.error) == (400, "the body must be JSON")
    deep = b'{"drop":' + b"[" * 30_000
    assert ask(served.port, "PUT", f"{UNIT}/faults", {}, raw=deep).status == 400


def test_a_wrong_method(served: Served) -> None:
    answer = served.post(f"{UNIT}/points", {})
    assert (answer.status, answer.error) == (405, "method not allowed")


def test_a_failure_of_ours_is_logged_and_answered(served: Served) -> None:
    logged: queue.Queue[logging.LogRecord] = queue.Queue()
    handler = QueueHandler(logged)
    logging.getLogger("modwire.web").addHandler(handler)

    def fail() -> list[object]:
        raise RuntimeError("broken")

    served.view.connections = fail  # type: ignore[assignment, method-assign]
    try:
        answer = served.get("/api/connections")
    finally:
        del served.view.connections  # type: ignore[attr-defined]
    assert (answer.status, answer.error) == (500, "the server failed: RuntimeError")
    assert "RuntimeError: broken" in logged.get(timeout=PATIENCE).getMessage()
    assert logged.empty()
    logging.getLogger("modwire.web").removeHandler(handler)


def test_a_real_simulation_over_the_interface() -> None:
    """A Modbus client reads what the interface writes, and the interface what the client writes."""
    with RunningPage() as page, TcpClient("127.0.0.1", page.ports[1]) as client:
        table = "/api/devices/1/units/1/tables/holding_registers"
        assert ask(page.port, "PUT", table, {"address": 100, "values": [5, 6]}).status == 200
        assert client.read_holding_registers(100, 2) == [5, 6]
        client.write_register(100, 77)
        found: Any = ask(page.port, "GET", f"{table}?address=100&count=1").json
        assert found["values"] == [77]
        point = "/api/devices/1/units/1/points/setpoint"
        assert ask(page.port, "PUT", point, {"value": "61.5"}).status == 200
        assert client.read_holding_registers(0, 1) == [615]


def test_the_page_ends_when_it_is_cancelled() -> None:
    with ServedPage(FakeView()) as page:
        assert ask(page.port, "GET", "/api").status == 200
        page.stop()
        with pytest.raises(ConnectionRefusedError):
            ask(page.port, "GET", "/api")


def test_a_port_in_use_is_one_sentence() -> None:
    with ServedPage(FakeView()) as page:
        sentence = f"^cannot listen at 127.0.0.1:{page.port}: address already in use$"
        with pytest.raises(OSError, match=sentence):
            trio.run(serve_page, FakeView(), "127.0.0.1", page.port)


def test_ipv6() -> None:
    with ServedPage(FakeView(), host="::1") as page:
        assert page.link == f"http://[::1]:{page.port}/"
        assert ask(page.port, "GET", "/api", host="::1").status == 200

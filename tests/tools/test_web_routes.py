"""Every route of the REST interface does what the table in the documentation says it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

import pytest

from modwire import (
    ConnectionLostError,
    DiagnosticsRequest,
    ResponseTimeoutError,
    ServerDeviceBusyError,
)
from modwire_sync import TcpClient, connect
from modwire_tools.web.api import OPERATIONS
from own_page import OwnPage
from page_requests import PATIENCE, ask
from running_page import RunningPage, ServedPage

pytestmark = pytest.mark.timeout(600)

DEVICE = "/api/devices/0"
UNIT = f"{DEVICE}/units/1"
HOLDING = f"{UNIT}/tables/holding_registers"


class Interface:
    """The REST interface of a page, and a Modbus client of its first device."""

    def __init__(self, page: ServedPage, modbus: int) -> None:
        self.page = page
        self.modbus = modbus
        self.tried: set[tuple[str, str]] = set()

    def client(self, **options: Any) -> TcpClient:
        return TcpClient("127.0.0.1", self.modbus, unit=1, timeout=PATIENCE, **options)

    def __call__(self, method: str, path: str, body: object = None) -> Any:
        if body is None and method in ("POST", "PUT"):
            body = {}
        answer = ask(self.page.port, method, path, body)
        assert answer.status == 200, answer.body
        return answer.json


@pytest.fixture
def own() -> Iterator[Interface]:
    with OwnPage() as page:
        yield Interface(page, page.modbus)


@pytest.fixture
def simulated() -> Iterator[Interface]:
    with RunningPage(1) as page:
        yield Interface(page, page.ports[0])


Try = Callable[[Interface], None]


def read_soon(endpoint: str) -> list[bool]:
    """Return two coils of a server that is about to listen."""
    patience = monotonic() + PATIENCE
    while True:
        try:
            with connect(f"{endpoint}?unit=1&timeout={PATIENCE}") as client:
                return client.read_coils(0, 2)
        except ConnectionLostError:
            if monotonic() > patience:
                raise


def overview(api: Interface) -> None:
    found = api("GET", "/api")
    assert (found["title"], found["devices"], found["problems"]) == ("Pump station", 1, {})
    assert found["features"] == ["clients", "mode", "networks"]


def description(api: Interface) -> None:
    found = api("GET", "/api/openapi.json")
    assert found["servers"] == [{"url": "/"}]
    assert (
        f"{DEVICE}/units/1".replace("/0/", "/{device}/").replace("/1", "/{unit}") in found["paths"]
    )


def session(api: Interface) -> None:
    assert api("POST", "/api/session", {"token": ""}) == {}


def devices(api: Interface) -> None:
    with api.client() as client:
        client.read_coils(0)
        (found,) = api("GET", "/api/devices")["devices"]
    assert found["endpoints"] == [f"tcp://127.0.0.1:{api.modbus}"]
    assert [each["id"] for each in found["units"]] == [1, 2]
    assert (found["requests"], found["connections"]) == (1, 1)


def one_device(api: Interface) -> None:
    assert api("GET", DEVICE)["name"] == "Pump station"


def stop_and_start(api: Interface) -> None:
    assert api("POST", f"{DEVICE}/stop")["running"] is False
    with pytest.raises(ConnectionLostError), api.client():
        pass
    assert api("POST", f"{DEVICE}/start")["running"] is True
    assert len(read_soon(f"tcp://127.0.0.1:{api.modbus}")) == 2


def modes(api: Interface) -> None:
    assert api("GET", f"{DEVICE}/modes") == [
        {"endpoint": f"tcp://127.0.0.1:{api.modbus}", "mode": "tcp"}
    ]


def another_mode(api: Interface) -> None:
    (found,) = api("PUT", f"{DEVICE}/modes", {"mode": "ascii"})
    assert found["mode"] == "ascii"
    assert found["endpoint"] == f"ascii+tcp://127.0.0.1:{api.modbus}"
    assert len(read_soon(found["endpoint"])) == 2


def delimiter(api: Interface) -> None:
    api("PUT", f"{DEVICE}/delimiter", {"delimiter": "0x23"})
    assert api("GET", UNIT)["delimiter"] == 0x23


def networks(api: Interface) -> None:
    path = f"{DEVICE}/networks"
    assert api("GET", path) == {"networks": None}
    with api.client(retries=0) as client:
        client.read_coils(0)
        assert api("PUT", path, {"networks": ["::1"]}) == {"networks": ["::1/128"]}
        with pytest.raises((ConnectionLostError, ResponseTimeoutError)):
            client.read_coils(0)
        found = api("POST", path, {"network": "127.0.0.0/8"})
        assert found == {"networks": ["::1/128", "127.0.0.0/8"]}
        client.read_coils(0)
        assert api("DELETE", f"{path}/127.0.0.0/8") == {"networks": ["::1/128"]}
        with pytest.raises((ConnectionLostError, ResponseTimeoutError)):
            client.read_coils(0)
        assert api("DELETE", path) == {"networks": None}
        client.read_coils(0)


def tables(api: Interface) -> None:
    found = {each["table"]: each for each in api("GET", f"{UNIT}/tables")}
    assert found["input_registers"]["ranges"] == [[3, 2], [100, 1]]
    assert [each["writable"] for each in found.values()] == [True, False, True, False]
    assert list(found) == ["coils", "discrete_inputs", "holding_registers", "input_registers"]


def values(api: Interface) -> None:
    with api.client() as client:
        client.write_registers(0, [7, 8])
        client.write_coil(3, True)
    assert api("GET", f"{HOLDING}?count=2")["values"] == [7, 8]
    assert api("GET", f"{UNIT}/tables/coils?count=4")["values"] == [0, 0, 0, 1]
    assert api("GET", f"{UNIT}/tables/discrete_inputs?count=3")["values"] == [1, 0, None]
    inputs = api("GET", f"{UNIT}/tables/input_registers?address=2&count=4")
    assert inputs["values"] == [None, 2304, 2311, None]


def write_values(api: Interface) -> None:
    api("PUT", HOLDING, {"address": 0, "values": [16, 41]})
    api("PUT", f"{UNIT}/tables/coils", {"address": 1, "values": [True, 0, 1]})
    api("PUT", f"{UNIT}/tables/discrete_inputs", {"address": 0, "values": [0, 1]})
    api("PUT", f"{UNIT}/tables/input_registers", {"address": 3, "values": [1, 2]})
    with api.client() as client:
        assert client.read_holding_registers(0, 2) == [16, 41]
        assert client.read_coils(0, 4) == [False, True, False, True]
        assert client.read_discrete_inputs(0, 2) == [False, True]
        assert client.read_input_registers(3, 2) == [1, 2]
    assert isinstance(api.page, OwnPage)
    assert api.page.writes == [(0, (16, 41))]  # as a client's write


def points(api: Interface) -> None:
    found = {each["name"]: each for each in api("GET", f"{UNIT}/points")}
    assert found["voltage_l1"]["table"] == "input_registers"


def one_point(api: Interface) -> None:
    assert api("GET", f"{UNIT}/points/voltage_l1")["unit"] == "V"


def change_point(api: Interface) -> None:
    found = api("PUT", f"{UNIT}/points/voltage_l1", {"value": 240, "held": True})
    with api.client() as client:
        assert client.read_input_registers(found["address"], 1) == [2400]


def trend(api: Interface) -> None:
    assert len(api("GET", f"{UNIT}/trends/voltage_l1")["samples"]) == 1


def settings(api: Interface) -> None:
    assert api("GET", UNIT) == {
        "ids": [1],
        "listen_only": False,
        "delimiter": 10,
        "diagnostic_register": 0,
        "exception_status": 5,
    }


def change_settings(api: Interface) -> None:
    body = {"diagnostic_register": 0x1234, "exception_status": 0x81}
    assert api("PUT", UNIT, body)["diagnostic_register"] == 0x1234
    with api.client() as client:
        assert client.return_diagnostic_register() == 0x1234
        assert client.read_exception_status() == 0x81
        api("PUT", UNIT, {"listen_only": True})
        with pytest.raises(ResponseTimeoutError):
            client.read_coils(0, timeout=0.2)


def reset(api: Interface) -> None:
    with api.client() as client:
        client.write_register(0, 99)
        assert api("POST", f"{UNIT}/reset", {"diagnostics": False})["server messages"] == 1
        assert api("POST", f"{UNIT}/reset")["server messages"] == 0
        assert api("GET", f"{UNIT}/events") == []
        assert client.read_holding_registers(0) == [99]
        api("POST", f"{UNIT}/reset", {"values": True})
        assert client.read_holding_registers(0) == [15]


def identity(api: Interface) -> None:
    found = api("GET", f"{UNIT}/identity")
    assert found[0] == {"id": 0, "name": "vendor name", "value": "ACME"}
    assert found[3] == {"id": 4, "name": "product name", "value": "Pump"}
    assert found[4] == {"id": 0x80, "name": "", "value": "\\xff"}
    assert api("GET", f"{DEVICE}/units/2/identity") == []


def counters(api: Interface) -> None:
    with api.client() as client:
        client.read_coils(0)
    found = api("GET", f"{UNIT}/counters")
    assert (found["bus messages"], found["server messages"], found["events"]) == (1, 1, 1)


def events(api: Interface) -> None:
    with api.client() as client:
        client.read_coils(0)
    newest, oldest = api("GET", f"{UNIT}/events")
    assert oldest == {"code": 0x80, "type": "RemoteReceiveEvent", "flags": []}
    assert newest == {"code": 0x40, "type": "RemoteSendEvent", "flags": []}
    api("PUT", UNIT, {"listen_only": True})
    assert api("GET", f"{UNIT}/events")[0]["type"] == "EnteredListenModeEvent"


def clear_events(api: Interface) -> None:
    with api.client() as client:
        client.restart_communications()
        assert api("GET", f"{UNIT}/events")[0]["type"] == "CommunicationRestartEvent"
        assert api("DELETE", f"{UNIT}/events") == []
        assert api("GET", f"{UNIT}/counters")["events"] == 0


def statistics(api: Interface) -> None:
    assert isinstance(api.page, OwnPage)
    api.page.units[1].modbus_plus_statistics = [*range(54)]
    found = api("GET", f"{UNIT}/statistics")
    assert (found["software_version"], found["token_passes"]) == (1, 5)
    assert found["data_master_output_paths"] == [38, 0, 39, 0, 40, 0, 41, 0]


def clear_statistics(api: Interface) -> None:
    statistics(api)
    assert api("DELETE", f"{UNIT}/statistics")["token_passes"] == 0
    with api.client() as client:
        answer = client.call(DiagnosticsRequest(21, (3,)))
        assert answer.data[2:] == (0,) * 54


def faults(api: Interface) -> None:
    assert api("GET", f"{UNIT}/faults")["drop"] == 0


def change_faults(api: Interface) -> None:
    api("PUT", f"{UNIT}/faults", {"exception": 1, "exception_code": 6})
    with api.client() as client, pytest.raises(ServerDeviceBusyError):
        client.read_coils(0)


def connections(api: Interface) -> None:
    assert api("GET", "/api/connections") == []
    with api.client() as client:
        client.read_coils(0)
        (found,) = api("GET", "/api/connections")
        assert found["peer"].startswith("127.0.0.1:")
        assert found["requests"] == 1


def traffic(api: Interface) -> None:
    assert api("GET", "/api/traffic") == []
    with api.client() as client:
        client.read_holding_registers(1)
    (found,) = api("GET", "/api/traffic?unit=1")
    assert found["request_text"] == "read 1 holding register from 1"
    assert found["response_text"] == "40"


def explain(api: Interface) -> None:
    found = api("GET", "/api/explain?request=0300100002")
    assert found["request"][0]["meaning"] == "3, read holding registers"


IN_BOTH = {
    "GET /api": overview,
    "GET /api/openapi.json": description,
    "POST /api/session": session,
    "GET /api/devices": devices,
    "GET /api/devices/{device}": one_device,
    "GET /api/devices/{device}/modes": modes,
    "PUT /api/devices/{device}/delimiter": delimiter,
    "GET /api/devices/{device}/networks": networks,
    "PUT /api/devices/{device}/networks": networks,
    "POST /api/devices/{device}/networks": networks,
    "DELETE /api/devices/{device}/networks": networks,
    "DELETE /api/devices/{device}/networks/{network}": networks,
    "GET /api/devices/{device}/units/{unit}/tables": tables,
    "GET /api/devices/{device}/units/{unit}/tables/{table}": values,
    "PUT /api/devices/{device}/units/{unit}/tables/{table}": write_values,
    "GET /api/devices/{device}/units/{unit}": settings,
    "PUT /api/devices/{device}/units/{unit}": change_settings,
    "POST /api/devices/{device}/units/{unit}/reset": reset,
    "GET /api/devices/{device}/units/{unit}/identity": identity,
    "GET /api/devices/{device}/units/{unit}/counters": counters,
    "GET /api/devices/{device}/units/{unit}/events": events,
    "DELETE /api/devices/{device}/units/{unit}/events": clear_events,
    "GET /api/devices/{device}/units/{unit}/statistics": statistics,
    "DELETE /api/devices/{device}/units/{unit}/statistics": clear_statistics,
    "GET /api/connections": connections,
    "GET /api/traffic": traffic,
    "GET /api/explain": explain,
}
"""What is there for any units, tried on a server of one's own."""

OF_SIMULATIONS = {
    "POST /api/devices/{device}/start": stop_and_start,
    "POST /api/devices/{device}/stop": stop_and_start,
    "PUT /api/devices/{device}/modes": another_mode,
    "GET /api/devices/{device}/units/{unit}/points": points,
    "GET /api/devices/{device}/units/{unit}/points/{name}": one_point,
    "PUT /api/devices/{device}/units/{unit}/points/{name}": change_point,
    "GET /api/devices/{device}/units/{unit}/trends/{name}": trend,
    "GET /api/devices/{device}/units/{unit}/faults": faults,
    "PUT /api/devices/{device}/units/{unit}/faults": change_faults,
}
"""Tried on a simulation."""


@pytest.mark.parametrize("route", IN_BOTH)
def test_a_route_of_any_units(own: Interface, route: str) -> None:
    IN_BOTH[route](own)


@pytest.mark.parametrize("route", OF_SIMULATIONS)
def test_a_route_of_a_simulation(simulated: Interface, route: str) -> None:
    OF_SIMULATIONS[route](simulated)


def test_every_route_is_tried() -> None:
    routes = {f"{each.method} {each.path}" for each in OPERATIONS}
    assert routes == IN_BOTH.keys() | OF_SIMULATIONS.keys()


@pytest.mark.parametrize("tried", [networks, identity, counters, events, clear_statistics])
def test_routes_that_a_simulation_shares(simulated: Interface, tried: Try) -> None:
    """The same application serves both; these need nothing that only the own units have."""
    if tried in (networks, counters, events):
        tried(simulated)
    path = tried.__name__.removeprefix("clear_")
    assert api_answers(simulated, path)


def api_answers(api: Interface, path: str) -> bool:
    root = DEVICE if path == "networks" else UNIT
    return ask(api.page.port, "GET", f"{root}/{path}").status == 200


@pytest.mark.parametrize("route", OF_SIMULATIONS)
def test_a_server_has_no_route_of_simulations(own: Interface, route: str) -> None:
    """Its mode can be changed, because this program gave a function for that."""
    method, _, path = route.partition(" ")
    path = path.format(device=0, unit=1, name="voltage")
    status = ask(own.page.port, method, path, {"mode": "rtu"}).status
    assert status == (200 if path.endswith("/modes") else 404)
    described = own("GET", "/api/openapi.json")["paths"]
    is_there = method.lower() in described.get(route.partition(" ")[2], {})
    assert is_there == path.endswith("/modes")

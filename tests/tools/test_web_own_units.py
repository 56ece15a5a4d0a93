"""The page of a program's own units: in trio and asyncio, mounted, with odd blocks and units."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
import trio
from starlette.applications import Starlette
from starlette.routing import Mount

from modwire import (
    AsciiFraming,
    Block,
    IllegalDataAddressError,
    ServerDeviceFailureError,
    ServerOptions,
    Unit,
    Units,
)
from modwire_asyncio import TcpClient, TcpServer
from modwire_sync import connect
from modwire_tools.web import UnitsView, page_app
from own_page import OwnPage, pump_station
from page_requests import PATIENCE, ask

TOKEN = "a-token-for-tests"
HOST = (b"host", b"localhost")
HOLDING = "/api/devices/0/units/1/tables/holding_registers"


async def request(
    app: Any,
    method: str,
    path: str,
    body: object = None,
    *headers: tuple[bytes, bytes],
    root: str = "",
    scheme: str = "http",
    server: tuple[str, int] = ("127.0.0.1", 80),
    client: tuple[str, int] | None = ("127.0.0.1", 9),
) -> tuple[int, dict[str, str], Any]:
    """Send a request to an ASGI application, in any loop; return status, headers and body."""
    data = b"" if body is None else json.dumps(body).encode()
    path, _, query = path.partition("?")
    given = [] if any(name == b"host" for name, _ in headers) else [HOST]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": scheme,
        "path": root + path,
        "root_path": root,
        "query_string": query.encode(),
        "headers": [*given, (b"content-type", b"application/json"), *headers],
        "client": client,
        "server": server,
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": data, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    found = b"".join(each.get("body", b"") for each in sent)
    answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    is_json = answered.get("content-type") == "application/json"
    return sent[0]["status"], answered, json.loads(found) if is_json else found.decode()


Run = Callable[[Callable[[], Awaitable[None]]], None]


@pytest.fixture(params=["trio", "asyncio"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run a coroutine function in the loop of either package."""
    if request.param == "trio":
        return lambda main: trio.run(main)
    return lambda main: asyncio.run(main())  # type: ignore[arg-type]


def test_units_are_shown_in_either_loop(run: Run) -> None:
    async def main() -> None:
        app = page_app(pump_station())
        status, _, found = await request(app, "GET", f"{HOLDING}?count=2")
        assert (status, found["values"]) == (200, [15, 40])
        body = {"address": 1, "values": [50]}
        assert (await request(app, "PUT", HOLDING, body))[2]["values"] == [50]
        assert (await request(app, "GET", "/api"))[2]["features"] == []
        for absent in ("/api/connections", "/api/traffic", "/api/devices/0/networks"):
            assert (await request(app, "GET", absent))[0] == 404
        assert "main.js" in (await request(app, "GET", "/"))[2]

    run(main)


def test_below_a_path_of_another_application(run: Run) -> None:
    async def main() -> None:
        app = Starlette(routes=[Mount("/plant/modbus", page_app(pump_station(), token=TOKEN))])
        bearer = (b"authorization", f"Bearer {TOKEN}".encode())
        below = "/plant/modbus"
        assert (await request(app, "GET", f"{below}{HOLDING}"))[0] == 401
        status, _, found = await request(app, "GET", f"{below}{HOLDING}?count=1", None, bearer)
        assert (status, found["values"]) == (200, [15])
        described = (await request(app, "GET", f"{below}/api/openapi.json", None, bearer))[2]
        assert described["servers"] == [{"url": below}]
        status, headers, _ = await request(app, "POST", f"{below}/api/session", {"token": TOKEN})
        assert status == 200
        assert f"Path={below}/;" in headers["set-cookie"]
        cookie = (b"cookie", headers["set-cookie"].partition(";")[0].encode())
        assert (await request(app, "GET", f"{below}/api", None, cookie))[0] == 200
        status, headers, _ = await request(app, "GET", f"{below}/?token={TOKEN}")
        assert (status, headers["location"]) == (303, f"{below}/")
        status, headers, _ = await request(app, "GET", below)
        assert (status, headers["location"]) == (307, "http://localhost/plant/modbus/")
        for page in ("/", "/api/docs"):
            up = "" if page == "/" else "../"
            assert f'src="{up}pages/' in (await request(app, "GET", below + page, None, cookie))[2]
            # The page that asks for the token as well.
            assert f'"{up}pages/sign-in.js"' in (await request(app, "GET", below + page))[2]
        # Other servers pass the path without the root, or with a root of their own.
        bare = page_app(pump_station())
        assert (await request(bare, "GET", "/api", root="/behind"))[0] == 200
        status, headers, _ = await request(bare, "GET", "", root="/behind")
        assert (status, headers["location"]) == (307, "/behind/")

    run(main)


def test_an_asyncio_program_shows_its_server() -> None:
    async def main() -> None:
        units = pump_station()
        view = UnitsView(units, title="Pump")
        connected: list[object] = []
        options = ServerOptions(on_connect=connected.append, on_disconnect=connected.append)
        options = view.watched("tcp://127.0.0.1:5020", options)
        app = page_app(view)
        async with (
            TcpServer(units, ("127.0.0.1", 0), options=options) as server,
            TcpClient(*server.address, unit=1) as client,
        ):
            assert (await request(app, "GET", "/api/traffic"))[2] == []
            await client.read_holding_registers(1)
            (found,) = (await request(app, "GET", "/api/traffic"))[2]
            assert (found["response_text"], found["endpoint"]) == ("40", "tcp://127.0.0.1:5020")
            assert 0 <= found["milliseconds"] < PATIENCE * 1000
            (link,) = (await request(app, "GET", "/api/connections"))[2]
            assert link["requests"] == 1
            assert abs(link["heard"] - link["since"]) < PATIENCE
        assert len(connected) == 2  # the program's own hooks are called too

    asyncio.run(main())


def test_a_writing_client_and_the_page_obey_the_same_rules() -> None:
    with OwnPage() as page:
        for body, error in (
            ({"address": 1, "values": [101]}, "value 101 is not allowed at address 1"),
            ({"address": 9, "values": [1]}, "address 9 is read-only"),
        ):
            answer = ask(page.port, "PUT", HOLDING, body)
            assert (answer.status, answer.error) == (400, f"the unit refuses the value: {error}")
        answer = ask(page.port, "PUT", HOLDING, {"address": 8, "values": [1, 2, 3]})
        sentence = "unit 1 does not have all of 8..10 in its holding registers"
        assert (answer.status, answer.error) == (400, sentence)
        assert page.writes == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("GET", "/api/devices/1", None, 404, "there is no device 1; there are 1 from 0 on"),
        ("GET", "/api/devices/1/modes", None, 404, "there is no device 1; there is only 0"),
        ("GET", "/api/devices/0/units/9", None, 404, "there is no unit 9, there are 1, 2"),
        ("PUT", "/api/devices/0/modes", {"mode": "x"}, 400, "mode must be one of ascii, binary, "),
        ("PUT", "/api/devices/0/modes", {"mode": "rtu", "endpoint": "x"}, 404, "there is no endp"),
        ("PUT", "/api/devices/0/delimiter", {"delimiter": 128}, 400, "delimiter must be 0..127"),
        ("PUT", "/api/devices/0/delimiter", {"delimiter": 58}, 400, 'ascii_delimiter must not be '),
        ("PUT", "/api/devices/0/networks", {"networks": ["x"]}, 400, "allow must have networks"),
        ("PUT", "/api/devices/0/networks", {"networks": [1]}, 400, "networks must be texts, got 1"),
        ("POST", "/api/devices/0/networks", {"network": "::1"}, 400, "all networks are allowed; "),
        ("DELETE", "/api/devices/0/networks/::1", None, 400, "all networks are allowed; "),
        ("PUT", "/api/devices/0/units/1", {}, 400, "what to change is missing: listen_only, "),
        ("PUT", "/api/devices/0/units/1", {"exception_status": 256}, 400, "exception_status must"),
        ("DELETE", "/api/devices/0/units/1/events?all=1", None, 400, "there is no query parameter"),
    ],
)  # fmt: skip
def test_a_wrong_request_gets_one_sentence(
    run: Run, method: str, path: str, body: object, status: int, error: str
) -> None:
    async def main() -> None:
        from modwire import AllowedNetworks

        view = UnitsView(pump_station(), allow=AllowedNetworks(), set_mode=print)
        view.watched("tcp://127.0.0.1:5020")
        answered, _, found = await request(page_app(view), method, path, body)
        assert (answered, found["error"][: len(error)]) == (status, error)

    run(main)


class Sensor(Block):
    """A block of one's own, which does not say what addresses it has: only odd ones are there."""

    def read(self, address: int, count: int) -> Sequence[int]:
        if count > 1 or not address % 2:
            raise IllegalDataAddressError
        return [address]

    def write(self, address: int, values: Sequence[int]) -> None:
        raise ServerDeviceFailureError(detail="the sensor is off")


def test_a_block_of_ones_own(run: Run) -> None:
    async def main() -> None:
        unit = Unit(holding_registers=Sensor(), input_registers=Sensor(), blocking=True)
        app = page_app(Units({1: unit}))
        (table, _) = (await request(app, "GET", "/api/devices/0/units/1/tables"))[2]
        assert table["ranges"] == [[0, 65536]]
        found = (await request(app, "GET", f"{HOLDING}?address=10&count=5"))[2]
        assert found["values"] == [None, 11, None, 13, None]
        for path in (HOLDING, HOLDING.replace("holding", "input")):
            status, _, found = await request(app, "PUT", path, {"address": 1, "values": [1]})
            assert (status, found["error"]) == (503, "the unit refuses it: the sensor is off")
        status, _, found = await request(
            app, "POST", "/api/devices/0/units/1/reset", {"values": True}
        )
        assert (status, found["error"][:46]) == (
            400,
            "the values cannot be reset: Sensor must define",
        )

    run(main)


def test_one_unit_with_many_ids_is_shown_once() -> None:
    pump, other = Unit(), Unit()
    view = UnitsView(Units({0: pump, 3: pump, 4: pump, 9: other}))
    (device,) = view.devices()
    assert [(each.id, each.name) for each in device.units] == [(3, "3 ids"), (9, "")]
    assert view.state(0, 4).ids == [0, 3, 4]
    (device,) = UnitsView(Units.single(pump)).devices()
    assert [(each.id, each.name) for each in device.units] == [(1, "all ids")]


def test_the_delimiter_changes_while_a_client_is_connected() -> None:
    with OwnPage(framing=AsciiFraming) as page:
        place = f"ascii+tcp://127.0.0.1:{page.modbus}?unit=1&timeout={PATIENCE}"
        with connect(place) as client:
            assert client.read_holding_registers(0) == [15]
            client.change_ascii_input_delimiter("#")
            assert client.read_holding_registers(0) == [15]
            answer = ask(page.port, "PUT", "/api/devices/0/delimiter", {"delimiter": 10})
            assert answer.status == 200
        with connect(place) as client:
            assert client.read_holding_registers(0) == [15]


def test_who_may_use_an_application() -> None:
    units = pump_station()
    with pytest.raises(ValueError, match="^to serve the page as plant.example, beyond this mach"):
        page_app(units, names=["plant.example"])
    with pytest.raises(ValueError, match="^a token must be 8 or more"):
        page_app(units, token="short")
    with pytest.raises(TypeError, match="^units must be Units, such as"):
        UnitsView({1: Unit()})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="^allow must be AllowedNetworks"):
        UnitsView(units, allow=["::1"])  # type: ignore[arg-type]


def test_hosts_and_origins_of_an_application(run: Run) -> None:
    async def main() -> None:
        plant = (b"host", b"plant.example")
        lan = (b"host", b"192.0.2.7")
        outside = ("192.0.2.7", 80)
        bare = page_app(pump_station())
        assert (await request(bare, "GET", "/api", None, plant))[0] == 403
        # A client on another machine can send any Host.
        for far in (("192.0.2.8", 9), ("::ffff:192.0.2.8", 9), None):
            assert (await request(bare, "GET", "/api", client=far))[0] == 403
        for near in ("::1", "::ffff:127.0.0.1"):
            assert (await request(bare, "GET", "/api", client=(near, 9)))[0] == 200
        # Without a token, an address that others can reach is no name of ours.
        assert (await request(bare, "GET", "/api", None, lan, server=outside))[0] == 403
        closed = page_app(pump_station(), token=TOKEN)
        assert (await request(closed, "GET", "/api", None, lan, server=outside))[0] == 401
        bearer = (b"authorization", f"Bearer {TOKEN}".encode())
        far = ("192.0.2.8", 9)
        lan_request = request(closed, "GET", "/api", None, lan, bearer, server=outside, client=far)
        assert (await lan_request)[0] == 200
        inside = page_app(pump_station(), names=["plant.example"], is_protected=True)
        far = ("192.0.2.8", 9)
        assert (await request(inside, "GET", "/api", None, plant, client=far))[0] == 200
        origin = (b"origin", b"https://plant.example")
        body = {"address": 0, "values": [1]}
        assert (await request(inside, "PUT", HOLDING, body, plant, origin))[0] == 403
        secure = await request(inside, "PUT", HOLDING, body, plant, origin, scheme="https")
        assert secure[0] == 200
        evil = (b"origin", b"https://evil.example")
        path = "/api/devices/0/units/1/events"
        assert (await request(inside, "DELETE", path, None, plant, evil))[0] == 403

    run(main)

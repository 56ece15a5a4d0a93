"""The REST interface under `/api`: each function is one operation of `openapi.py`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .. import explain_pdu
from ..simulator.view import PointInfo, View
from . import arguments, plain
from .access import Access, RefusedError
from .openapi import describe

Operation = Callable[[Request], Awaitable[Response]]
_UNIT = "/api/devices/{device}/units/{unit}"
_LONGEST_SENTENCE = 500  # characters; it may have in it what was sent, which may be long


def answer(value: plain.Json, status: int = 200) -> Response:
    """`value` as the body of an answer; nothing of it is kept by a browser."""
    headers = {"cache-control": "no-store"}
    return Response(plain.to_json(value), status, headers, "application/json")


def refuse(_: Request, error: Exception) -> Response:
    """What an error of an operation is answered with: a status, and its sentence."""
    if isinstance(error, RefusedError):
        return answer({"error": error.sentence}, error.status)
    if isinstance(error, HTTPException):
        response = answer({"error": error.detail.lower()}, error.status_code)
        response.headers.update(error.headers or {})
        return response
    status = 404 if isinstance(error, LookupError) else 400
    # str() of a KeyError is in quotes.
    sentence = error.args[0] if error.args else "there is no such thing"
    return answer({"error": str(sentence)[:_LONGEST_SENTENCE]}, status)


class Api:
    """The operations on one `view`."""

    def __init__(self, view: View, access: Access) -> None:
        self._view = view
        self._access = access

    def routes(self) -> list[Route]:
        """All routes; every one is described in `openapi.py`."""
        return [
            Route("/api", self.overview),
            Route("/api/openapi.json", self.openapi),
            Route("/api/session", self.sign_in, methods=["POST"]),
            Route("/api/devices", self.devices),
            Route("/api/devices/{device}", self.device),
            Route("/api/devices/{device}/start", self.start, methods=["POST"]),
            Route("/api/devices/{device}/stop", self.stop, methods=["POST"]),
            Route(f"{_UNIT}/tables", self.tables),
            Route(f"{_UNIT}/tables/{{table}}", self.values),
            Route(f"{_UNIT}/tables/{{table}}", self.write_values, methods=["PUT"]),
            Route(f"{_UNIT}/points", self.points),
            Route(f"{_UNIT}/points/{{name:path}}", self.point),
            Route(f"{_UNIT}/points/{{name:path}}", self.change_point, methods=["PUT"]),
            Route(f"{_UNIT}/trends/{{name:path}}", self.trend),
            Route(f"{_UNIT}/counters", self.counters),
            Route(f"{_UNIT}/faults", self.faults),
            Route(f"{_UNIT}/faults", self.change_faults, methods=["PUT"]),
            Route("/api/connections", self.connections),
            Route("/api/traffic", self.traffic),
            Route("/api/explain", self.explain),
        ]

    async def overview(self, request: Request) -> Response:
        return answer(
            {
                "title": self._view.title(),
                "devices": self._view.device_count(),
                "problems": {str(key): text for key, text in self._view.problems().items()},
                "version": version("modwire-tools"),
            }
        )

    async def openapi(self, request: Request) -> Response:
        return answer(describe(version("modwire-tools"), wants_token=self._access.wants_token))

    async def sign_in(self, request: Request) -> Response:
        given = (await arguments.body_of(request)).get("token")
        if self._access.wants_token:
            if not isinstance(given, str) or not self._access.is_token(given):
                raise RefusedError(401, "this is not the token that the simulator printed")
        response = answer({})
        if self._access.wants_token:
            response.headers["set-cookie"] = self._access.cookie()
        return response

    async def devices(self, request: Request) -> Response:
        query = request.query_params
        start = arguments.integer(query, "start", 0, 1_000_000, 0)
        count = arguments.integer(query, "count", 1, arguments.MOST_DEVICES, 100)
        found = plain.search_devices(self._view, arguments.text(query, "search"))
        return answer(plain.devices(self._view, start, count, found))

    async def device(self, request: Request) -> Response:
        index = arguments.device_of(request.path_params)
        return answer(self._device(index))

    def _device(self, index: int) -> dict[str, plain.Json]:
        found = self._view.devices(index, 1)
        if not found:
            raise LookupError(
                f"there is no device {index}; there are {self._view.device_count()} from 0 on"
            )
        return plain.device(found[0], self._view.problems())

    async def start(self, request: Request) -> Response:
        index = arguments.device_of(request.path_params)
        self._device(index)
        self._view.start(index)
        return answer(self._device(index))

    async def stop(self, request: Request) -> Response:
        index = arguments.device_of(request.path_params)
        self._device(index)
        self._view.stop(index)
        return answer(self._device(index))

    async def tables(self, request: Request) -> Response:
        return answer([plain.table(info) for info in self._view.tables(*_unit(request))])

    async def values(self, request: Request) -> Response:
        query = request.query_params
        address = arguments.integer(query, "address", 0, 65535, 0)
        count = arguments.integer(query, "count", 1, arguments.MOST_VALUES, 100)
        table = str(request.path_params["table"])
        values = self._view.values(*_unit(request), table, address, count)
        return answer({"table": table, "address": address, "values": values})

    async def write_values(self, request: Request) -> Response:
        body = await arguments.body_of(request)
        address = arguments.integer(body, "address", 0, 65535)
        written = arguments.values_of(body)
        table = str(request.path_params["table"])
        self._view.write(*_unit(request), table, address, written)
        values = self._view.values(*_unit(request), table, address, len(written))
        return answer({"table": table, "address": address, "values": values})

    async def points(self, request: Request) -> Response:
        return answer([plain.point(info) for info in self._view.points(*_unit(request))])

    async def point(self, request: Request) -> Response:
        return answer(plain.point(self._point(request)))

    def _point(self, request: Request) -> PointInfo:
        name = str(request.path_params["name"])
        for info in self._view.points(*_unit(request)):
            if info.name == name:
                return info
        raise LookupError(f"this unit has no point {name!r}")

    async def change_point(self, request: Request) -> Response:
        body = await arguments.body_of(request)
        point = self._point(request)
        if not {"value", "held"} & body.keys():
            raise ValueError("what to change is missing: value, held or both")
        held = arguments.flag(body, "held") if "held" in body else None
        if "value" in body:
            value = arguments.point_value(body["value"], point.value)
            self._view.write_point(*_unit(request), point.name, value)
        if held is not None:
            self._view.hold_point(*_unit(request), point.name, held)
        return answer(plain.point(self._point(request)))

    async def trend(self, request: Request) -> Response:
        name = str(request.path_params["name"])
        return answer(
            {"name": name, "samples": plain.trend(self._view.trend(*_unit(request), name))}
        )

    async def counters(self, request: Request) -> Response:
        return answer(self._view.counters(*_unit(request)))

    async def faults(self, request: Request) -> Response:
        return answer(plain.faults(self._view.faults(*_unit(request))))

    async def change_faults(self, request: Request) -> Response:
        body = await arguments.body_of(request)
        device, unit = _unit(request)
        changed = arguments.changed_faults(self._view.faults(device, unit), body)
        self._view.set_faults(device, unit, changed)
        return answer(plain.faults(self._view.faults(device, unit)))

    async def connections(self, request: Request) -> Response:
        return answer([plain.connection(info) for info in self._view.connections()])

    async def traffic(self, request: Request) -> Response:
        query = request.query_params
        after = arguments.integer(query, "after", 0, 2**53, 0)
        most = arguments.integer(query, "most", 1, arguments.MOST_MESSAGES, 200)
        found = self._view.traffic(after, arguments.traffic_filter(query), most)
        return answer([plain.message(info) for info in found])

    async def explain(self, request: Request) -> Response:
        asked = arguments.hex_bytes(request.query_params, "request")
        answered = arguments.hex_bytes(request.query_params, "response")
        shown: Mapping[str, plain.Json] = {
            "request": [plain.field(item) for item in explain_pdu(asked, is_response=False)]
            if asked
            else [],
            "response": [
                plain.field(item)
                for item in explain_pdu(answered, is_response=True, request=asked or None)
            ]
            if answered
            else [],
        }
        return answer(shown)


def _unit(request: Request) -> tuple[int, int]:
    return arguments.device_of(request.path_params), arguments.unit_of(request.path_params)

"""`describe`: the OpenAPI 3.1 description of the REST interface; a test holds it to the routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .openapi_schemas import OUTCOME, SCHEMAS, TABLE_NAME, Schema, integer, listed, reference, text

_INTRODUCTION = (
    "What the page of a running simulation shows and changes. Bodies are JSON, and "
    "the content type application/json is wanted with each POST and PUT. What is wrong is answered "
    "with one sentence, in the field error."
)
_UNIT = "/api/devices/{device}/units/{unit}"


def _path(name: str, schema: Schema) -> Mapping[str, object]:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query(name: str, schema: Schema, default: object = None) -> Mapping[str, object]:
    shown = schema if default is None else {**schema, "default": default}
    return {"name": name, "in": "query", "schema": shown}


_PATHS = {
    "device": _path("device", integer("index of a device, from 0", 0)),
    "unit": _path("unit", integer("a unit id", 0, 255)),
    "table": _path("table", TABLE_NAME),
    "name": _path("name", text("of a point")),
}


def _operation(
    summary: str,
    tag: str,
    result: Schema,
    *,
    query: Sequence[Mapping[str, object]] = (),
    body: str | None = None,
    example: Mapping[str, object] | None = None,
) -> dict[str, object]:
    errors = {
        "description": "what was wrong, in one sentence",
        "content": {"application/json": {"schema": reference("Error")}},
    }
    operation: dict[str, object] = {
        "summary": summary,
        "tags": [tag],
        "parameters": list(query),
        "responses": {
            "200": {"description": "done", "content": {"application/json": {"schema": result}}},
            "4XX": errors,
        },
    }
    if body is not None:
        content = {"schema": reference(body), "example": example or {}}
        operation["requestBody"] = {
            "required": body != "Empty",
            "content": {"application/json": content},
        }
    return operation


def _operations() -> dict[str, dict[str, dict[str, object]]]:
    device, values = reference("Device"), reference("Values")
    point, faults = reference("Point"), reference("Faults")
    return {
        "/api": {"get": _operation("What is simulated", "Simulation", reference("Overview"))},
        "/api/openapi.json": {
            "get": _operation("This description", "Simulation", {"type": "object"})
        },
        "/api/session": {
            "post": _operation(
                "Get the page's cookie for the token",
                "Simulation",
                reference("Empty"),
                body="Token",
                example={"token": "..."},
            )
        },
        "/api/devices": {
            "get": _operation(
                "Devices, page by page",
                "Devices",
                reference("Devices"),
                query=[
                    _query("start", integer("which comes first", 0), 0),
                    _query("count", integer("how many", 1, 500), 100),
                    _query("search", text("in names, units and endpoints")),
                ],
            )
        },
        "/api/devices/{device}": {"get": _operation("One device", "Devices", device)},
        "/api/devices/{device}/start": {
            "post": _operation("Serve a device again", "Devices", device, body="Empty")
        },
        "/api/devices/{device}/stop": {
            "post": _operation(
                "Stop serving a device; its values stay", "Devices", device, body="Empty"
            )
        },
        f"{_UNIT}/tables": {
            "get": _operation("The tables of a unit", "Values", listed(reference("Table")))
        },
        f"{_UNIT}/tables/{{table}}": {
            "get": _operation(
                "Values of a table",
                "Values",
                values,
                query=[
                    _query("address", integer("of the first", 0, 65535), 0),
                    _query("count", integer("how many", 1, 1000), 100),
                ],
            ),
            "put": _operation(
                "Write values, to read-only tables too",
                "Values",
                values,
                body="WriteValues",
                example={"address": 0, "values": [1]},
            ),
        },
        f"{_UNIT}/points": {
            "get": _operation("The points of a unit", "Points", listed(point)),
        },
        f"{_UNIT}/points/{{name}}": {
            "get": _operation("One point", "Points", point),
            "put": _operation(
                "Set a point, hold it still, or let it live on",
                "Points",
                point,
                body="ChangePoint",
                example={"value": 1},
            ),
        },
        f"{_UNIT}/trends/{{name}}": {
            "get": _operation(
                "The latest values of a point, recorded since this was first asked",
                "Points",
                reference("Trend"),
            )
        },
        f"{_UNIT}/counters": {
            "get": _operation("The diagnostic counters", "Diagnostics", reference("Counters"))
        },
        f"{_UNIT}/faults": {
            "get": _operation("What a unit does wrong", "Faults", faults),
            "put": _operation(
                "Change what a unit does wrong; what is not named stays",
                "Faults",
                faults,
                body="ChangeFaults",
                example={"exception": 0.5, "exception_code": 6},
            ),
        },
        "/api/connections": {
            "get": _operation("Connected clients", "Diagnostics", listed(reference("Connection")))
        },
        "/api/traffic": {
            "get": _operation(
                "The latest messages, recorded since this was first asked",
                "Traffic",
                listed(reference("Message")),
                query=[
                    _query("after", integer("only those with higher numbers", 0), 0),
                    _query("most", integer("how many at most, the latest", 1, 1000), 200),
                    _query("device", integer("index of a device", 0)),
                    _query("unit", integer("a unit id", 0, 255)),
                    _query("peer", text("a part of the client's name")),
                    _query("functions", text("function codes with commas between: 3,4")),
                    _query("outcome", OUTCOME),
                    _query("text", text("in the words of the request or the answer")),
                ],
            )
        },
        "/api/explain": {
            "get": _operation(
                "What the bytes of a message mean",
                "Traffic",
                reference("Explanation"),
                query=[
                    _query("request", text("a PDU, in hexadecimal digits")),
                    _query("response", text("the PDU of its answer")),
                ],
            )
        },
    }


def describe(version: str, *, wants_token: bool) -> dict[str, object]:
    """The OpenAPI document, ready for JSON; `version` is that of modwire-tools."""
    paths: dict[str, dict[str, object]] = {}
    for path, operations in _operations().items():
        places = [place for name, place in _PATHS.items() if f"{{{name}}}" in path]
        paths[path] = {**({"parameters": places} if places else {}), **operations}
        for method, operation in operations.items():
            operation["operationId"] = _operation_id(method, path)
    document: dict[str, object] = {
        "openapi": "3.1.0",
        "info": {
            "title": "modwire simulator",
            "version": version,
            "description": _INTRODUCTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": dict(SCHEMAS)},
    }
    if wants_token:
        document["components"] = {
            "schemas": dict(SCHEMAS),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        }
        document["security"] = [{"token": []}]
    return document


def _operation_id(method: str, path: str) -> str:
    parts = path.removesuffix(".json").replace("{", "").replace("}", "").split("/")
    return "_".join([method, *[part for part in parts if part not in ("", "api")]])

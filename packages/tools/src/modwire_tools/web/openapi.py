"""`describe`: the OpenAPI 3.1 description of the REST interface, made from its operations."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from .models import Error
from .operations import Operation

_INTRODUCTION = (
    "What the page of a server shows and changes. Bodies are JSON, and each POST and "
    "PUT needs the content type application/json. Unknown parameters and fields are refused. A "
    "refused request is answered with one sentence, in the field error."
)
_TEMPLATE = "#/components/schemas/{name}"

Schema = dict[str, object]


def describe(
    operations: Sequence[Operation], version: str, *, wants_token: bool
) -> dict[str, object]:
    """Return the OpenAPI document, ready for JSON; `version` is that of modwire-tools.

    Its `servers` depend on where the application is mounted, and are added for each request.
    """
    (error, *answers), schemas = msgspec.json.schema_components(
        [Error, *(each.gives for each in operations)], ref_template=_TEMPLATE
    )
    paths: dict[str, Schema] = {}
    for operation, answer in zip(operations, answers, strict=True):
        arguments = _arguments(operation)
        in_path = {name: each for name, each in arguments.items() if operation.has_in_path(name)}
        path = paths.setdefault(operation.path, {"parameters": _parameters("path", in_path)})
        others = {name: each for name, each in arguments.items() if name not in in_path}
        path[operation.method.lower()] = _operation(operation, others, answer, error)
    components: Schema = {"schemas": schemas}
    document: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": "modwire",
            "version": version,
            "description": _INTRODUCTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": components,
    }
    if wants_token:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return document


def _arguments(operation: Operation) -> dict[str, tuple[Schema, bool]]:
    """Return the schema of each argument, and True if it is required."""
    _, schemas = msgspec.json.schema_components([operation.asks], ref_template=_TEMPLATE)
    asked = schemas[operation.asks.__name__]
    return {
        name: (schema, name in asked["required"]) for name, schema in asked["properties"].items()
    }


def _parameters(place: str, arguments: dict[str, tuple[Schema, bool]]) -> list[Schema]:
    return [
        {"name": name, "in": place, "required": is_required, "schema": schema}
        for name, (schema, is_required) in arguments.items()
    ]


def _operation(
    operation: Operation, arguments: dict[str, tuple[Schema, bool]], answer: Schema, error: Schema
) -> Schema:
    """Return an operation; `arguments` has the arguments that are not in the path."""
    has_body = operation.example is not None
    described: Schema = {
        "summary": operation.summary,
        "tags": [operation.tag],
        "operationId": _operation_id(operation),
        "parameters": [] if has_body else _parameters("query", arguments),
        "responses": {
            "200": {"description": "done", "content": {"application/json": {"schema": answer}}},
            "4XX": {
                "description": "what was wrong, in one sentence",
                "content": {"application/json": {"schema": error}},
            },
        },
    }
    if has_body:
        schema = {
            "type": "object",
            "properties": {name: each for name, (each, _) in arguments.items()},
            "required": [name for name, (_, is_required) in arguments.items() if is_required],
            "additionalProperties": False,
        }
        described["requestBody"] = {
            "required": bool(arguments),
            "content": {"application/json": {"schema": schema, "example": operation.example}},
        }
    return described


def _operation_id(operation: Operation) -> str:
    path = operation.path.removesuffix(".json").replace("{", "").replace("}", "")
    parts = [part for part in path.split("/") if part not in ("", "api")]
    return "_".join([operation.method.lower(), *parts])

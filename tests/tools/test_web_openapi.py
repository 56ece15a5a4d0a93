"""The OpenAPI description of the REST interface, and responses that must match it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from fake_view import FakeView
from page_requests import ask
from running_page import ServedPage


@pytest.fixture(scope="module")
def page() -> Iterator[ServedPage]:
    view = FakeView()
    view.add_message()
    with ServedPage(view) as served:
        yield served


def found(page: ServedPage, path: str) -> Any:
    answer = ask(page.port, "GET", path)
    assert answer.status == 200, answer.body
    return answer.json


def test_the_description_is_whole(page: ServedPage) -> None:
    document = found(page, "/api/openapi.json")
    assert document["openapi"] == "3.1.0"
    schemas = document["components"]["schemas"]
    text = json.dumps(document)
    references = set(re.findall(r'"\$ref": "#/components/schemas/(\w+)"', text))
    assert references == schemas.keys()
    ids = []
    for path, methods in document["paths"].items():
        named = {each["name"] for each in methods.get("parameters", ())}
        assert named == set(re.findall(r"{(\w+)}", path))
        ids += [each["operationId"] for key, each in methods.items() if key != "parameters"]
    assert len(ids) == len(set(ids))


def _check(value: Any, schema: Any, schemas: Any) -> None:
    """Assert that `value` matches the schema; supports only the keywords that are used here."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    kinds = {
        "object": dict,
        "array": list,
        "integer": int,
        "number": (int, float),
        "string": str,
        "boolean": bool,
        "null": type(None),
    }
    if "anyOf" in schema:
        kinds_of = [each["type"] for each in schema["anyOf"]]
        schema = {**schema, "type": kinds_of}
    wanted = schema.get("type", [])
    names = [wanted] if isinstance(wanted, str) else wanted
    if names:
        assert any(isinstance(value, kinds[name]) for name in names), (value, schema)
    if "enum" in schema:
        assert value in schema["enum"]
    if isinstance(value, dict) and "properties" in schema:
        assert value.keys() == schema["properties"].keys(), (value, schema)
        for key, each in value.items():
            _check(each, schema["properties"][key], schemas)
    if isinstance(value, list) and "prefixItems" in schema:
        assert len(value) == len(schema["prefixItems"])
        for each, its_schema in zip(value, schema["prefixItems"], strict=True):
            _check(each, its_schema, schemas)
    elif isinstance(value, list) and "items" in schema:
        for each in value:
            _check(each, schema["items"], schemas)


def test_answers_are_as_described(page: ServedPage) -> None:
    document = found(page, "/api/openapi.json")
    schemas = document["components"]["schemas"]
    filled = {"device": "0", "unit": "1", "table": "holding_registers", "name": "voltage"}
    for path, methods in document["paths"].items():
        if "get" in methods:
            answer = found(page, path.format(**filled))
            content = methods["get"]["responses"]["200"]["content"]
            _check(answer, content["application/json"]["schema"], schemas)

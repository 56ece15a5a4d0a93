"""The shapes of the OpenAPI description: what a `View` gives, as JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping

from modwire.units.tables import TABLES

Schema = Mapping[str, object]

_TIME = "seconds since the epoch"


def shape(properties: Mapping[str, Schema], *, optional: bool = False) -> Schema:
    """An object with these properties, all of which are there unless they are `optional`."""
    found: dict[str, object] = {"type": "object", "properties": properties}
    if not optional:
        found["required"] = list(properties)
    return found


def reference(name: str) -> Schema:
    """A shape of `SCHEMAS`."""
    return {"$ref": f"#/components/schemas/{name}"}


def listed(items: Schema) -> Schema:
    """A list of them."""
    return {"type": "array", "items": items}


def number(description: str, least: float | None = None, most: float | None = None) -> Schema:
    """A number."""
    return _limited("number", description, least, most)


def integer(description: str, least: int | None = None, most: int | None = None) -> Schema:
    """A whole number."""
    return _limited("integer", description, least, most)


def text(description: str) -> Schema:
    """A text."""
    return {"type": "string", "description": description}


def flag(description: str) -> Schema:
    """True or false."""
    return {"type": "boolean", "description": description}


def _limited(kind: str, description: str, least: float | None, most: float | None) -> Schema:
    limits = {"minimum": least, "maximum": most}
    return {
        "type": kind,
        "description": description,
        **{key: limit for key, limit in limits.items() if limit is not None},
    }


TABLE_NAME: Schema = {"type": "string", "enum": list(TABLES)}
OUTCOME: Schema = {"type": "string", "enum": ["ok", "exception", "silence"]}
POINT_VALUE: Schema = {
    "description": "a number, a text, a bool or a list; numbers that are not finite, and integers "
    "beyond 2^53 - 1, are texts",
}

_FAULTS = {
    "drop": number("rate at which the connection is closed without an answer", 0, 1),
    "silence": number("rate at which nothing is answered", 0, 1),
    "damage": number("rate at which the answer has a wrong checksum or protocol id", 0, 1),
    "exception": number("rate at which exception_code is answered", 0, 1),
    "exception_code": integer("the code that is answered then", 1, 255),
    "delay": number("rate at which the answer waits for delay_seconds", 0, 1),
    "delay_seconds": number("how long it waits then", 0, 3600),
}

_DEVICE = {
    "index": integer("which device it is, from 0", 0),
    "name": text("its name"),
    "running": flag("whether it is served"),
    "endpoints": listed(text('where, such as "tcp://127.0.0.1:5020"')),
    "units": listed(shape({"id": integer("the unit id", 0, 255), "name": text("its name")})),
    "requests": integer("what it was asked since it was started", 0),
    "connections": integer("what is open now", 0),
    "problem": text("why it could not be served, or nothing"),
}

SCHEMAS: Mapping[str, Schema] = {
    "Error": shape({"error": text("what was wrong, in one sentence")}),
    "Overview": shape(
        {
            "title": text("what is simulated"),
            "devices": integer("how many devices there are", 0),
            "problems": {
                "type": "object",
                "additionalProperties": {"type": "string"},
                "description": "for devices that could not be served, by index: why",
            },
            "version": text("of modwire-tools"),
        }
    ),
    "Device": shape(_DEVICE),
    "Devices": shape(
        {
            "total": integer("how many there are, or were found", 0),
            "start": integer("which of these comes first here", 0),
            "devices": listed(reference("Device")),
        }
    ),
    "Table": shape(
        {
            "table": TABLE_NAME,
            "ranges": {
                "type": "array",
                "description": "[first address, count], ascending",
                "items": {
                    "type": "array",
                    "items": {"type": "integer"},
                    "minItems": 2,
                    "maxItems": 2,
                },
            },
            "writable": flag("whether Modbus clients may write; the owner may always"),
        }
    ),
    "Values": shape(
        {
            "table": TABLE_NAME,
            "address": integer("of the first value", 0, 65535),
            "values": {
                "type": "array",
                "description": "null where no address is; bits are 0 and 1",
                "items": {"type": ["integer", "null"]},
            },
        }
    ),
    "WriteValues": shape(
        {
            "address": integer("of the first value", 0, 65535),
            "values": {
                "type": "array",
                "items": {"type": "integer"},
                "minItems": 1,
                "maxItems": 1000,
            },
        }
    ),
    "Point": shape(
        {
            "name": text("its name"),
            "table": TABLE_NAME,
            "address": integer("of its first register or bit", 0, 65535),
            "size": integer("in registers or bits", 1),
            "type": text('such as "float32"'),
            "unit": text('such as "V", or nothing'),
            "value": POINT_VALUE,
            "behaviour": text("what it does, or nothing for a value that stays"),
            "held": flag("whether it was told to stand still"),
        }
    ),
    "ChangePoint": shape(
        {"value": POINT_VALUE, "held": flag("whether it is to stand still")}, optional=True
    ),
    "Trend": shape(
        {
            "name": text("of the point"),
            "samples": {
                "type": "array",
                "description": f"[time in {_TIME}, value], oldest first; null for a gap",
                "items": {"type": "array", "items": {"type": ["number", "null"]}},
            },
        }
    ),
    "Counters": {
        "type": "object",
        "description": "named as in the specification",
        "additionalProperties": {"type": "integer"},
    },
    "Connection": shape(
        {
            "device": integer("index of the device", 0),
            "endpoint": text("where the device is served"),
            "peer": text("who it is"),
            "since": number(_TIME),
            "heard": number(f"when it asked last, in {_TIME}"),
            "requests": integer("how often it asked", 0),
        }
    ),
    "Message": shape(
        {
            "number": integer("ascends from 1", 1),
            "time": number(_TIME),
            "milliseconds": number("from the request to its answer"),
            "device": integer("index of the device", 0),
            "endpoint": text("where the device is served"),
            "peer": text("who asked"),
            "unit": integer("the unit id", 0, 255),
            "function": integer("the function code", 0, 255),
            "request": text("the PDU, in hexadecimal digits"),
            "response": text("the PDU, or nothing"),
            "request_text": text("the request in words"),
            "response_text": text("the answer in words"),
            "outcome": OUTCOME,
            "fault": text("which fault was done to it, or nothing"),
        }
    ),
    "Faults": shape(_FAULTS),
    "ChangeFaults": shape(_FAULTS, optional=True),
    "Explanation": shape(
        {"request": listed(reference("Field")), "response": listed(reference("Field"))}
    ),
    "Field": shape(
        {
            "start": integer("offset in the PDU", 0),
            "data": text("its bytes, in hexadecimal digits"),
            "name": text("what it is"),
            "meaning": text("what it says"),
        }
    ),
    "Token": shape({"token": text("as the simulator printed it")}),
    "Empty": {"type": "object", "maxProperties": 0},
}

"""Requests and responses in words, as the traffic of a simulation shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modwire import ExceptionCode, ExceptionResponse, Response

if TYPE_CHECKING:
    from modwire.messages.base import AnyRequest

_MOST_VALUES = 12


def describe_request(request: AnyRequest) -> str:
    """What is asked for: "read holding registers, address 16, count 3"."""
    return _words(type(request).__name__.removesuffix("Request"), _fields(request))


def describe_response(request: AnyRequest, response: Response) -> str:
    """What is answered: the values, or the exception."""
    if isinstance(response, ExceptionResponse):
        return f"exception {response.exception_code:02X}, {_name(response.exception_code)}"
    fields = _fields(response)
    if len(fields) == 1:
        return _value(next(iter(fields.values())))
    return _words(type(response).__name__.removesuffix("Response"), fields)


def _name(code: int) -> str:
    try:
        return ExceptionCode(code).name.lower().replace("_", " ")
    except ValueError:
        return "which the specification does not have"


def _fields(message: AnyRequest | Response) -> dict[str, object]:
    return {name: getattr(message, name) for name in message.__match_args__}


def _words(name: str, fields: dict[str, object]) -> str:
    spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)
    parts = [f"{field.replace('_', ' ')} {_value(value)}" for field, value in fields.items()]
    return ", ".join([spaced.strip(), *parts])


def _value(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex(" ")
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (list, tuple)):
        items: list[object] = list(value)  # pyright: ignore[reportUnknownArgumentType]
        shown = ", ".join(
            str(int(item)) if isinstance(item, int) else str(item) for item in items[:_MOST_VALUES]
        )
        more = len(items) - _MOST_VALUES
        return f"{shown} and {more} more" if more > 0 else shown
    return str(value)

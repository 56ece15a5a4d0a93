"""Endpoints with something changed, as advice prints them: to copy, in quotes because of `&`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modwire import Endpoint

_LONGER = 5.0  # seconds


def in_framing(endpoint: Endpoint, framing: str) -> str:
    """Return the text of an endpoint at the same place with other frames."""
    place = str(endpoint).partition("://")[2].partition("?")[0]
    if endpoint.transport == "serial":
        return f"{framing}://{place}"
    scheme = endpoint.transport if framing == "tcp" else f"{framing}+{endpoint.transport}"
    return f"{scheme}://{place}"


def with_options(endpoint: Endpoint, **options: object) -> str:
    """Return the whole text of `endpoint` with other `options`, in double quotes."""
    return f'"{endpoint.replace(**options)}"'


def with_quirks(endpoint: Endpoint, *names: str) -> str:
    """Return the whole text of `endpoint` with the quirks `names` besides its own, in quotes."""
    from modwire import Quirks

    given = endpoint.options.get("quirks")
    quirks = given if isinstance(given, Quirks) else Quirks.none
    for name in names:
        quirks |= Quirks[name]
    return with_options(endpoint, quirks=quirks)


def option(endpoint: Endpoint, text: str) -> str:
    """Return an option such as "pause=0.5", with its `?` if `endpoint` has no other options."""
    return text if "?" in str(endpoint) else f"?{text}"


def timeout_option(endpoint: Endpoint) -> str:
    """Return the option of a longer timeout: 5 seconds, or three times the endpoint's own."""
    return option(endpoint, f"timeout={max(_LONGER, 3 * (endpoint.timeout or 0)):g}")

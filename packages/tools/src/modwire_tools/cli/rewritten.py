"""Endpoints with something changed, as advice prints them: whole, and quoted for a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modwire_tools.pasting import for_shell

if TYPE_CHECKING:
    from modwire import Endpoint

_LONGER = 5.0  # seconds


def in_framing(endpoint: Endpoint, framing: str) -> str:
    """Return the whole text of an endpoint at the same place with other frames.

    Options that have no effect on such frames are left out.
    """
    from modwire import FRAMINGS, Endpoint
    from modwire.endpoint_options import options_of

    place, _, query = str(endpoint).partition("://")[2].partition("?")
    scheme = framing
    if endpoint.transport != "serial":
        scheme = endpoint.transport if framing == "tcp" else f"{framing}+{endpoint.transport}"
    found = f"{scheme}://{place}"
    for item in query.split("&") if query else ():
        name = item.partition("=")[0]
        if name not in options_of(endpoint.transport, FRAMINGS[framing]):
            continue
        longer = f"{found}{'&' if '?' in found else '?'}{item}"
        try:
            Endpoint.parse(longer)
        except ValueError:  # such as a quirk of the other frames
            continue
        found = longer
    return for_shell(found)


def with_options(endpoint: Endpoint, **options: object) -> str:
    """Return the whole text of `endpoint` with other `options`."""
    return for_shell(str(endpoint.replace(**options)))


def with_quirks(endpoint: Endpoint, *names: str) -> str:
    """Return the whole text of `endpoint` with the quirks `names` besides its own."""
    from modwire import Quirks

    given = endpoint.options.get("quirks")
    quirks = given if isinstance(given, Quirks) else Quirks.none
    for name in names:
        quirks |= Quirks[name]
    return with_options(endpoint, quirks=quirks)


def with_longer_timeout(endpoint: Endpoint) -> str:
    """Return the whole text with a timeout of 5 seconds, or of three times the endpoint's own."""
    return with_options(endpoint, timeout=max(_LONGER, 3 * (endpoint.timeout or 0)))

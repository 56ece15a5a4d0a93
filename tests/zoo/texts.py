"""Options as the text of an endpoint, for the command and the table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modwire import Endpoint, Quirks


def query(setting: Mapping[str, Any]) -> str | None:
    """Return options as those of an endpoint, "timeout=0.3&quirks=any_unit"; None if it has none.

    An endpoint says `timeout` for `response_timeout`, and names the quirks.
    """
    parts: list[str] = []
    for name, value in setting.items():
        text = str(value)
        if isinstance(value, Quirks):
            text = quirk_names(value, ",")
        elif isinstance(value, bool):
            text = str(value).lower()
        elif value is None:
            text = "never"
        parts.append(f"{'timeout' if name == 'response_timeout' else name}={text}")
    joined = "&".join(parts)
    is_one = any(_is_endpoint(f"{scheme}://a?{joined}") for scheme in ("tcp", "rtu"))
    return joined if is_one else None


def _is_endpoint(text: str) -> bool:
    try:
        Endpoint.parse(text.replace("rtu://", "rtu:///"))
    except ValueError:
        return False
    return True


def quirk_names(quirks: Quirks, joint: str) -> str:
    """Return the names of the quirks in `quirks`."""
    return joint.join(each.name or "" for each in Quirks if each and each in quirks)

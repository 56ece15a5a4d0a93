"""Text functions for `Endpoint`: percent-encoding, numbers, and suggestions in errors."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .arguments import did_you_mean

UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
IN_PATHS = UNRESERVED + b"/:@"

_TIME = r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?) *(ms|s|m|h|)"
_PER_SECOND = {"ms": 1000.0}
_SECONDS = {"m": 60.0, "h": 3600.0}
_HEX = frozenset("0123456789abcdefABCDEF")


def quoted(text: str, plain: bytes) -> str:
    """Percent-encode every byte of `text` that is not in `plain` (RFC 3986, section 2.1)."""
    raw = text.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if byte in plain else f"%{byte:02X}" for byte in raw)


def unquoted(text: str) -> str:
    """Undo `quoted`; raises ValueError for a '%' without two hexadecimal digits."""
    first, *others = text.split("%")
    raw = first.encode("utf-8", "surrogateescape")
    for other in others:
        digits = other[:2]
        if len(digits) < 2 or not _HEX.issuperset(digits):
            raise ValueError(f"'%' must be followed by two hexadecimal digits, got '%{digits}'")
        raw += bytes.fromhex(digits) + other[2:].encode("utf-8", "surrogateescape")
    return raw.decode("utf-8", "surrogateescape")


def is_number(text: str) -> bool:
    """True if `text` is a whole number without a sign."""
    # int() would accept signs, spaces and underscores too, and may refuse more than 640 digits.
    return len(text) <= 640 and text.isascii() and text.isdigit()


def seconds_in(text: str) -> float | None:
    """Return the seconds in "1", "1.5s", "200ms", "2m" or "1h"; None if it is no such time."""
    found = re.fullmatch(_TIME, text.strip().lower(), re.A)  # compiled when first needed
    if found is None:
        return None
    number, unit = float(found[1]), found[2]
    return number / _PER_SECOND.get(unit, 1.0) * _SECONDS.get(unit, 1.0)


def one_of(names: Iterable[str], name: str, given: str) -> str:
    """Return the end of an error text on `given`: the allowed names, and the closest to `name`."""
    allowed = list(names)
    return f"one of {', '.join(allowed)}; got {given!r}{did_you_mean(allowed, name)}"

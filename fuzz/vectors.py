"""Seeds from the corpus in tests/vectors: good messages of every function, and malformed input."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from modwire import Decoder

from . import script
from .script import FRAME, PAUSE, RAW

DECODER = Decoder()
_VECTORS = Path(__file__).parents[1] / "tests" / "vectors"
_MOST = 2000  # bytes of a seed


@cache
def _read(name: str) -> Any:
    return json.loads((_VECTORS / name).read_text("utf-8"))


def _bytes(text: str) -> bytes:
    return text.encode("latin-1") if text.startswith(":") else bytes.fromhex(text)


def messages(*, is_response: bool | None = None) -> list[tuple[int, bytes]]:
    """Return the units and the PDUs of the good messages, of one direction or of both."""
    found: dict[tuple[int, bytes], None] = {}
    for name in ("spec_messages.json", "pymodbus1_messages.json"):
        for each in _read(name):
            if is_response is None or (each["direction"] == "response") == is_response:
                found[each["unit"], bytes.fromhex(each["pdu"])] = None
    return list(found)


def malformed(framing: str, role: str) -> Iterator[list[bytes]]:
    """Yield the malformed input for a framing, and what is sent after it."""
    for case in _read("malformed.json")["cases"]:
        if case["framing"] == framing and case["role"] == role:
            parts = [_bytes(case[key]) for key in ("hex", "rest", "then") if key in case]
            parts[0] = parts[0] * min(case.get("repeat", 1), _MOST // max(len(parts[0]), 1) + 1)
            yield parts


def streams(framing: str, *, is_server: bool) -> list[bytes]:
    """Return scripts: all malformed cases of a framing, and all good messages of its direction."""
    found = [
        script.written(*[(RAW, part) for part in parts])
        for parts in malformed(framing, "server" if is_server else "client")
    ]
    found += [
        script.written(*[step for part in parts for step in ((RAW, part), (PAUSE, b"\7"))])
        for parts in malformed(framing, "server" if is_server else "client")
        if len(parts) > 1
    ]
    good = messages(is_response=not is_server)
    found += [script.written((FRAME, bytes((unit,)) + pdu)) for unit, pdu in good]
    # A shared bus: requests with their responses, and a few messages in a row.
    both = messages()
    for at in range(0, len(both) - 3, 3):
        row = [(FRAME, bytes((unit,)) + pdu) for unit, pdu in both[at : at + 3]]
        found.append(script.written(*row))
    return found

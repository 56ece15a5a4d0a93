"""The explained fields of a message, as "name: meaning"."""

from __future__ import annotations

from modwire_tools.explain import explain_pdu


def told(pdu: bytes, is_response: bool, request: bytes | None = None) -> list[str]:
    fields = explain_pdu(pdu, is_response=is_response, request=request)
    return [f"{name}: {meaning}" for _, _, name, meaning in fields]

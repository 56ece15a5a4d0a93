"""`plain_cell`: cells of CSV that spreadsheets show as they are."""

from __future__ import annotations

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def plain_cell(text: str) -> str:
    """Return a text with ' in front if a spreadsheet would take it for a formula.

    A device may send any text, and a formula may start a program.
    """
    return f"'{text}" if text.startswith(_FORMULA) else text

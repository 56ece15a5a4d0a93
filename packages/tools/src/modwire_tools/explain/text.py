"""Messages as text, in the forms of logs and files: `parse_message` and `parse_line`."""

from __future__ import annotations

import ast
import re
from typing import NamedTuple

from .frames import FRAMINGS

FORMS = (
    "a message is pairs of hexadecimal digits such as 0103006b00037417 (spaces, colons, dashes, "
    "commas, 0x and \\x may stand between them), or an ASCII frame such as :0103006B00038E"
)
_LONGEST = 4096  # characters of a message
_SEPARATORS = re.compile(r"[\s:,;\-_.\[\](){}]+")
_ESCAPES = {r"\r": "\r", r"\n": "\n"}


class Line(NamedTuple):
    """A message of a file; `framing` and `is_response` are None if the line has neither word."""

    data: bytes
    framing: str | None
    is_response: bool | None


def parse_message(text: str) -> bytes:
    """Return the bytes of a message in hexadecimal digits or of an ASCII frame.

    Raises ValueError, which says what is allowed.
    """
    text = text.strip()
    if not text:
        raise ValueError(f"{FORMS}; got nothing")
    if text[0] == ":":
        return _ascii_frame(text)
    if "\\x" in text or text[:2] in ("b'", 'b"'):
        return _escaped(text)
    digits = "".join([_token(token, text) for token in _SEPARATORS.split(text) if token])
    if len(digits) & 1:
        raise ValueError(f"{FORMS}; got {_short(text)}, an odd number of digits ({len(digits)})")
    if not digits:
        raise ValueError(f"{FORMS}; got {_short(text)}")
    return bytes.fromhex(digits)


def _token(token: str, text: str) -> str:
    """Return the digits in one word, which may have 0x before each byte."""
    prefixed = token[:2] in ("0x", "0X")
    digits = re.sub("0[xX]", "", token)
    for character in digits:
        if character not in "0123456789abcdefABCDEF":
            raise ValueError(f"{FORMS}; got {_short(text)}, where {character!r} is no digit")
    return f"0{digits}" if prefixed and len(digits) == 1 else digits


def _ascii_frame(text: str) -> bytes:
    for escape, character in _ESCAPES.items():
        text = text.replace(escape, character)
    try:
        data = text.encode("ascii")
    except UnicodeEncodeError:
        raise ValueError(f"{FORMS}; got {_short(text)}, which has other characters") from None
    # Pasted text and lines of a file have lost CR and LF.
    return data.rstrip(b"\r\n") + b"\r\n"


def _escaped(text: str) -> bytes:
    r"""Return the bytes in the output of a program: b'\x00\x01m', or \x00\x01m."""
    quoted = text if text[:2] in ("b'", 'b"') else 'b"' + text.replace('"', r"\x22") + '"'
    try:
        value: object = ast.literal_eval(quoted)
    except (ValueError, SyntaxError):
        value = None
    if not isinstance(value, bytes) or not value:
        raise ValueError(f"{FORMS}; got {_short(text)}")
    return value


def _short(text: str) -> str:
    return repr(text) if len(text) <= 40 else f"{text[:40]!r} and so on"


def parse_line(text: str) -> Line | None:
    """Return the message in a line `[FRAMING] [request|response] MESSAGE [# comment]`.

    Return None for an empty line and for a comment. Raises ValueError, which says what is
    allowed.
    """
    text = text.partition("#")[0].strip()
    framing: str | None = None
    is_response: bool | None = None
    while text:
        word, _, rest = text.partition(" ")
        if word.lower() in FRAMINGS:
            framing = word.lower()
        elif word.lower() in ("request", "response"):
            is_response = word.lower() == "response"
        else:
            return Line(parse_message(text), framing, is_response)
        text = rest.strip()
    if framing or is_response is not None:
        raise ValueError(f"{FORMS}; got nothing behind the words that describe it")
    return None

"""`generate`: makes framed messages from a user's arguments, for `modwire generate`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from modwire import FRAMINGS, Decoder, Frame

from .arguments import Arguments
from .choosing import choose
from .frames import FRAMINGS as NAMES
from .kinds import Kind, exception_response
from .names import message_name
from .text import parse_message
from .words import describe_request, describe_response


class Generated(NamedTuple):
    """A message in one framing, one of `frames.FRAMINGS`."""

    title: str  # of its function: "1, read coils"
    framing: str
    is_response: bool
    unit: int
    transaction: int
    pdu: bytes
    data: bytes  # the frame
    words: str

    @property
    def text(self) -> str:
        """The frame as a line: hexadecimal digits, or an ASCII frame without its end."""
        return self.data.decode().rstrip() if self.framing == "ascii" else self.data.hex()

    def as_json(self) -> dict[str, object]:
        """Return the message in the form of `modwire generate --json`."""
        return {
            "name": message_name(self.pdu, is_response=self.is_response),
            "framing": self.framing,
            "direction": "response" if self.is_response else "request",
            "unit": None if self.framing == "pdu" else self.unit,
            "transaction": self.transaction if self.framing == "tcp" else None,
            "pdu": self.pdu.hex(),
            "bytes": self.data.hex(),
            "text": self.text,
            "words": self.words,
        }


def generate(
    functions: Iterable[str],
    arguments: Mapping[str, str],
    *,
    framings: Sequence[str] = (),
    directions: Sequence[bool] = (False, True),
    unit: int = 1,
    transaction: int = 1,
    exception: int | None = None,
    pdu: str | None = None,
) -> list[Generated]:
    """Return the messages of `functions` in each framing, each request before its response.

    `arguments` are texts by name. `directions` has True for responses. `pdu`, in hexadecimal
    digits, is framed without changes. Raises ValueError for an argument that no message has, and
    for a value that its message does not allow.
    """
    chosen = _framings(framings)
    _check_range("unit", unit, 255)
    _check_range("transaction", transaction, 65535)
    functions = list(functions)
    pdus: list[tuple[str, bool, bytes]] = []
    if pdu is not None:
        if functions or arguments or exception is not None:
            raise ValueError("--pdu is a whole message: it takes no functions and no arguments")
        data = parse_message(pdu)
        if not 1 <= len(data) <= 253:
            raise ValueError(f"--pdu must be 1..253 bytes, got {len(data)}")
        pdus = [("as given", is_response, data) for is_response in directions]
    else:
        pdus = _messages(choose(functions), Arguments(arguments), directions, exception)
    found: list[Generated] = []
    for title in dict.fromkeys([title for title, _, _ in pdus]):
        for framing in chosen:
            request: bytes | None = None
            for _, is_response, data in [each for each in pdus if each[0] == title]:
                words = describe_response(data, request) if is_response else describe_request(data)
                request = None if is_response else data
                frame = _framed(framing, Frame(unit, transaction, data))
                found.append(
                    Generated(title, framing, is_response, unit, transaction, data, frame, words)
                )
    return found


def _framings(given: Sequence[str]) -> Sequence[str]:
    names = [name.strip() for each in given for name in each.split(",")]
    for name in names:
        if name.lower() not in NAMES:
            raise ValueError(
                f"--framing must be {', '.join(NAMES[:-1])} or {NAMES[-1]}, got {name!r}"
            )
    return [name.lower() for name in names] or NAMES[:-1]


def _check_range(name: str, value: int, most: int) -> None:
    if not 0 <= value <= most:
        raise ValueError(f"--{name} must be 0..{most}, got {value}")


def _framed(framing: str, frame: Frame) -> bytes:
    if framing == "pdu":
        return frame.pdu
    return FRAMINGS[framing](Decoder(), is_server=True).encode(frame)


def _messages(
    kinds: Sequence[Kind],
    given: Arguments,
    directions: Sequence[bool],
    exception: int | None,
) -> list[tuple[str, bool, bytes]]:
    if exception is not None:
        if not 1 <= exception <= 255:
            raise ValueError(f"--exception must be 1..255, got {exception}")
        if True not in directions:
            raise ValueError("--exception is for responses, and --request wants none")
    found: list[tuple[str, bool, bytes]] = []
    refused: dict[str, ValueError] = {}
    for kind in kinds:
        for is_response in directions:
            try:
                message = (kind.response if is_response else kind.request)(given)
            except ValueError as error:
                refused.setdefault(kind.title, error)
                continue
            if is_response and exception is not None:
                message = exception_response(kind, exception)
            if message is not None:
                found.append((kind.title, is_response, message.encode()))
    for title, refusal in refused.items():  # not all arguments of such a kind were looked at
        raise ValueError(f"{title}: {refusal}" if len(kinds) > 1 else str(refusal)) from None
    unused = [name for name in given.given if name not in given.used]
    if unused:
        allowed = ", ".join([f"--{name}" for name in sorted(given.used)]) or "none"
        raise ValueError(
            f"--{unused[0]} is no argument of {_list(kinds)}, which takes {allowed}"
            if len(kinds) == 1
            else f"--{unused[0]} is no argument of any of these functions; they take {allowed}"
        )
    return found


def _list(kinds: Sequence[Kind]) -> str:
    return " and ".join([kind.name for kind in kinds])

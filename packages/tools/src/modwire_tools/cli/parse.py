"""`modwire parse`: explains messages and captures."""

from __future__ import annotations

import os
import sys
from io import BufferedReader
from pathlib import Path
from stat import S_ISBLK, S_ISCHR
from typing import Annotated

import typer

from .completion import complete_framing
from .ending import WrongArgumentError

_SUFFIXES = (".pcap", ".pcapng", ".cap", ".txt", ".log", ".gz")


def parse(
    messages: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MESSAGE]...",
            help="Messages: hexadecimal digits, with or without spaces, colons, 0x, \\x; or ASCII "
            "frames (:0103...). Or one file of messages or a capture; - reads standard input.",
            show_default=False,
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            "-f",
            readable=False,
            metavar="FILE",
            help="A file: a message per line, with comments behind #; or a pcap or pcapng capture. "
            "It may be compressed by gzip.",
        ),
    ] = None,
    framing: Annotated[
        str | None,
        typer.Option(
            "--framing",
            metavar="FRAMING",
            help="tcp, rtu, ascii, binary, or pdu for no frame. Guessed for messages; tcp for "
            "captures, where rtu, ascii and binary mean serial frames in TCP or UDP.",
            autocompletion=complete_framing,
        ),
    ] = None,
    request: Annotated[bool, typer.Option("--request", help="Messages are requests.")] = False,
    response: Annotated[bool, typer.Option("--response", help="Messages are responses.")] = False,
    port: Annotated[
        list[int] | None,
        typer.Option(
            "--port",
            metavar="PORT",
            help="A server's port in a capture, 502 if none is given; may be repeated.",
        ),
    ] = None,
    fields: Annotated[
        bool | None,
        typer.Option(
            "--fields/--no-fields",
            help="Show every field: the default for messages, and not for captures.",
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object for each message or exchange.")
    ] = False,
) -> None:
    """Explain messages, field by field, and the Modbus in captures.

    A line of a file may begin with the framing and with request or response, like the lines that
    `modwire generate` prints. A response that follows its request is explained with it.
    """
    from modwire_tools.explain import capture
    from modwire_tools.explain.frames import FRAMINGS

    from .parse_capture import print_capture
    from .parse_messages import MessagePrinter

    if request and response:
        raise WrongArgumentError("--request and --response exclude each other")
    if framing is not None and framing.lower() not in FRAMINGS:
        raise WrongArgumentError(
            f"--framing must be {', '.join(FRAMINGS[:-1])} or {FRAMINGS[-1]}, got {framing!r}"
        )
    for number in port or ():
        if not 1 <= number <= 65535:
            raise WrongArgumentError(f"--port must be 1..65535, got {number}")
    framing = framing.lower() if framing else None
    words = list(messages or ())
    name = _file_named(words, file)
    printer = MessagePrinter(
        framing,
        is_response=True if response else False if request else None,
        with_fields=fields is not False,
        as_json=json,
    )
    if name is None:
        if port:
            raise WrongArgumentError("--port is for captures, and there is none to read")
        printer.print_all(words)
        return
    title = "standard input" if name == "-" else name
    with capture.inflated(_opened(name), title) as opened:
        if capture.is_capture(opened.peek(4)):
            if framing == "pdu":
                raise WrongArgumentError("--framing pdu is for messages, and this is a capture")
            if request or response:
                raise WrongArgumentError(
                    "--request and --response are for messages, and this is a capture"
                )
            print_capture(
                opened, title, port or [capture.PORT], framing or "tcp", fields is True, json
            )
            return
        if port:
            raise WrongArgumentError(
                f"--port is for captures, and {title} is none: a capture is a pcap or a pcapng file"
            )
        printer.print_lines(opened, title)


def _file_named(words: list[str], file: Path | None) -> str | None:
    """Return the file to read, "-" for standard input; None if the words are messages."""
    if file is not None:
        if words:
            raise WrongArgumentError(f"give messages or --file, not both; got {words[0]!r} too")
        return str(file)
    if not words:
        if sys.stdin is None or sys.stdin.isatty():
            raise WrongArgumentError(
                "nothing to parse: give a message such as 0103006b00037417, a file, or - for "
                "standard input"
            )
        return "-"
    if len(words) == 1 and (words[0] == "-" or _is_file(words[0])):
        return words[0]
    for word in words:
        if word == "-" or _is_file(word):
            raise WrongArgumentError(f"one file at a time, and no messages beside it; got {word!r}")
    return None


def _is_file(word: str) -> bool:
    """Return True if a word is no message, but an existing file or a text like a file name."""
    from modwire_tools.explain.text import parse_message

    try:
        parse_message(word)
    except ValueError:
        path = Path(word)
        try:
            return bool(word.strip()) and (path.exists() or path.suffix in _SUFFIXES)
        except OSError:
            return False
    return False


def _opened(name: str) -> BufferedReader:
    """Open the file, or standard input, which stays open afterwards."""
    if name == "-":
        if sys.stdin is None:
            raise WrongArgumentError("standard input is closed, there is nothing to parse")
        return _ending(open(sys.stdin.fileno(), "rb", closefd=False), "standard input")
    return _ending(Path(name).open("rb"), name)


def _ending(file: BufferedReader, name: str) -> BufferedReader:
    """Return `file`. Raises WrongArgumentError if it never ends; Ctrl+D ends a terminal."""
    mode = os.fstat(file.fileno()).st_mode
    is_device = S_ISBLK(mode) or (S_ISCHR(mode) and not file.isatty())
    if is_device and not os.path.samestat(os.fstat(file.fileno()), os.stat(os.devnull)):
        file.close()
        raise WrongArgumentError(f"{name} is a device: name a file or a pipe")
    return file

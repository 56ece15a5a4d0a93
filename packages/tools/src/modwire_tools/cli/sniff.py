"""`modwire sniff`: listens on a serial line, or reads what was recorded there."""

from __future__ import annotations

import os
import select
import sys
from contextlib import ExitStack
from pathlib import Path
from stat import S_ISBLK, S_ISCHR, S_ISREG
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modwire_tools.pasting import command, command_line
from modwire_tools.replacing import refuse_link

from .completion import complete_framing
from .ending import FailedError, WrongArgumentError, argument
from .endpoints import complete_endpoint
from .types import DURATION, Completions

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import BufferedReader, BufferedWriter

    from modwire import Endpoint, Framing
    from modwire.sniffing import HeardDamage, HeardFrame, Sniffer

    from .sniff_output import SniffOutput

    OnFrame = Callable[[HeardFrame | HeardDamage], object]

_LOOK = 0.25  # seconds between two drawings of the table
_CHUNK = 65536
_SYSTEM_LINKS = ("dev", "proc")  # folders with /dev/stdout and the like
_SERIAL_FRAMINGS = ("rtu", "ascii", "binary")
_OPTIONS = ("silence", "tolerance", "rs485", "exclusive")


def _line_endpoint(text: str) -> Endpoint:
    """Return the endpoint of a line; raises ValueError for an option that only clients have."""
    from modwire import Endpoint
    from modwire_tools.endpoint_forms import check_settings, explained

    try:
        endpoint = Endpoint.parse(text)
    except ValueError as error:
        raise ValueError(explained(text, error)) from None
    check_settings(endpoint)
    if endpoint.transport != "serial":
        port = endpoint.port or 502
        raise WrongArgumentError(
            "SOURCE must be a serial line or a file: on a network, record with "
            f"`sudo tcpdump -i any -w capture.pcap port {port}`, and read that with "
            + command("parse", "capture.pcap", "--port", port)
        )
    others = [name for name in ("unit", "retries") if getattr(endpoint, name) is not None]
    for name in (*others, *endpoint.options):
        if name not in _OPTIONS:
            raise ValueError(
                f"{text!r} has {name}, which only clients have; a sniffer has the settings of the "
                f"line, timeout, {', '.join(_OPTIONS)}"
            )
    return endpoint


def _complete_line(incomplete: str) -> Completions:
    return complete_endpoint(incomplete, _line_endpoint)


def sniff(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A serial line: rtu:///dev/ttyUSB0?baudrate=9600&parity=N, ascii://, binary://. "
            "After the ? may also come timeout, silence, tolerance, rs485, exclusive. Or a file: "
            "raw bytes of a line, or a serial capture (pcap, pcapng); - reads standard input.",
            autocompletion=_complete_line,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            readable=False,
            metavar="FILE",
            help="Also write a capture that Wireshark opens; an existing file is replaced.",
        ),
    ] = None,
    framing: Annotated[
        str | None,
        typer.Option(
            "--framing",
            metavar="FRAMING",
            help="The framing in a file: rtu (the default), ascii or binary.",
            autocompletion=complete_framing,
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        DURATION.option(
            "--timeout",
            help="Time after which a request counts as unanswered; that of the client is best. "
            "1s and the longest frame by default.",
        ),
    ] = None,
    duration: Annotated[
        float | None, DURATION.option("--duration", "-d", help="How long to listen.")
    ] = None,
    lines: Annotated[
        bool | None,
        typer.Option(
            "--lines/--table",
            help="Print a line for each exchange, or the table of units. By default the table on a "
            "terminal, otherwise lines.",
        ),
    ] = None,
    fields: Annotated[
        bool, typer.Option("--fields", help="Show every field of each message.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object for each exchange or error.")
    ] = False,
) -> None:
    """Listen on a serial line, without ever writing to it.

    Requests are shown with their answers; damaged frames, requests without an answer, late answers
    and those of another unit are shown as such. The table has the units with their requests per
    second, response times and errors. Times in a raw file are unknown.
    """
    from modwire_tools.sniffing import CaptureWriter

    from .output import is_terminal
    from .sniff_output import SniffOutput, wall_clock_origin

    if json and lines is False:
        raise WrongArgumentError("--json and --table exclude each other")
    if framing is not None and framing.lower() not in _SERIAL_FRAMINGS:
        raise WrongArgumentError(f"--framing must be rtu, ascii or binary, got {framing!r}")
    is_line = "://" in source
    is_table = not (json or fields) and (is_terminal() if lines is None else not lines)
    with ExitStack() as stack:
        shown = SniffOutput(is_table=is_table, as_json=json, with_fields=fields)
        listening = _Listening(shown, timeout, duration)
        if is_line:
            if framing is not None:
                raise WrongArgumentError("--framing is for files; the scheme is that of a line")
            hear = listening.line(source)
            shown.origin = wall_clock_origin()
        else:
            hear = listening.file(
                stack.enter_context(_opened(source)), source, (framing or "rtu").lower()
            )
        if output is not None:
            _check_other_file(source, output)
            writer = CaptureWriter(stack.enter_context(_created(output)), shown.origin)
            listening.on_frame = writer.write
            listening.after = writer.flush
        stack.push(shown.end)
        hear()


class _Listening:
    """Listens to a line, or reads a file, and shows the results."""

    def __init__(self, shown: SniffOutput, timeout: float | None, duration: float | None) -> None:
        self._shown = shown
        self._timeout = timeout
        self._duration = duration
        self.on_frame: OnFrame = lambda frame: None
        self.after: Callable[[], object] = lambda: None

    # A line.

    def line(self, source: str) -> Callable[[], None]:
        """Return the function that listens on a line."""
        from modwire import FRAMINGS
        from modwire_sync.sniffing import SerialSniffer

        with argument("SOURCE"):
            place = _line_endpoint(source)
        self._shown.framing = place.framing
        options: dict[str, Any] = place.options
        sniffer = SerialSniffer(
            place.path,
            framing=FRAMINGS[place.framing],
            baudrate=place.baudrate,
            bytesize=place.bytesize,
            parity=place.parity,
            stopbits=place.stopbits,
            timeout=self._timeout or place.timeout,
            on_frame=lambda frame: self.on_frame(frame),
            **options,
        )

        def hear() -> None:
            from time import monotonic

            try:
                sniffer.open()
            except ValueError as error:  # the driver has no such baud rate, or no RS-485 mode
                raise FailedError(f"{source}: cannot be opened: {error}") from None
            with sniffer:
                self._shown.start(source)
                ends = float("inf") if self._duration is None else monotonic() + self._duration
                look = monotonic()
                while (now := monotonic()) < ends:
                    heard = sniffer.hear(max(0.0, min(ends, look) - now))
                    if heard is not None:
                        self._shown.show(heard)
                    if monotonic() >= look:
                        self.after()
                        self._shown.look(monotonic())
                        look = monotonic() + _LOOK
                sniffer.sniffer.end_frame()
                self._show(sniffer.sniffer)

        return hear

    # A file.

    def file(self, opened: BufferedReader, name: str, framing: str) -> Callable[[], None]:
        """Return the function that reads a file or standard input."""
        from modwire import FRAMINGS
        from modwire.sniffing import Sniffer
        from modwire_tools.explain.capture import inflated, is_capture

        from .sniff_output import wall_clock_origin

        opened = inflated(opened, name)
        kind = FRAMINGS[framing]
        self._shown.framing = framing
        self._shown.is_line = False
        sniffer = Sniffer(
            kind,
            response_timeout=1.0 if self._timeout is None else self._timeout,
            on_frame=lambda frame: self.on_frame(frame),
        )
        if is_capture(opened.peek(4)[:4]):
            return lambda: self._capture(opened, name, kind, sniffer)
        if S_ISREG(os.fstat(opened.fileno()).st_mode):
            self._shown.is_timed = False
            return lambda: self._raw_file(opened, name, sniffer)
        self._shown.origin = wall_clock_origin()
        return lambda: self._pipe(opened, name, sniffer)

    def _capture(
        self, opened: BufferedReader, name: str, framing: type[Framing], sniffer: Sniffer
    ) -> None:
        from collections import Counter

        from modwire_tools.sniffing import serial_pieces

        others: Counter[int] = Counter()
        pieces = 0
        self._shown.start(name)
        try:
            for time, data, is_frame in serial_pieces(opened, name, framing, others):
                pieces += 1
                sniffer.receive_data(data, time)
                if is_frame:
                    sniffer.end_frame()
                self._show(sniffer)
        finally:
            self._end(sniffer)
        if others and not pieces:
            links = ", ".join(str(link) for link in sorted(others))
            raise FailedError(
                f"{name} has no packets of a serial line, only of link types {links}: "
                f"{command('parse', name)} reads network captures"
            )

    def _raw_file(self, opened: BufferedReader, name: str, sniffer: Sniffer) -> None:
        self._shown.start(name)
        while data := opened.read(_CHUNK // 16):
            sniffer.receive_data(data, 0.0)
            self._show(sniffer)
        self._end(sniffer)

    def _pipe(self, opened: BufferedReader, name: str, sniffer: Sniffer) -> None:
        """Read bytes as they come, with the time of their arrival."""
        from time import monotonic

        self._shown.start(name)
        ends = float("inf") if self._duration is None else monotonic() + self._duration
        is_ready = True  # the bytes that were looked at are in the buffer
        while (now := monotonic()) < ends:
            if is_ready:
                data = opened.read1(_CHUNK)
                if not data:
                    break
                sniffer.receive_data(data, monotonic())
            else:
                sniffer.handle_timeout(now)
            self._show(sniffer)
            deadline = sniffer.deadline()
            until = min(ends, now + _LOOK, ends if deadline is None else deadline)
            wait = max(0.0, until - monotonic())
            is_ready = bool(select.select([opened], [], [], wait)[0])
        self._end(sniffer)

    def _end(self, sniffer: Sniffer) -> None:
        sniffer.end()
        self._show(sniffer)

    def _show(self, sniffer: Sniffer) -> None:
        from time import monotonic

        for heard in sniffer:
            self._shown.show(heard)
        self.after()
        self._shown.look(monotonic())


def _check_other_file(source: str, output: Path) -> None:
    """Raise WrongArgumentError if `output` is the source, by any name or link.

    It would be emptied before it is read, and then grow for ever; a port would be written to.
    """
    from modwire import Endpoint

    try:
        written = output.stat()
        if source == "-":
            read = os.fstat(sys.stdin.fileno())
        else:
            read = os.stat(Endpoint.parse(source).path if "://" in source else source)
    except OSError:  # one of them does not exist, so it is not the other
        return
    is_device = S_ISCHR(read.st_mode) and not os.path.samestat(read, os.stat(os.devnull))
    if os.path.samestat(read, written) and (S_ISREG(read.st_mode) or is_device or "://" in source):
        raise WrongArgumentError(f"--output: {output} is SOURCE itself, name another file")


def _created(path: Path) -> BufferedWriter:
    """Open a new or an existing file; the capture is written as it comes, for `tail` and pipes.

    Raises WrongArgumentError for a link to a file, which another user may have placed there, and
    OSError.
    """
    if path.is_symlink() and path.absolute().parts[1] not in _SYSTEM_LINKS:
        with argument("--output"):
            refuse_link(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
    if not path.is_symlink():
        flags |= getattr(os, "O_NOFOLLOW", 0)
    try:
        return open(os.open(path, flags, 0o666), "wb")
    except OSError as error:
        raise type(error)(error.errno, f"cannot write {path}: {error.strerror}") from None


def _opened(name: str) -> BufferedReader:
    """Open a file, or standard input, which stays open afterwards."""
    if name == "-":
        if sys.stdin is None:
            raise WrongArgumentError("standard input is closed, there is nothing to hear")
        return open(sys.stdin.fileno(), "rb", closefd=False)
    try:
        mode = os.stat(name).st_mode
    except FileNotFoundError:
        from modwire_tools.endpoint_forms import right_form

        meant = right_form(name)
        is_port = meant.partition("://")[0] in _SERIAL_FRAMINGS
        if is_port and name.startswith(("/dev/", *"ctCr")):
            line = command_line("sniff", meant)
            raise FailedError(f"there is no file {name}; a line is {line}") from None
        raise
    if S_ISBLK(mode) or S_ISCHR(mode):
        if not os.path.samestat(os.stat(name), os.stat(os.devnull)):
            raise WrongArgumentError(
                f"{name} is a device: write it as rtu://{os.path.abspath(name)}, with the settings "
                "of the line behind it, such as ?baudrate=9600"
            )
    return Path(name).open("rb")

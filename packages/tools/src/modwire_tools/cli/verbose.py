"""`--verbose`: the bytes on the wire, on standard error; without it clients log nothing."""

from __future__ import annotations

import logging
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from .diagnosis import Seen
from .ending import FailedError

if TYPE_CHECKING:
    from modwire import Endpoint

VerboseFlag = Annotated[
    bool,
    typer.Option(
        "--verbose", "-v", help="Show the bytes on the wire, with times, on standard error."
    ),
]

_LEVELS = {"modwire.wire": logging.DEBUG, "modwire.client": logging.INFO}


class _Recorder(logging.Handler):
    """Records the bytes of clients, for advice if a call fails."""

    def __init__(self, seen: Seen) -> None:
        super().__init__()
        self._seen = seen

    def emit(self, record: logging.LogRecord) -> None:
        if not isinstance(record.args, tuple) or len(record.args) != 3:
            return
        name, what, digits = map(str, record.args)
        if "://" in name:  # servers in the same process log the names of their peers
            data = bytes.fromhex(digits)
            if what == "sent":
                self._seen.note_sent(data)
            else:
                self._seen.note_received(data)


class _WireLines(logging.Handler):
    """Prints a line for each piece of bytes: time, endpoint, direction, hexadecimal digits."""

    def emit(self, record: logging.LogRecord) -> None:
        time = datetime.fromtimestamp(record.created)
        # `sys.stderr` of this moment: a progress bar replaces it while it is shown.
        sys.stderr.write(f"{time:%H:%M:%S.%f} {record.getMessage()}\n")
        sys.stderr.flush()


@contextmanager
def client_log(is_verbose: bool = False) -> Generator[None]:
    """Show the bytes and the links of clients during the block, if `is_verbose`.

    Otherwise their log is silent: the command prints the errors of its calls itself.
    """
    if is_verbose:
        with _handled(_WireLines(), _LEVELS):
            yield
    else:
        with _handled(logging.NullHandler(), {"modwire.client": logging.NOTSET}):
            yield


@contextmanager
def diagnosing(endpoint: Endpoint, is_verbose: bool) -> Generator[Seen]:
    """As `client_log`; yield the bytes seen, which tell what to do about errors.

    A ModbusError of the block becomes a FailedError, whose text has that advice.
    """
    from modwire import ModbusError

    from .hints import described

    seen = Seen(endpoint)
    try:
        with (
            client_log(is_verbose),
            _handled(_Recorder(seen), {"modwire.wire": logging.DEBUG}),
        ):
            yield seen
    except ModbusError as error:
        raise FailedError(described(error, seen)) from error


@contextmanager
def _handled(handler: logging.Handler, levels: Mapping[str, int]) -> Generator[None]:
    """Add `handler` to loggers during the block, at the given levels (NOTSET: as they are)."""
    loggers = [(logging.getLogger(name), level) for name, level in levels.items()]
    before = [(logger.level, logger.propagate) for logger, _ in loggers]
    for logger, level in loggers:
        if level != logging.NOTSET:
            logger.setLevel(level)
            logger.propagate = False
        logger.addHandler(handler)
    try:
        yield
    finally:
        for (logger, _), (level, propagates) in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagates

"""`--verbose`: the bytes on the wire, on standard error; without it clients log nothing."""

from __future__ import annotations

import logging
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated

import typer

VerboseFlag = Annotated[
    bool,
    typer.Option(
        "--verbose", "-v", help="Show the bytes on the wire, with times, on standard error."
    ),
]

_LEVELS = {"modwire.wire": logging.DEBUG, "modwire.client": logging.INFO}


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
    handler: logging.Handler = _WireLines() if is_verbose else logging.NullHandler()
    loggers = [(logging.getLogger(name), level) for name, level in _LEVELS.items()]
    before = [(logger.level, logger.propagate) for logger, _ in loggers]
    for logger, level in loggers:
        if is_verbose:
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

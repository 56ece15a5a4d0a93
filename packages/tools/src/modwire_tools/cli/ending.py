"""How the command ends: one sentence on standard error for each kind of failure, and a code.

Exit codes: 0 all was done; 1 the device or the link failed, or a file could not be read or
written; 2 an argument was wrong; 130 Ctrl+C. Commands raise, nobody else prints errors.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

from modwire import ModbusError

if TYPE_CHECKING:
    import typer

FAILED = 1
WRONG_ARGUMENT = 2
INTERRUPTED = 128 + signal.SIGINT


class WrongArgumentError(ValueError):
    """An argument of the command is wrong; its text says which, and what is allowed."""


def run(app: typer.Typer) -> None:
    """Run `app` with the arguments of the process, and end the process."""
    try:
        app()
    except WrongArgumentError as error:
        _end(str(error), WRONG_ARGUMENT)
    except (ModbusError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            # Who read our output has enough, such as `head`. Nothing more can be said there.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(FAILED)
        _end(str(error), FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _end(sentence: str, code: int) -> None:
    print(f"modwire: {sentence}", file=sys.stderr)  # noqa: T201
    sys.exit(code)

"""The end of the command: one sentence on standard error for each kind of failure, and a code.

Exit codes: 0 success; 1 the device or the link failed, or a file could not be read or written;
2 an argument was wrong; 130 Ctrl+C. Subcommands raise errors, and only this module prints them.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
from contextlib import contextmanager
from io import TextIOWrapper
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import typer

DONE = 0
FAILED = 1
WRONG_ARGUMENT = 2
INTERRUPTED = 128 + signal.SIGINT


class WrongArgumentError(ValueError):
    """Raised for a wrong argument; the text says which one, and what is allowed."""


class FailedError(OSError):
    """Raised if the command could not do everything; the text says what failed."""


@contextmanager
def argument(name: str) -> Generator[None]:
    """Turn a ValueError of the block into a WrongArgumentError that begins with `name`."""
    try:
        yield
    except WrongArgumentError:
        raise
    except ValueError as error:
        raise WrongArgumentError(f"{name}: {error}") from None


def run(app: Callable[..., object]) -> NoReturn:
    """Run `app`, a typer.Typer or its command, with the arguments of the process, and exit."""
    code: object = DONE
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # the caller closed it, for example with >&-
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A character that the terminal cannot show must not end the command.
            stream.reconfigure(errors="backslashreplace")
    _forget_odd_sizes()
    try:
        try:
            code = app(prog_name="modwire", standalone_mode=False)
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:
        if _is_closed_pipe(error):
            # The reader of the output has stopped reading, as `head` does.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = FAILED
        else:
            found = _outcome(error)
            if found is None:
                raise
            sentence, code = found
            from .output import note

            note(f"modwire: {sentence}")
    sys.exit(code if isinstance(code, int) else DONE)


def _is_closed_pipe(error: Exception) -> bool:
    """True if nobody reads the output any more. Windows calls that an invalid argument."""
    if isinstance(error, OSError) and os.name == "nt" and error.errno == errno.EINVAL:
        return error.filename is None
    return isinstance(error, BrokenPipeError)


def _forget_odd_sizes() -> None:
    """Remove a terminal size from the environment on which no table has room.

    With COLUMNS=0, rich prints nothing; with a huge one it fills lines of that length with spaces.
    """
    for name, least, most in (("COLUMNS", 10, 2000), ("LINES", 2, 2000)):
        text = os.environ.get(name)
        if text is not None:
            if not (text.isdecimal() and len(text) < 10 and least <= int(text) <= most):
                del os.environ[name]


def _outcome(error: Exception) -> tuple[str, int] | None:
    """Return the sentence for an error and the exit code; None if it is a bug of this program."""
    import typer

    if isinstance(error, WrongArgumentError):
        return str(error), WRONG_ARGUMENT
    if isinstance(error, typer.TyperException):
        return _usage(error), error.exit_code
    if isinstance(error, FailedError):
        return str(error), FAILED
    from modwire import ModbusError

    from .hints import described

    if isinstance(error, (ModbusError, OSError)):
        return described(error), FAILED
    if isinstance(error, ImportError):  # an extra is not installed; the text names it
        return str(error), FAILED
    return None


def _usage(error: typer.TyperException) -> str:
    """Return the message of the command line's parser as one sentence."""
    import typer

    if isinstance(error, typer.BadParameter) and error.message:
        cause = error.message.rstrip(".")
        # The name of an argument is its metavar.
        name = max(getattr(error.param, "opts", [""]), key=len)
        if not name.startswith("-"):
            name = str(getattr(error.param, "metavar", "") or name).strip("[].")
        return f"{name} {cause}" if cause.startswith("must ") else f"{name}: {cause}"
    text = " ".join(error.format_message().split()).rstrip(".")
    text = text[:1].lower() + text[1:]
    unknown = re.match(r"no such option: (\S+?)\.?(?: |$)", text)
    if unknown:
        from .unknown_options import option_advice

        advice = option_advice(unknown[1], sys.argv[2:])
        if advice:
            return f"no such option: {unknown[1]}; {advice}"
    context = getattr(error, "ctx", None)
    path = getattr(context, "command_path", None) or "modwire"
    text = text.replace(". Did you mean", ", did you mean")
    text = re.sub(r" \(Possible options: (.*)\)$", r", did you mean \1?", text)
    return f"{text} See {path} --help" if text.endswith("?") else f"{text}; see {path} --help"

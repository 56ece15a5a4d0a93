"""`modwire demo`: what all this is, in one command; `make demo` runs it."""

from __future__ import annotations

from typing import Annotated

import typer

from .ending import FailedError


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End when everything was shown and checked.")
    ] = False,
) -> None:
    """Show it all at work, with a small energy meter.

    The meter is served, read and written over TCP and RTU, and the bytes are explained.
    Everything that is read is compared with what was put in; the exit code is 1 if any differs.
    """
    from modwire_tools.demo import demonstrate

    wrong = demonstrate()
    if wrong:
        raise FailedError(f"what was read is not what was put in: {'; '.join(wrong)}")

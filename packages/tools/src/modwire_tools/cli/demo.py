"""`modwire demo`: a demonstration of all packages; `make demo` runs it."""

from __future__ import annotations

from typing import Annotated

import typer

from .ending import FailedError


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Exit when everything was shown and checked.")
    ] = False,
) -> None:
    """Show all packages in use, with a small energy meter.

    The meter is served, read and written over TCP and RTU, and the bytes are explained. Each value
    that is read is compared with the expected one; the exit code is 1 if a value differs. Then the
    meter runs in a simulator with a web page, until Ctrl+C; with --once the page is only checked.
    """
    from functools import partial

    from modwire_tools.demo import demonstrate
    from modwire_tools.extras import extra

    with extra("web", "the demo"):
        from modwire_tools.demo.simulation import live
    wrong = demonstrate()
    if wrong:
        raise FailedError(f"what was read is not what was put in: {'; '.join(wrong)}")
    from .loop import run_trio

    run_trio(partial(live, once=once))

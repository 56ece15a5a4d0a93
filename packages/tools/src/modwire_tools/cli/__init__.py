"""The `modwire` command: a module for each subcommand, which parses arguments and prints."""

from __future__ import annotations

import sys

_INTERRUPTED = 130  # as in `ending`, which is not there yet


def main() -> None:
    """Run the command with the arguments of the process, and end the process."""
    try:
        # Here, because to import it takes a moment, in which Ctrl+C may come too.
        from .app import main as run
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    run()

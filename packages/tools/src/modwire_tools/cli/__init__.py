"""The `modwire` command: a module for each subcommand, with its options and its output."""

from __future__ import annotations

import sys

_INTERRUPTED = 130  # same as in `ending`, which is not imported yet


def main() -> None:
    """Run the command with the arguments of the process, and end the process."""
    try:
        # Imported here because the import takes time, and Ctrl+C may come meanwhile.
        from .app import main as run
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    run()

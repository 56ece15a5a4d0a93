"""`raise_file_limit`: room for the sockets of thousands of devices."""

from __future__ import annotations

import sys
from contextlib import suppress


def raise_file_limit() -> None:
    """Raise the limit of open files: the default is too low for thousands of devices."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else max(soft, 1 << 20)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # macOS has a lower limit, and does not report it
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

"""`raise_file_limit`: room for the sockets of thousands of devices."""

from __future__ import annotations

import sys
from contextlib import suppress

_MOST = 1 << 20
_MOST_ON_MACOS = 10_240  # OPEN_MAX: "unlimited" is reported, but no more can be set


def raise_file_limit() -> None:
    """Raise the limit of open files: the default is too low for thousands of devices."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return
    most = max(soft, _MOST) if hard == resource.RLIM_INFINITY else hard
    for wanted in (most, min(most, _MOST_ON_MACOS)):
        if soft < wanted:
            with suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
                return

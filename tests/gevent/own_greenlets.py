"""The greenlets of this process, to be killed: a user's program may do that to any of them."""

from __future__ import annotations

import gc
from typing import Any

import gevent


def greenlets_alive() -> set[gevent.Greenlet[..., Any]]:
    """All greenlets that have not ended."""
    found: set[gevent.Greenlet[..., Any]] = set()
    for each in gc.get_objects():
        if isinstance(each, gevent.Greenlet) and not each.dead:
            found.add(each)
    return found

"""The greenlets of this process: a user's program may kill any of them."""

from __future__ import annotations

import gc
from typing import Any

import gevent


def greenlets_alive() -> set[gevent.Greenlet[..., Any]]:
    """Return all greenlets that have not ended."""
    found: set[gevent.Greenlet[..., Any]] = set()
    for each in gc.get_objects():
        if isinstance(each, gevent.Greenlet) and not each.dead:
            found.add(each)
    return found

"""A virtual screen by Xvfb, on an unused display number."""

from __future__ import annotations

import os
import shutil
from functools import cache
from select import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..conftest import RequirePeer

_PATIENCE = 60.0  # seconds
_KEEPER = 'Xvfb "$@" & read line; kill $!'


def virtual_display(require_peer: RequirePeer) -> str:
    """Return the name of the display, such as ":7"; skips or fails the test without Xvfb."""
    require_peer("Xvfb", shutil.which("Xvfb") is not None, "apt-get install xvfb")
    return _display()


@cache
def _display() -> str:
    """Start Xvfb, which ends with this process: a shell waits for the end of a pipe.

    A program that is still there aborts if its screen ends first. The screen stays as it is when
    the last program ends (-noreset): else the next one may find none.
    """
    kept, _ = os.pipe()  # its other end stays open
    reader, writer = os.pipe()
    server = ["-displayfd", "3", "-screen", "0", "1400x900x24", "-nolisten", "tcp", "-noreset"]
    os.posix_spawnp(
        "sh",
        ["sh", "-c", _KEEPER, "sh", *server],
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, kept, 0),
            (os.POSIX_SPAWN_DUP2, writer, 3),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ],
    )
    os.close(writer)
    text = b""
    while not text.endswith(b"\n"):
        ready, _, _ = select([reader], [], [], _PATIENCE)
        assert ready, "Xvfb does not say its display"
        part = os.read(reader, 100)
        assert part, "Xvfb has ended"
        text += part
    os.close(reader)
    return f":{int(text)}"

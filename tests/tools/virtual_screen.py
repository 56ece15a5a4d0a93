"""Xvfb, a screen that nobody sees, on a display number of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from select import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..conftest import RequirePeer

_PATIENCE = 20.0  # seconds


def require_screen(require_peer: RequirePeer) -> None:
    """Skip, or fail, where a window cannot be tried."""
    require_peer("Xvfb", shutil.which("Xvfb") is not None, "apt-get install xvfb")
    has_tk = find_spec("_tkinter") is not None
    require_peer("Tk", has_tk, "apt-get install python3-tk")


@contextmanager
def virtual_screen() -> Iterator[str]:
    """The name of a display, such as ":7", while the block runs."""
    reader, writer = os.pipe()
    try:
        server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1400x900x24", "-nolisten", "tcp"],
            pass_fds=[writer],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(writer)
        try:
            text = b""
            while not text.endswith(b"\n"):
                ready, _, _ = select([reader], [], [], _PATIENCE)
                assert ready, "Xvfb does not say its display"
                part = os.read(reader, 100)
                assert part, "Xvfb has ended"
                text += part
            yield f":{int(text)}"
        finally:
            server.terminate()
            server.wait()
    finally:
        os.close(reader)

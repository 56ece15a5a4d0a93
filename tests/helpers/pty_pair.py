"""A serial cable without hardware: two pseudo-terminals, and a thread that carries the bytes."""

from __future__ import annotations

import os
import select
import threading
import tty
from contextlib import suppress
from types import TracebackType

_CHUNK = 4096
_PATIENCE = 20.0  # timeout in seconds for the end of the pump


class PtyPair:
    """Two devices, `left` and `right`: bytes written to one can be read from the other.

    Bytes that no program reads are lost when the buffer of the terminal is full, as on a real
    line. The devices stay until `close`, however often programs open and close them.
    """

    def __init__(self) -> None:
        self._left, self._left_device = os.openpty()
        self._right, self._right_device = os.openpty()
        for device in (self._left_device, self._right_device):
            # A new terminal echoes and waits for the end of a line until a program changes it.
            tty.setraw(device)
        self.left = os.ttyname(self._left_device)
        self.right = os.ttyname(self._right_device)
        for end in (self._left, self._right):
            os.set_blocking(end, False)
        self._wake_end, self._wake = os.pipe()
        self._thread = threading.Thread(target=self._pump, name="pty-pair", daemon=True)
        self._thread.start()

    def _pump(self) -> None:
        other = {self._left: self._right, self._right: self._left}
        while True:
            ready, _, _ = select.select([self._wake_end, *other], [], [])
            if self._wake_end in ready:
                return
            for end in ready:
                data = os.read(end, _CHUNK)
                with suppress(BlockingIOError):
                    os.write(other[end], data)

    def close(self) -> None:
        """Unplug the cable, and wait until the thread has ended."""
        os.write(self._wake, b"\0")
        self._thread.join(_PATIENCE)
        assert not self._thread.is_alive(), "the thread of the pty pair hangs"
        for descriptor in (
            self._left,
            self._left_device,
            self._right,
            self._right_device,
            self._wake,
            self._wake_end,
        ):
            os.close(descriptor)

    def __enter__(self) -> PtyPair:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

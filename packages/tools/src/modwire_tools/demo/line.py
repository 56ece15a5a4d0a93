"""A serial line without hardware: two pseudo-terminals, and a thread that copies the bytes."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def serial_line() -> Generator[tuple[str, str]]:
    """Yield the names of two serial ports that are joined as if by a cable.

    Only one end of a pseudo-terminal has a name, so this needs two of them.
    """
    import tty

    pairs = [os.openpty(), os.openpty()]
    wake, waker = os.pipe()
    (left, left_port), (right, right_port) = pairs
    for port in (left_port, right_port):
        tty.setraw(port)

    def carry() -> None:
        while True:
            ready, _, _ = select.select([left, right, wake], [], [])
            if wake in ready:
                return
            for end in ready:
                os.write(right if end == left else left, os.read(end, 4096))

    cable = threading.Thread(target=carry, name="cable")
    cable.start()
    try:
        yield os.ttyname(left_port), os.ttyname(right_port)
    finally:
        os.write(waker, b".")
        cable.join()
        for fd in (left, left_port, right, right_port, wake, waker):
            os.close(fd)

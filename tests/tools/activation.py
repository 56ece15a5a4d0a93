"""`activated`: the command as systemd starts it, with sockets that listen already."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modwire_command import COMMAND, Started, watched

# Does what systemd does between fork and exec: the descriptors are 3, 4 and so on.
LAUNCHER = """
import os, sys
count = int(sys.argv[1])
passed = [os.dup(int(each)) for each in sys.argv[2 : 2 + count]]
for number, each in enumerate(passed, 3 + 50):
    os.dup2(each, number)
for number in range(count):
    os.dup2(53 + number, 3 + number)
    os.set_inheritable(3 + number, True)
    os.close(53 + number)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(count), LISTEN_FDNAMES="modbus")
os.execv(sys.argv[2 + count], sys.argv[2 + count :])
"""


@contextmanager
def activated(
    sockets: list[socket.socket], *arguments: object, **environment: str
) -> Iterator[Started]:
    """Run the command as systemd does, with these sockets."""
    numbers = [each.fileno() for each in sockets]
    ours, theirs = os.pipe()
    child = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(len(numbers)), *map(str, numbers),
         *COMMAND, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        text=True,
        pass_fds=numbers,
        env={**os.environ, **environment},
    )  # fmt: skip
    with watched(child, theirs, ours) as running:
        yield running


def listener(path: Path | None = None) -> socket.socket:
    if path is None:
        return socket.create_server(("127.0.0.1", 0))
    found = socket.socket(socket.AF_UNIX)
    found.bind(str(path))
    found.listen()
    return found

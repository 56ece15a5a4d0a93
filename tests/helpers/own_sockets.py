"""The sockets and descriptors of this process, as the operating system knows them.

They show the options, open descriptors and sent bytes of any client or server.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import sleep

import pytest

SMALL = 2304  # bytes: Linux has no smaller buffers
_CHUNK = 4096

needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="there is no /proc")


def count_descriptors() -> int:
    """Return the number of files that this process has open."""
    return len(os.listdir("/proc/self/fd"))


@contextmanager
def socket_to(port: int) -> Iterator[socket.socket]:
    """Yield a duplicate of the socket with which this process is connected to a port."""
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            found = _duplicate(int(name))
            if found.getpeername()[1:2] == (port,):
                break
            found.close()
    else:
        raise AssertionError(f"there is no connection to port {port}")
    with found:
        yield found


def _duplicate(descriptor: int) -> socket.socket:
    """Return a duplicate; raises OSError if the descriptor is no connected socket."""
    copy = os.dup(descriptor)
    try:
        found = socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise
    try:
        found.getpeername()
    except OSError:
        found.close()
        raise
    return found


def fill(port: int, most: int | None = None) -> int:
    """Send zeros on the connection to `port` until nothing more fits, or `most` bytes.

    The far end must not read meanwhile. Return the number of bytes sent.
    """
    with socket_to(port) as sock:
        return _fill(sock, most)


def _fill(sock: socket.socket, most: int | None = None) -> int:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * SMALL)
    sent = idle = 0
    while sent != most and idle < 5:
        size = _CHUNK if most is None else min(_CHUNK, most - sent)
        try:
            sent += sock.send(bytes(size), socket.MSG_DONTWAIT)
            idle = 0
        except BlockingIOError:
            idle += 1
            sleep(0.05)  # the kernel may still move bytes to the far end
    return sent


def queued(port: int) -> int:
    """Return the number of bytes to `port` that the far end's system has not received yet."""
    with socket_to(port) as sock:
        (count,) = struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))
    return int(count)


def room(answered: int, unread: int) -> int:
    """Return the number of bytes that fit into a connection to a `tcp_server` with `SMALL` buffers.

    Before, `answered` requests of 12 bytes got responses of 11 bytes each; since then, `unread`
    bytes were sent that the far end has not read.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        with socket.create_connection(listener.getsockname()) as near, listener.accept()[0] as far:
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(answered):
                near.sendall(bytes(12))
                far.recv(12, socket.MSG_WAITALL)
                far.sendall(bytes(11))
                near.recv(11, socket.MSG_WAITALL)
            near.sendall(bytes(unread))
            sleep(0.1)  # until the far end has acknowledged all of it
            return _fill(near)

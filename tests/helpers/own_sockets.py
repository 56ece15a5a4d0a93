"""The sockets and descriptors of this process, as the operating system knows them.

They show what a client or server has set, left open or sent, whatever it is made of.
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
    """How many files this process has open."""
    return len(os.listdir("/proc/self/fd"))


@contextmanager
def socket_to(port: int) -> Iterator[socket.socket]:
    """A duplicate of the socket by which this process is connected to a port."""
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
    """OSError unless the descriptor is that of a connected socket."""
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

    The far end must not read meanwhile. Return how many bytes were sent.
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
    """How many bytes of the connection to `port` the far end's system has not taken yet."""
    with socket_to(port) as sock:
        (count,) = struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))
    return int(count)


def room(answered: int, unread: int) -> int:
    """How many bytes fit into a connection to a `tcp_server` with buffers of `SMALL`.

    On it, `answered` requests of 12 bytes have been answered with 11 bytes each, and `unread`
    bytes have been sent since that the far end has not read.
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

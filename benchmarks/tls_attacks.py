"""The attacks of tls.py, each in a process: `python tls_attacks.py ATTACK PORT COUNT FOLDER`.

As those of attacks.py: an attacker prints a line when it begins, attacks until its standard input
is closed, or until it has done what it had to, and prints how much it did and for how long.
"""

from __future__ import annotations

import random
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from attacks import opened, run_attack

_RANDOM = random.Random(7).randbytes(1 << 14)
_GARBAGE = (
    _RANDOM[:300],
    b"\x16\x03\x01\x40\x00" + _RANDOM[:2000],  # a handshake's record
    b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",  # a ClientHello that ends at once
    b"GET / HTTP/1.1\r\n\r\n",
    bytes.fromhex("000100000006010300000001"),
    b"",
)
_PATIENCE = 5.0


def hello(folder: Path) -> bytes:
    """Return the first bytes of a client."""
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    outgoing = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="127.0.0.1")
    with suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def stalls(port: int, count: int, folder: Path) -> Iterator[int]:
    """Open connections, send a ClientHello, and never go on; those that are closed come again."""
    first = hello(folder)
    links: list[socket.socket | None] = [None] * count
    while True:
        for at, link in enumerate(links):
            if link is not None and _is_alive(link):
                continue
            if link is not None:
                link.close()
            links[at] = opened(port)
            if (link := links[at]) is not None:
                with suppress(OSError):
                    link.send(first)
                yield 1
        yield 0
        time.sleep(0.05)


def _is_alive(link: socket.socket) -> bool:
    try:
        while link.recv(4096):
            pass
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def garbage(port: int, count: int, folder: Path) -> Iterator[int]:
    """Connect `count` times, send garbage, and leave when the server has closed."""
    links: list[socket.socket] = []
    for number in range(count):
        link = None
        while link is None:
            link = opened(port)
            if link is None:
                time.sleep(0.001)
                yield 0
        with suppress(OSError):
            link.send(_GARBAGE[number % len(_GARBAGE)])
        links.append(link)
        if len(links) >= 50:
            links.pop(0).close()
        yield 1
    for link in links:
        link.close()


def handshakes(port: int, count: int, folder: Path) -> Iterator[int]:
    """Shake hands without a certificate, again and again, `count` at a time."""
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    while True:
        batch: list[tuple[socket.socket, ssl.MemoryBIO, ssl.MemoryBIO, ssl.SSLObject]] = []
        for _ in range(count):
            link = opened(port)
            if link is None:
                continue
            into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = context.wrap_bio(into, out, server_hostname="127.0.0.1")
            with suppress(ssl.SSLWantReadError):
                tls.do_handshake()
            with suppress(OSError):
                link.send(out.read())
            batch.append((link, into, out, tls))
            yield 0
        for link, into, out, tls in batch:
            with suppress(OSError, ssl.SSLError):
                link.setblocking(True)
                link.settimeout(_PATIENCE)
                into.write(link.recv(8192))
                tls.do_handshake()
                link.sendall(out.read())
                link.recv(8192)
            link.close()
            yield 1


ATTACKS: dict[str, Callable[[int, int, Path], Iterator[int]]] = {
    "stalls": stalls,
    "garbage": garbage,
    "handshakes": handshakes,
}

if __name__ == "__main__":
    name, port, count, folder = sys.argv[1:]
    run_attack(ATTACKS[name](int(port), int(count), Path(folder)))

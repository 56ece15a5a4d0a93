"""What the tests of the gevent clients share: peers that are greenlets, and calls in greenlets."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import gevent
from gevent import socket

from peers import PATIENCE, Script, SocketPeer

HOST = "127.0.0.1"
SHORT = 0.05  # seconds: the timeout of calls that are to time out


@contextlib.contextmanager
def green_server(*scripts: Script) -> Iterator[int]:
    """The port of a server that plays one script per connection, in a greenlet of this hub."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen()
        listener.settimeout(PATIENCE)

        def serve() -> None:
            for script in scripts:
                connection, _ = listener.accept()
                with connection:
                    script(SocketPeer(connection))

        with background(serve):
            yield listener.getsockname()[1]


@contextlib.contextmanager
def background(run: Callable[[], object]) -> Iterator[gevent.Greenlet[..., object]]:
    """A greenlet that is to end with the `with` block; what it raises comes out there."""
    greenlet = gevent.Greenlet(run)
    greenlet.start()
    try:
        yield greenlet
    except BaseException:
        greenlet.kill()
        raise
    greenlet.get(timeout=PATIENCE)


def in_greenlets(count: int, run: Callable[[int], object]) -> list[object]:
    """What `run` gives for 0, 1, ... `count` - 1, each in a greenlet of its own."""
    greenlets = [gevent.spawn(run, index) for index in range(count)]
    return [greenlet.get(timeout=PATIENCE) for greenlet in greenlets]


def outcome(run: Callable[[], object]) -> gevent.Greenlet[..., object]:
    """A greenlet whose value is what `run` gives, or raises: gevent would print it."""

    def catch() -> object:
        try:
            return run()
        except BaseException as error:  # noqa: BLE001 - for the test to look at
            return error

    greenlet: gevent.Greenlet[..., object] = gevent.Greenlet(catch)
    greenlet.start()
    return greenlet

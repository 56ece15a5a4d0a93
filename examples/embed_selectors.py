"""The core in your own `selectors` loop: a server and a client in one thread.

The loop moves bytes and reads the clock. The two protocol objects decide what to send, when to
give up and what an answer means. Run it: python examples/embed_selectors.py
"""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable
from time import monotonic
from typing import Any

from modwire import (
    ClientOptions,
    ClientProtocol,
    Exchange,
    ModbusError,
    ReadHoldingRegistersRequest,
    SequentialBlock,
    ServerProtocol,
    TcpFraming,
    Unit,
    Units,
    WriteSingleRegisterRequest,
)

UNITS = Units({1: Unit(holding_registers=SequentialBlock(0, [2302, 2311, 2297, 15]))})

selector = selectors.DefaultSelector()
links: set[ServerLink | ClientLink] = set()


class Link:
    """A socket in the selector, with its unsent bytes."""

    def __init__(self, sock: socket.socket, receive_data: Callable[[bytes, float], None]) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(sock, selectors.EVENT_READ, self.ready)
        self.sock = sock
        self.receive_data = receive_data
        self.unsent: bytes = b""
        self.closed = False

    def ready(self) -> None:
        """Receive or send; called when the socket has bytes, or has room again."""
        if self.unsent:
            self.send(b"")
            return
        try:
            data = self.sock.recv(4096)
        except OSError:
            data = b""
        if data:
            self.receive_data(data, monotonic())
        else:
            self.close()

    def send(self, data: bytes) -> None:
        data = self.unsent + data
        if not data or self.closed:
            return
        try:
            self.unsent = data[self.sock.send(data) :]
        except BlockingIOError:
            self.unsent = data
        except OSError:
            self.close()
            return
        # As long as a peer does not read its answers, its requests are not read.
        events = selectors.EVENT_WRITE if self.unsent else selectors.EVENT_READ
        selector.modify(self.sock, events, self.ready)

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            selector.unregister(self.sock)
            self.sock.close()


class ServerLink(Link):
    """An accepted connection."""

    def __init__(self, sock: socket.socket, peer: object) -> None:
        self.protocol = ServerProtocol(TcpFraming, peer=peer)
        super().__init__(sock, self.protocol.receive_data)
        links.add(self)

    def work(self, now: float) -> None:
        """Do what is due, and answer all requests that have arrived."""
        self.protocol.handle_timeout(now)
        self.send(self.protocol.answer_all(UNITS))
        if self.protocol.closed and not self.unsent:
            self.close()


class ClientLink(Link):
    """A connection to a server."""

    def __init__(self, sock: socket.socket, options: ClientOptions) -> None:
        self.protocol = ClientProtocol(TcpFraming, options)
        super().__init__(sock, self.protocol.receive_data)
        links.add(self)

    def work(self, now: float) -> None:
        """Do what is due, and send the requests whose turn it is."""
        self.protocol.handle_timeout(now)
        self.send(self.protocol.data_to_send(now))
        if self.protocol.broken:
            self.close()
        if self.closed:
            self.protocol.receive_eof(now)  # open requests raise ConnectionLostError


def run_until(done: Callable[[], bool]) -> None:
    """Run the loop until `done()`: wait for bytes, but only until the next deadline."""
    while True:
        for link in list(links):
            link.work(monotonic())
            if link.closed:
                links.remove(link)
        if done():
            return
        deadlines = [link.protocol.deadline() for link in links]
        nearest = min((each for each in deadlines if each is not None), default=None)
        for key, _ in selector.select(None if nearest is None else max(0, nearest - monotonic())):
            key.data()


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    selector.register(listener, selectors.EVENT_READ, lambda: ServerLink(*listener.accept()))
    sock = socket.create_connection(listener.getsockname())
    link = ClientLink(sock, ClientOptions(max_in_flight=4, response_timeout=0.2))

    # Four requests at once: one packet carries them all, and each gets its own answer.
    start, now = link.protocol.start, monotonic()
    exchanges: list[Exchange[Any]] = [
        start(ReadHoldingRegistersRequest(0, 3), unit=1, now=now),
        start(WriteSingleRegisterRequest(3, 30), unit=1, now=now),
        start(ReadHoldingRegistersRequest(3, 2), unit=1, now=now),  # there is no register 4
        start(ReadHoldingRegistersRequest(0), unit=9, now=now),  # there is no unit 9
    ]
    run_until(lambda: all(exchange.done for exchange in exchanges))
    for exchange in exchanges:
        try:
            print(exchange.result())
        except ModbusError as error:
            print(f"{type(error).__name__}: {error}")

    link.close()
    run_until(lambda: not links)  # the server notices that the client has gone
    selector.unregister(listener)
    listener.close()
    print("both connections closed")


if __name__ == "__main__":
    main()

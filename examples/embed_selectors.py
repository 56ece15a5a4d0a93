"""The core in a `selectors` loop of one's own: a server and a client, one thread, no adapter.

The loop moves bytes and tells the time. What to send, when to give up and what an answer means is
decided by the two protocol objects. Run it: python examples/embed_selectors.py
"""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable
from time import monotonic

from modwire import (
    ClientOptions,
    ClientProtocol,
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


class ServerLink:
    """An accepted connection."""

    def __init__(self, sock: socket.socket, peer: object) -> None:
        self.protocol = ServerProtocol(TcpFraming, peer=peer)
        self.pipe = Pipe(sock, self.receive)
        links.add(self)

    def receive(self, data: bytes) -> None:
        self.protocol.receive_data(data, monotonic())

    def work(self, now: float) -> None:
        """Do what is due, and send the answers to all requests that have come."""
        self.protocol.handle_timeout(now)
        self.pipe.send(self.protocol.answer_all(UNITS))
        if self.pipe.closed or (self.protocol.closed and not self.pipe.unsent):
            self.pipe.close()
            links.remove(self)


class ClientLink:
    """A connection to a server; `start` requests on its protocol."""

    def __init__(self, address: tuple[str, int]) -> None:
        options = ClientOptions(max_in_flight=4, response_timeout=0.2)
        self.protocol = ClientProtocol(TcpFraming, options)
        self.pipe = Pipe(socket.create_connection(address), self.receive)
        links.add(self)

    def receive(self, data: bytes) -> None:
        self.protocol.receive_data(data, monotonic())

    def work(self, now: float) -> None:
        """Do what is due, and send the requests whose turn it is."""
        self.protocol.handle_timeout(now)
        self.pipe.send(self.protocol.data_to_send(now))
        if self.pipe.closed or self.protocol.broken:
            self.pipe.close()
            self.protocol.receive_eof(now)  # what was not answered raises ConnectionLostError
            links.remove(self)


class Pipe:
    """A socket in the selector, with the bytes that it did not take yet."""

    def __init__(self, sock: socket.socket, receive: Callable[[bytes], None]) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.receive = receive
        self.unsent = b""
        self.closed = False
        selector.register(sock, selectors.EVENT_READ, self.ready)

    def ready(self) -> None:
        if self.unsent:
            self.send(b"")
            return
        try:
            data = self.sock.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.receive(data)
        else:
            self.close()

    def send(self, data: bytes) -> None:
        waited = bool(self.unsent)
        self.unsent += data
        if self.closed or not self.unsent:
            return
        try:
            self.unsent = self.unsent[self.sock.send(self.unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        if bool(self.unsent) != waited:  # a peer that does not read is not read from
            events = selectors.EVENT_WRITE if self.unsent else selectors.EVENT_READ
            selector.modify(self.sock, events, self.ready)

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            selector.unregister(self.sock)
            self.sock.close()


def run_until(done: Callable[[], bool]) -> None:
    """The loop: wait for bytes, but no longer than until the next deadline."""
    while True:
        now = monotonic()
        for link in list(links):
            link.work(now)
        if done():
            return
        deadlines = [link.protocol.deadline() for link in links]
        nearest = min((each for each in deadlines if each is not None), default=None)
        wait = None if nearest is None else max(0.0, nearest - monotonic())
        for key, _ in selector.select(wait):
            key.data()


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    selector.register(listener, selectors.EVENT_READ, lambda: ServerLink(*listener.accept()))
    link = ClientLink(listener.getsockname())

    # Four requests at once: one packet carries them all, and each finds its own answer.
    start, now = link.protocol.start, monotonic()
    exchanges = [
        start(ReadHoldingRegistersRequest(0, 3), 1, now=now),
        start(WriteSingleRegisterRequest(3, 30), 1, now=now),
        start(ReadHoldingRegistersRequest(3, 2), 1, now=now),  # there is no register 4
        start(ReadHoldingRegistersRequest(0), 9, now=now),  # nobody is unit 9
    ]
    run_until(lambda: all(exchange.done for exchange in exchanges))
    for exchange in exchanges:
        try:
            print(exchange.result())
        except ModbusError as error:
            print(f"{type(error).__name__}: {error}")

    link.pipe.close()
    run_until(lambda: not links)  # the server notices that the client has gone
    selector.unregister(listener)
    listener.close()
    print("all connections closed")


if __name__ == "__main__":
    main()

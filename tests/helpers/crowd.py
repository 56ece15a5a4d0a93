"""A thousand clients in one process, on plain sockets: python crowd.py PORT CONNECTIONS REQUESTS

Each connection reads one register after another and waits for each response, which must be its
own: register N holds N. Prints the number of right responses; anything else is an error.
"""

from __future__ import annotations

import resource
import select
import socket
import struct
import sys

PATIENCE = 20.0  # seconds without any response


def main(port: int, connections: int, requests: int) -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    poll = select.epoll()
    links: list[socket.socket] = []
    numbers: dict[int, int] = {}
    for number in range(connections):
        link = socket.create_connection(("127.0.0.1", port))
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.setblocking(False)
        links.append(link)
        numbers[link.fileno()] = number
        poll.register(link, select.EPOLLIN)

    done = [0] * connections
    buffers = [b""] * connections
    wanted = [b""] * connections

    def ask(number: int) -> None:
        turn = done[number]
        address, transaction = (number + turn) % 100, (number * 7 + turn) & 0xFFFF
        wanted[number] = struct.pack(">HHHBBBH", transaction, 0, 5, 1, 3, 2, address)
        # The buffer has room: all earlier requests have a response.
        links[number].send(struct.pack(">HHHBBHH", transaction, 0, 6, 1, 3, address, 1))

    for number in range(connections):
        ask(number)
    left = connections
    while left:
        events = poll.poll(PATIENCE)
        if not events:
            raise TimeoutError(f"{left} connections still wait for an answer")
        for descriptor, _ in events:
            number = numbers[descriptor]
            data = links[number].recv(4096)
            if not data:
                raise ConnectionError(f"connection {number} was closed")
            buffers[number] += data
            if len(buffers[number]) < len(wanted[number]):
                continue
            if buffers[number] != wanted[number]:
                raise ValueError(f"{buffers[number].hex()} is not {wanted[number].hex()}")
            buffers[number] = b""
            done[number] += 1
            if done[number] < requests:
                ask(number)
            else:
                left -= 1
    return sum(done)


if __name__ == "__main__":
    print(main(*map(int, sys.argv[1:])))

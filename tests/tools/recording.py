"""A proxy on loopback that records its traffic as the packets of a capture.

It needs no permission to capture: it reads from one socket, writes to the other, and records the
same bytes, with their times, as a capture on the wire.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from types import TracebackType

from captures import ACK, FIN, Connection, Packets, on_link

PATIENCE = 20.0  # seconds


class Recording:
    """Forwards TCP connections from `port` to a server; `packets` has the packets of all."""

    def __init__(self, server: tuple[str, int]) -> None:
        self.packets: Packets = []
        self._server = server
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def _accept(self) -> None:
        while True:
            try:
                client, address = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._forward, args=(client, address))
            self._threads.append(thread)
            thread.start()

    def _forward(self, client: socket.socket, address: tuple[str, int]) -> None:
        connection = Connection(("127.0.0.1", address[1]), ("127.0.0.1", self._server[1]))
        with client, socket.create_connection(self._server) as server:
            self._record(connection.open())
            while True:
                ready, _, _ = select.select([client, server], [], [], PATIENCE)
                if not ready:
                    return
                for source in ready:
                    from_server = source is server
                    data = source.recv(65536)
                    flags = ACK if data else ACK | FIN
                    self._record([connection.send(data, server=from_server, flags=flags)])
                    if not data:
                        self._record([connection.packet(1 - from_server, b"", flags=ACK | FIN)])
                        return
                    (client if from_server else server).sendall(data)

    def _record(self, packets: list[bytes]) -> None:
        with self._lock:
            self.packets += [(time.time(), on_link(packet)) for packet in packets]

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Close alone does not wake another thread that waits for the listener.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in (self._accepting, *self._threads):
            thread.join(PATIENCE)

"""Ports elsewhere, for pyserial's URLs: a socket, or an RFC 2217 server made with pyserial."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import serial
from serial.rfc2217 import PortManager

_PATIENCE = 20.0  # seconds


class RemotePort:
    """A TCP server with one serial port; `near` is the far end of the line behind it.

    With `rfc2217`, `port` has the settings that the client has negotiated.
    """

    def __init__(self, *, rfc2217: bool) -> None:
        self.port: Any = serial.serial_for_url("loop://", baudrate=300)
        self.settings = 0  # times that the client has set the baud rate
        self._rfc2217 = rfc2217
        self._listener = socket.create_server(("127.0.0.1", 0))
        number = self._listener.getsockname()[1]
        self.url = f"{'rfc2217' if rfc2217 else 'socket'}://127.0.0.1:{number}"
        self.near, self._line = socket.socketpair()
        self._stop, self._stopped = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            ready, _, _ = select.select([self._listener, self._stop], [], [])
            if self._stop in ready:
                return
            link, _ = self._listener.accept()
            with link:
                self._serve(link)

    def _serve(self, link: socket.socket) -> None:
        manager = PortManager(self.port, _Writer(link)) if self._rfc2217 else None
        while True:
            ready, _, _ = select.select([link, self._line, self._stop], [], [])
            if self._stop in ready:
                return
            if link in ready:
                try:
                    data = link.recv(4096)
                except OSError:
                    return
                if not data:
                    return
                if manager is not None:
                    data = b"".join(manager.filter(data))
                if data:
                    self._line.sendall(data)
            if self._line in ready:
                data = self._line.recv(4096)
                link.sendall(b"".join(manager.escape(data)) if manager is not None else data)

    def close(self) -> None:
        os.write(self._stopped, b"\0")
        self._thread.join(_PATIENCE)
        for each in (self._listener, self.near, self._line):
            each.close()
        os.close(self._stop)
        os.close(self._stopped)
        self.port.close()


class _Writer:
    """The connection as `PortManager` writes to it."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link

    def write(self, data: bytes) -> None:
        with suppress(OSError):  # the client has gone
            self._link.sendall(data)


@contextmanager
def remote_port(*, rfc2217: bool = False) -> Iterator[RemotePort]:
    port = RemotePort(rfc2217=rfc2217)
    try:
        yield port
    finally:
        port.close()

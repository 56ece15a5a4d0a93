"""Modbus for trio: clients and servers on sockets, streams and serial ports."""

from modwire.units.unit import AsyncUnit

from .client import Client
from .clients import SerialClient, TcpClient, TlsClient, UdpClient, UnixClient, connect
from .gateway import Gateway, RemoteUnit
from .servers import serve_serial, serve_stream, serve_tcp, serve_tls, serve_udp, serve_unix

__version__ = "0.2.0"
__all__ = [
    "AsyncUnit",
    "Client",
    "Gateway",
    "RemoteUnit",
    "SerialClient",
    "TcpClient",
    "TlsClient",
    "UdpClient",
    "UnixClient",
    "connect",
    "serve_serial",
    "serve_stream",
    "serve_tcp",
    "serve_tls",
    "serve_udp",
    "serve_unix",
]

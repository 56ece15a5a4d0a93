"""Modbus for trio: clients and servers on sockets, streams and serial ports."""

from .client import Client
from .connect import connect
from .gateway import Gateway
from .network import TcpClient, UdpClient, UnixClient
from .remote import AsyncUnit, RemoteUnit
from .serial_client import SerialClient
from .servers import serve_serial, serve_stream, serve_tcp, serve_udp, serve_unix

__all__ = [
    "AsyncUnit",
    "Client",
    "Gateway",
    "RemoteUnit",
    "SerialClient",
    "TcpClient",
    "UdpClient",
    "UnixClient",
    "connect",
    "serve_serial",
    "serve_stream",
    "serve_tcp",
    "serve_udp",
    "serve_unix",
]

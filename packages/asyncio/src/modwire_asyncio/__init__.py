"""Modbus for asyncio: clients and servers on sockets, transports and serial ports."""

from modwire.units.unit import AsyncUnit

from .client import Client
from .clients import SerialClient, TcpClient, TlsClient, UdpClient, UnixClient, connect
from .gateway import Gateway, RemoteUnit
from .servers import SerialServer, TcpServer, TlsServer, UdpServer

__version__ = "0.2.0"
__all__ = [
    "AsyncUnit",
    "Client",
    "Gateway",
    "RemoteUnit",
    "SerialClient",
    "SerialServer",
    "TcpClient",
    "TcpServer",
    "TlsClient",
    "TlsServer",
    "UdpClient",
    "UdpServer",
    "UnixClient",
    "connect",
]

"""Modbus for gevent: clients and servers on sockets and serial ports."""

from .client import Client
from .clients import SerialClient, TcpClient, TlsClient, UdpClient, UnixClient, connect
from .gateway import Gateway, RemoteUnit
from .servers import SerialServer, TcpServer, TlsServer, UdpServer

__version__ = "0.2.0"
__all__ = [
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

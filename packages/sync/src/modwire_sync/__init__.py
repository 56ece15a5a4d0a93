"""Modbus for blocking code: clients and servers on sockets and serial ports."""

from .client import Client
from .connect import connect
from .gateway import Gateway
from .network import TcpClient, UdpClient, UnixClient
from .remote import RemoteUnit
from .serial_client import SerialClient
from .servers import SerialServer, TcpServer, UdpServer

__all__ = [
    "Client",
    "Gateway",
    "RemoteUnit",
    "SerialClient",
    "SerialServer",
    "TcpClient",
    "TcpServer",
    "UdpClient",
    "UdpServer",
    "UnixClient",
    "connect",
]

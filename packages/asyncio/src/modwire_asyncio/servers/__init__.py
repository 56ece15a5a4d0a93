"""The asyncio servers: TCP and Unix sockets, UDP and serial lines."""

from .datagrams import UdpServer
from .line import SerialServer
from .tcp import TcpServer, TlsServer

__all__ = ["SerialServer", "TcpServer", "TlsServer", "UdpServer"]

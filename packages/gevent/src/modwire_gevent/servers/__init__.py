"""The gevent servers: greenlets on sockets and serial ports."""

from .datagrams import UdpServer
from .line import SerialServer
from .tcp import TcpServer, TlsServer

__all__ = ["SerialServer", "TcpServer", "TlsServer", "UdpServer"]
